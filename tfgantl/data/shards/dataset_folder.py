"""Whether a folder that `datasets` of Hugging Face reads as it is has nothing but what is read within limits.

By most of their suffixes, the library hands all files to one of some thirty readers; it unpacks archives whatever they
are called, follows links, and gives each value of a Parquet file memory of its own, however often one is repeated.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfgantl.data.layout import SUFFIXES, begins_like_a_picture
from tfgantl.data.shards.dataset_card import check_card
from tfgantl.data.shards.parquet import check_parquet
from tfgantl.errors import DataError, reason
from tfgantl.printing import printable

PLAIN = ("csv", "imagefolder", "json", "parquet", "text")  # readers whose files are pictures, texts or looked at here
ABOUT = (".md", ".toml", ".xml")  # texts about a data set, which other readers than `text` know
PARQUET = b"PAR1"
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # that take the place of folders for classes


def check_folder(folder: Path, roots: Sequence[Path]) -> None:
    """Looks at a folder before the library does.

    Args:
        folder: The data set.
        roots: Other folders that links may lead to, such as the cache of the library.

    Raises:
        DataError: If its card or a link leads out of it, or it has files that are packed, of other kinds than pictures,
            Parquet and texts, or Parquet files that unpack to too much.
    """
    check_card(folder)
    try:
        _check_files(folder, [os.path.realpath(root) for root in (folder, *roots)])
    except OSError as error:
        raise DataError(
            f"HFDataset: {printable(error.filename)}: must be readable. Received: {error.strerror}"
        ) from error


def told_of_metadata(folder: Path, data: Any, label: str | None) -> tuple[str, ...]:
    """What the library leaves out by itself where a table beside the pictures says what they are.

    Args:
        folder: The data set, which `check_folder` has looked at.
        data: A split of it, as the library has read it.
        label: Name of the feature with labels, if they are asked for.
    """
    names = [name for _, _, some in os.walk(folder) for name in some]
    tables = sorted({name for name in names if name in METADATA})
    if not tables or not data.info.splits:
        return ()
    pictures, rows = (
        sum(os.path.splitext(name)[1].casefold() in SUFFIXES for name in names),
        sum(split.num_examples for split in data.info.splits.values()),
    )
    found = [f"{pictures - rows} of {pictures} pictures are not in {tables[0]}"] if pictures > rows else []
    if label is not None and label not in data.features:
        found.append(f"{tables[0]} has no column {printable(label)}, so there are no classes")
    return tuple(found)


def _check_files(folder: Path, inside: list[str]) -> None:
    from datasets.packaged_modules import _EXTENSION_TO_MODULE
    from datasets.utils.extract import Extractor

    for file in _files(folder, inside):
        suffix = file.suffix.casefold()
        if suffix in SUFFIXES and begins_like_a_picture(file):
            continue
        if not file.is_file():
            raise _refused(file, "no file")
        reader, *_ = _EXTENSION_TO_MODULE.get(suffix, ("text",))
        if reader not in PLAIN and suffix not in ABOUT:
            raise _refused(file, f"one for the reader {reader}")
        try:
            packed = Extractor.infer_extractor_format(str(file))
        except Exception as error:  # its readers of archives raise what they like
            raise _refused(file, printable(reason(error))[:200]) from error
        if packed:
            raise _refused(file, f"one that is packed, by {packed}")
        with open(file, "rb") as stream:
            begins = stream.read(len(PARQUET))
        if reader == "parquet" or begins == PARQUET:
            check_parquet(file)


def _files(folder: Path, inside: Sequence[str]) -> Iterator[Path]:
    """All files but hidden ones, which the library leaves out, too, as no card may ask for them.

    Links are followed where they lead to `inside`.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith((".", "__")):
            continue
        path = Path(entry.path)
        if entry.is_symlink():
            place = os.path.realpath(path)
            if not any(place == root or place.startswith(root + os.sep) for root in inside):
                raise DataError(f"HFDataset: links must lead to files within {folder}. Received: {printable(path)}")
            if entry.is_dir():
                raise DataError(f"HFDataset: links must lead to files. Received: {printable(path)}, a folder")
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, inside)
        else:
            yield path


def _refused(file: Path, received: str) -> DataError:
    return DataError(
        "HFDataset: a folder must have pictures, Parquet files and texts (CSV, JSON), and nothing packed; `WebDataset` "
        f"reads .tar files. Received: {printable(file)}, {received}"
    )
