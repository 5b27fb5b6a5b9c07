"""Files of captions, line by line: a CSV, `metadata.jsonl` as data sets have it, or a text file beside each picture."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tfgantl.crossmodal.text_checks import fault_of
from tfgantl.errors import DataError, TfgantlError, reason
from tfgantl.files import check_place
from tfgantl.printing import printable
from tfgantl.text_files import read_text
from tfgantl.untrusted.unique_names import add

FILE, CAPTION = ("file", "file_name"), ("caption", "text")  # columns, by the names that they may have
DELIMITERS = ",;\t"  # those of spreadsheets in several countries
METADATA = "metadata.jsonl"
MAX_BYTES = 2**28  # of a file of captions
MAX_COLUMNS = 1000  # of a table, each of which is kept for each row
MAX_NAMED = 8  # columns in a message

Pairs = Iterator[tuple[str, str, str]]  # name of a picture, caption, and where it stands


def phrases_in(path: Path) -> list[str]:
    """The different captions of a file: lines of a `.txt`, captions of a CSV or `.jsonl`, whatever their pictures.

    Raises:
        DataError: If there are none, or one cannot be read.
    """
    if path.suffix.casefold() == ".txt":
        lines = enumerate(_lines(path), 1)
        pairs: Pairs = (("", line, f"line {number}") for number, line in lines if line.strip())
    else:
        pairs = caption_pairs(path, ())
    phrases: dict[str, None] = {}
    for _, caption, place in pairs:
        if wrong := fault_of(caption):
            raise DataError(f"{path}: {place}: a caption must be {wrong}")
        phrases[" ".join(caption.split())] = None
    if not phrases:
        raise DataError(f"{path}: must hold captions. Received: none")
    return list(phrases)


def caption_pairs(path: Path, names: Sequence[str]) -> Pairs:
    """Whatever captions there are."""
    if path.is_dir():
        if (path / METADATA).is_file():
            check_place(path / METADATA, path, [path / name for name in names[:1]], "captions")
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


def _lines(path: Path) -> list[str]:
    """Lines as editors end them; other separators are a part of captions, and refused there."""
    return re.split("\r\n|\n|\r", _text(path))


def _of_table(path: Path) -> Pairs:
    text = _text(path)
    heading = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=heading.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name for name in rows.fieldnames or [] if name]
        if len(rows.fieldnames or ()) > MAX_COLUMNS:
            raise DataError(f"{path}: must have at most {MAX_COLUMNS} columns. Received: {len(rows.fieldnames or ())}")
        file, caption = (_column(columns, names, path) for names in (FILE, CAPTION))
        for row in rows:
            if None in row or None in (row[file], row[caption]):
                raise DataError(
                    f"{path}: line {rows.line_num} must have {len(columns)} values; one with a comma stands in quotes. "
                    f"Received: {'more' if None in row else 'fewer'}"
                )
            yield row[file], row[caption], f"line {rows.line_num}"
    except csv.Error as error:
        raise DataError(f"{path}: line {rows.line_num} must have its quotes in pairs. Received: {error}") from error


def _column(columns: list[str], names: tuple[str, ...], path: Path) -> str:
    plain = [name.strip().casefold() for name in columns]
    found = [number for number, name in enumerate(plain) if name in names]
    if len(found) > 1:
        told = ", ".join(printable(columns[number])[:40] for number in found[:MAX_NAMED])
        raise DataError(f"{path}: one column must be called {' or '.join(names)}. Received: {told}")
    if found:
        return columns[found[0]]
    known = ", ".join(printable(name)[:40] for name in columns[:MAX_NAMED]) or "none"
    raise DataError(f"{path}: a column must be called {' or '.join(names)}. Received: {known}")


def _of_lines(path: Path) -> Pairs:
    for number, line in enumerate(_text(path).split("\n"), 1):  # other separators may be in texts of JSON
        if not line.strip():
            continue
        try:
            entry: Any = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} must be a JSON object. Received: {reason(error)}") from error
        if not isinstance(entry, dict):
            raise DataError(f"{path}: line {number} must be a JSON object. Received: {type(entry).__name__}")
        for names in (FILE, CAPTION):
            if set(names) <= set(entry):
                raise DataError(f"{path}: line {number} must have one of {' and '.join(names)}. Received: both")
        file, caption = (next((entry[name] for name in names if name in entry), None) for names in (FILE, CAPTION))
        some = caption if isinstance(caption, list) else [caption]
        if not isinstance(file, str) or not some or not all(isinstance(one, str) for one in some):
            had = ", ".join(printable(name)[:40] for name in [*entry][:MAX_NAMED]) or "nothing"
            raise DataError(f"{path}: line {number} must have texts `file_name` and `text`. Received: {had}")
        for one in some:
            yield file, str(one), f"line {number}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        add(found, key, value)
    return found


def _beside(folder: Path, names: Sequence[str]) -> Pairs:
    """Lines of the text file beside each picture."""
    told: dict[Path, str] = {}
    for name in names:
        if ".." in PurePosixPath(name).parts:  # of a member of an archive, which leads nowhere there
            raise DataError(f"{printable(name)[:200]}: pictures must lie in their folder for captions beside them")
        file = (folder / name).with_suffix(".txt")
        if file.is_file():
            add(told, file, name, f"{folder}: a text file must be beside one picture", DataError)
            check_place(file, folder, [folder / name], "captions")
            for number, line in enumerate(_lines(file), 1):
                if line.strip():
                    yield name, line, f"{printable(file.name)}, line {number}"
