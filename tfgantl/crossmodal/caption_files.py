"""Captions that people wrote: a CSV, a text file beside each picture, or `metadata.jsonl` as data sets have it."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

import numpy as np

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.text_encoder import fault_of
from tfgantl.data.base import FiniteSource, Source
from tfgantl.data.examples import SPLITS, Examples
from tfgantl.errors import DataError, TfgantlError, reason
from tfgantl.printing import printable
from tfgantl.text_files import read_text

OnBad: TypeAlias = Literal["error", "skip"]
FILE, CAPTION = ("file", "file_name"), ("caption", "text")  # columns, by the names that they may have
DELIMITERS = ",;\t"  # those of spreadsheets in several countries
METADATA = "metadata.jsonl"
MAX_BYTES = 2**28  # of a file of captions
MAX_NAMED = 3  # names in a message

Pairs = Iterator[tuple[str, str, str]]  # name of a picture, caption, and where it stands


def load_captioned(
    source: Source, where: str | Path, on_bad: OnBad = "error"
) -> tuple[dict[str, Examples], dict[str, Captions]]:
    """All splits of a source, with captions as `caption_splits` reads them.

    Captions of pictures that are in no split, as shots are few, are no mistake.
    """
    splits = {split: source.load(split) for split in SPLITS}
    everything = source
    if isinstance(source, FiniteSource) and source.shots is not None:
        everything = replace(source, shots=None)
    idle = [name for split in SPLITS for name in everything.load(split).files or ()]
    return caption_splits(splits, where, on_bad, idle)


def caption_splits(
    splits: Mapping[str, Examples], where: str | Path, on_bad: OnBad = "error", others: Sequence[str] = ()
) -> tuple[dict[str, Examples], dict[str, Captions]]:
    r"""The captions of all splits of a source, and the splits without those pictures that have none.

    Args:
        splits: Name of a split → its examples, which know what their pictures are called.
        where: A CSV (`file,caption`, several lines a picture), a `.jsonl` file (`file_name`, `text`), or the folder
            with `metadata.jsonl`, or with a `.txt` beside each picture, whose lines are its captions. For pictures of
            an array, their places in it are their names.
        on_bad: `error` stops at captions without a picture, pictures without a caption and captions that cannot be
            read; `skip` leaves them out, and says so in the notes.
        others: Names of pictures that may have captions and are in no split.

    Returns:
        Name of a split → its examples, and its captions.

    Raises:
        DataError: If the file cannot be used, no caption fits, or as `on_bad` says.

    Example:
        >>> _ = Path("captions.csv").write_text("file,caption\n0,a dark pattern\n1,noise\n2,noise")
        >>> three = Examples.from_arrays(images[:3], None, files=["0", "1", "2"])
        >>> _, captions = caption_splits({"train": three}, "captions.csv")
        >>> captions["train"].phrases
        ('a dark pattern', 'noise')
    """
    names = [name for examples in splits.values() for name in _names(examples)]
    found, notes = read_captions(names, where, on_bad, others)
    kept, captions = {}, {}
    for split, examples in splits.items():
        with_one = [i for i, name in enumerate(_names(examples)) if name in found]
        if not with_one:
            raise DataError(f"{where}: a picture of each split must have a caption. Received: none of {split}")
        kept[split] = some_of(examples, with_one)
        called = _names(kept[split])
        captions[split] = Captions.of([found[name] for name in called], notes)
    return kept, captions


def some_of(examples: Examples, at: Sequence[int]) -> Examples:
    """Some of the examples of a split, by their places."""
    if len(at) == examples.size:
        return examples
    images, labels = examples.read(np.array(at))
    some = Examples.from_arrays(
        images, labels, examples.num_classes, examples.notes, examples.classes, [_names(examples)[i] for i in at]
    )
    return replace(some, notes=(*examples.notes, f"{len(at)} of {examples.size} pictures have captions"))


def read_captions(
    names: Sequence[str], where: str | Path, on_bad: OnBad = "error", others: Sequence[str] = ()
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The captions of pictures, by the names of these.

    Args:
        names: Of the pictures, as paths relative to their folder.
        where: As for `caption_splits`.
        on_bad: As for `caption_splits`.
        others: As for `caption_splits`.

    Returns:
        Name → captions, for those that have any, and remarks.

    Raises:
        DataError: As `caption_splits`.
    """
    path = Path(where).expanduser()
    known, wanted, bad = _Names([*names, *(set(others) - set(names))]), set(names), []
    found: dict[str, list[str]] = {}
    without_picture, repeated = Counter[str](), 0
    for name, caption, place in _pairs(path, names):
        picture = known.find(name)
        if picture is None:
            without_picture[name] += 1
        elif picture not in wanted:
            continue
        elif wrong := fault_of(caption):
            bad.append(f"{place}: a caption must be {wrong}")
        elif caption in found.setdefault(picture, []):
            repeated += 1
        else:
            found[picture].append(caption)
    found = {name: captions for name, captions in found.items() if captions}
    missing = [name for name in names if name not in found]
    problems = [
        *bad[:1],
        *([_listed("captions without a picture", list(without_picture), "`file`")] if without_picture else []),
        *([_listed("pictures without a caption", missing, "`--captions`")] if missing else []),
    ]
    if not found:
        raise DataError(f"{path}: must hold captions of the pictures. Received: {'; '.join(problems) or 'none'}")
    if problems and on_bad == "error":
        raise DataError(
            f"{path}: every picture must have a caption, and every caption a picture, or `on_bad` be skip. "
            f"Received: {'; '.join(problems)}"
        )
    notes = [f"left out {line}" for line in problems]
    if len(bad) > 1:
        notes.append(f"left out {len(bad)} captions that cannot be read, the first named")
    if repeated:
        notes.append(f"{repeated} lines of {path.name} repeat others, and count once")
    return found, tuple(notes)


