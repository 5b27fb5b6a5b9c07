"""Tables about pictures: a CSV with a heading, one column of which names picture files."""

import csv
import io
import os
from os.path import isfile  # which a name that is too long is not, without an error
from pathlib import Path

import numpy as np

from tfgantl.data.decode import decode_picture
from tfgantl.data.depth import depth_of
from tfgantl.errors import ConfigError, DataError
from tfgantl.printing import printable
from tfgantl.progress import bar, log
from tfgantl.text_files import read_text

PICTURES = ("file", "file_name", "filename", "image", "picture", "photo", "path")  # what their column is called
NO_VALUE = ("", "na", "n/a", "nan", "null")  # as tables have it
LEAST = 20  # pictures that one learns from
MAX_PIXELS = 64_000_000
MAX_BYTES = 4 * 2**30  # of all pictures, as in sources
SHOWN = 200  # pictures from which on a bar is shown
MAX_NAMED = 3  # rows that are left out, in a note


def read_column(path: Path, column: str, image_shape: tuple[int, int, int]) -> tuple[np.ndarray, list[str]]:
    """The pictures of a table, and what a column says of them. Rows that say nothing are left out, and told.

    Args:
        path: The CSV. Its pictures are relative to where it is.
        column: The heading of the column.
        image_shape: Height, width and channels that the pictures get.

    Returns:
        uint8 (n, *image_shape), and n values.

    Raises:
        ConfigError: If there is no such column, or more than one.
        DataError: If it is no table, or names too few pictures that can be read.
    """
    heading, rows = _rows(path)
    if heading.count(column) != 1:
        known = ", ".join(printable(name)[:40] for name in heading if name) or "none"
        told = f"{column}, {heading.count(column)} times" if column in heading else column
        raise ConfigError(f"{path}: a column must be one of {known}. Received: {told}")
    at, names = heading.index(column), _pictures_column(path, heading, rows)
    images, values, left = [], [], []
    files = [Path(os.path.normpath(path.parent / row[names])) for row in rows]
    depth = depth_of([file for file in dict.fromkeys(files) if isfile(file)], MAX_PIXELS)
    side, _, channels = image_shape
    if (size := len(rows) * side * side * channels) > MAX_BYTES:
        raise DataError(f"{path}: pictures must take at most {MAX_BYTES} bytes of memory. Received: {size}")
    said: dict[Path, str] = {}  # picture → value: a row may repeat another, by another spelling
    with bar(len(rows), f"pictures of {path.name}", "picture", shown=len(rows) > SHOWN) as progress:
        for row, file in zip(rows, files, strict=True):
            progress.update()
            name, value = row[names], row[at].strip()
            if value.casefold() in NO_VALUE:
                left.append(f"{printable(name)[:40]} has no value")
                continue
            is_new = file not in said
            if not _agree(said.setdefault(file, value), value):
                raise DataError(
                    f"{path}: a picture must have one value of {printable(column)[:40]}. Received: "
                    f"{printable(name)[:40]} with {printable(said[file])[:40]} and {printable(value)[:40]}"
                )
            if not is_new:
                continue
            image = decode_picture(file, side, channels, MAX_PIXELS, depth) if isfile(file) else "is not there"
            if isinstance(image, str):
                left.append(f"{printable(name)[:40]} {image}")
            else:
                images.append(image)
                values.append(value)
    if len(images) < LEAST:
        told = f"; {left[0]}" if left else ""
        raise DataError(f"{path}: must name at least {LEAST} pictures that can be read. Received: {len(images)}{told}")
    if left:
        more = f" and {len(left) - MAX_NAMED} more" if len(left) > MAX_NAMED else ""
        log(f"{path}: left out {len(left)} of {len(rows)} rows: {', '.join(left[:MAX_NAMED])}{more}")
    return np.stack(images), values


def _agree(one: str, other: str) -> bool:
    """Whether two values are the same text, or the same number."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The heading, and the rows, all of them as long."""
    if not path.is_file():
        raise DataError(f"{path}: must be a CSV file. Received: no such file")
    try:
        heading, *rows = [row for row in csv.reader(io.StringIO(read_text(path), newline="")) if row] or [[]]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: must be a CSV file. Received: {error}") from error
    wrong = next((number for number, row in enumerate(rows, 2) if len(row) != len(heading)), None)
    if wrong is not None:
        had = len(rows[wrong - 2])
        raise DataError(f"{path}: row {wrong} must have {len(heading)} values, as the heading. Received: {had}")
    return heading, rows


def _pictures_column(path: Path, heading: list[str], rows: list[list[str]]) -> int:
    """The column that names files which are there, by its first rows; of several, such as masks, what it is called."""
    there = [i for i in range(len(heading)) if any(isfile(path.parent / row[i]) for row in rows[:LEAST])]
    if not there:
        raise DataError(f"{path}: a column must name pictures relative to {path.parent}. Received: none that are there")
    called = [i for i in there if heading[i].strip().casefold() in PICTURES]
    found = there if len(there) == 1 else called
    if len(found) != 1:
        raise DataError(
            f"{path}: one column with files must be called as pictures are: {', '.join(PICTURES)}. "
            f"Received: {', '.join(printable(heading[i])[:40] for i in called or there)}"
        )
    return found[0]
