"""Whether a folder that `datasets` of Hugging Face reads as it is has nothing but what is read within limits.

By most of their suffixes, the library hands all files to one of some thirty readers; it unpacks archives whatever they
are called, follows links, and gives each value of a Parquet file memory of its own, however often one is repeated.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfgantl.data.layout import SUFFIXES, begins_like_a_picture, is_of_system
from tfgantl.data.set_folders import are_splits
from tfgantl.data.shards.dataset_card import check_card
from tfgantl.data.shards.parquet import check_parquet
from tfgantl.errors import DataError, reason
from tfgantl.printing import printable

PLAIN = ("csv", "imagefolder", "json", "parquet", "text")  # readers whose files are pictures, texts or looked at here
ABOUT = (".md", ".toml", ".xml")  # texts about a data set, which other readers than `text` know
MAX_NAMED = 3  # folders in a note
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


def told_of_folder(folder: Path, data: Any, label: str | None) -> tuple[str, ...]:
    """What the library leaves out by itself, of pictures and of the folders that they lie in.

    It takes split names anywhere in a path for splits, and the innermost folder for the class, if all pictures lie as
    deep; a table beside the pictures takes the place of folders.

    Args:
        folder: The data set, which `check_folder` has looked at.
        data: A split of it, as the library has read it.
        label: Name of the feature with labels, if they are asked for.
    """
    if not data.info.splits or data.info.builder_name != "imagefolder":
        return ()
    pictures, tables = Counter[str](), set[str]()  # number of pictures in each folder
    for directory, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not is_of_system(name)]
        tables |= {*names} & {*METADATA}
        count = sum(os.path.splitext(name)[1].casefold() in SUFFIXES for name in names)
        if count:
            pictures[os.path.relpath(directory, folder)] += count
    table, total = min(tables, default=None), pictures.total()
    rows = sum(split.num_examples for split in data.info.splits.values())
    if table and len(data.info.splits) == 1 and len(data) == rows:  # which may name a picture twice
        rows = min(rows, _pictures_of(data))
    found = []
    if total > rows:
        why = f"not in {table}" if table else "left out by `datasets`, as names of splits are in their paths"
        found.append(f"{total - rows} of {total} pictures are {why}")
    if label is not None and label not in data.features and table:
        found.append(f"{table} has no column {printable(label)}, so there are no classes")
    elif label is not None and label not in data.features and len(pictures) > 1:
        told = ", ".join(map(printable, sorted(pictures)[:MAX_NAMED]))
        found.append(f"pictures lie in several folders ({told}), and have no classes by `datasets`")
    elif label in data.features and not table:
        ways = {tuple(part for part in Path(place).parts if not _is_split(part)) for place in pictures}
        names_of = Counter(way[-1] for way in ways if way)
        found += [f"folders called {printable(name)} are one class" for name, count in names_of.items() if count > 1]
    return tuple(found)


def _is_split(name: str) -> bool:
    return are_splits([name, "test"]) or are_splits([name, "train"])


def _pictures_of(data: Any) -> int:
    """Number of different pictures that rows of a split name; of rows that hold theirs, that of rows."""
    import datasets

    columns = [name for name, feature in data.features.items() if isinstance(feature, datasets.Image)]
    if len(columns) != 1:
        return len(data)
    paths = data.select_columns(columns).cast_column(columns[0], datasets.Image(decode=False)).with_format("arrow")
    names = {
        path for batch in paths.iter(1000) for path in batch[columns[0]].combine_chunks().field("path").to_pylist()
    }
    return len(names) if None not in names else len(data)


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