def phrases_in(path: Path) -> list[str]:
    """The different captions of a file: lines of a `.txt`, captions of a CSV or `.jsonl`, whatever their pictures.

    Raises:
        DataError: If there are none, or one cannot be read.
    """
    if path.suffix.casefold() == ".txt":
        lines = enumerate(_text(path).splitlines(), 1)
        pairs: Pairs = (("", line, f"line {number}") for number, line in lines if line.strip())
    else:
        pairs = _pairs(path, ())
    phrases: dict[str, None] = {}
    for _, caption, place in pairs:
        if wrong := fault_of(caption):
            raise DataError(f"{path}: {place}: a caption must be {wrong}")
        phrases[" ".join(caption.split())] = None
    if not phrases:
        raise DataError(f"{path}: must hold captions. Received: none")
    return list(phrases)


class _Names:
    """Names of pictures, found by their path or, where it can only mean one, by its last part."""

    def __init__(self, names: Sequence[str]):
        self.paths = set(names)
        last = Counter(PurePosixPath(name).name for name in names)
        self.last = {PurePosixPath(name).name: name for name in names if last[PurePosixPath(name).name] == 1}

    def find(self, name: str) -> str | None:
        """The picture that is meant; `None` if there is none."""
        path = PurePosixPath(name.strip().replace("\\", "/"))
        return str(path) if str(path) in self.paths else self.last.get(path.name)


def _names(examples: Examples) -> tuple[str, ...]:
    if examples.files is None:
        raise DataError("captions must be of a data source that has an end. Received: one without")
    return examples.files


def _listed(what: str, names: list[str], column: str) -> str:
    some = ", ".join(printable(name) for name in names[:MAX_NAMED])
    more = " …" if len(names) > MAX_NAMED else ""
    return f"{len(names)} {what} ({column}: {some}{more})"


def _pairs(path: Path, names: Sequence[str]) -> Pairs:
    """Whatever captions there are."""
    if path.is_dir():
        if (path / METADATA).is_file():
            yield from _of_lines(path / METADATA)
        else:
            yield from _beside(path, names)
    elif not path.is_file():
        raise DataError(f"`captions` must be a CSV, a .jsonl file or a folder. Received: {path}, which is not there")
    elif path.suffix.casefold() == ".jsonl":
        yield from _of_lines(path)
    else:
        yield from _of_table(path)


def _text(path: Path) -> str:
    if (size := path.stat().st_size) > MAX_BYTES:
        raise DataError(f"{path}: must have at most {MAX_BYTES} bytes. Received: {size}")
    try:
        return read_text(path)
    except TfgantlError as error:  # another code page is a mistake in data here
        raise DataError(str(error)) from error


def _of_table(path: Path) -> Pairs:
    text = _text(path)
    heading = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=heading.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name for name in rows.fieldnames or [] if name]
        file, caption = (_column(columns, names, path) for names in (FILE, CAPTION))
        for row in rows:
            if None in row or row[caption] is None:
                raise DataError(
                    f"{path}: line {rows.line_num} must have {len(columns)} values; one with a comma stands in quotes. "
                    f"Received: {'more' if None in row else 'fewer'}"
                )
            yield row[file], row[caption], f"line {rows.line_num}"
    except csv.Error as error:
        raise DataError(f"{path}: line {rows.line_num} must have its quotes in pairs. Received: {error}") from error


def _column(columns: list[str], names: tuple[str, ...], path: Path) -> str:
    plain = {name.strip().casefold(): name for name in columns}
    for name in names:
        if name in plain:
            return plain[name]
    known = ", ".join(printable(name)[:40] for name in columns[:8]) or "none"
    raise DataError(f"{path}: a column must be called {' or '.join(names)}. Received: {known}")


def _of_lines(path: Path) -> Pairs:
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} must be a JSON object. Received: {reason(error)}") from error
        if not isinstance(entry, dict):
            raise DataError(f"{path}: line {number} must be a JSON object. Received: {type(entry).__name__}")
        file, caption = (next((entry[name] for name in names if name in entry), None) for names in (FILE, CAPTION))
        some = caption if isinstance(caption, list) else [caption]
        if not isinstance(file, str) or not some or not all(isinstance(one, str) for one in some):
            had = ", ".join(map(printable, entry)) or "nothing"
            raise DataError(f"{path}: line {number} must have texts `file_name` and `text`. Received: {had}")
        for one in some:
            yield file, str(one), f"line {number}"


def _beside(folder: Path, names: Sequence[str]) -> Pairs:
    """Lines of the text file beside each picture."""
    root = folder
    for name in names:
        file = (root / name).with_suffix(".txt")
        if file.is_file():
            for number, line in enumerate(_text(file).splitlines(), 1):
                if line.strip():
                    yield name, line, f"{printable(file.name)}, line {number}"
