"""Pictures in a column of Parquet files; the one module that imports `pyarrow`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tfgantl.data.classes import in_order
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.shards.examples import opened, told_record
from tfgantl.errors import ConfigError, DataError, TfgantlError, not_installed, reason
from tfgantl.printing import printable

MAX_GROUP = 2**32  # bytes of a row group, unpacked: they are read at one time
MAX_RATIO = 1000  # unpacked to packed


class ParquetPictures(PictureList):
    """Rows of Parquet files. Of a row, only the picture and its label are read; what lies elsewhere is not opened.

    Args:
        files: The files.
        image: Name of the column with the pictures.
        label: Name of the column with the labels, or `None`.

    Raises:
        ConfigError: If pyarrow is not installed, or there is no such column.
        DataError: If a file is damaged, or there is no row.
    """

    unit = "row"

    def __init__(self, files: list[Path], image: str, label: str | None) -> None:
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise ConfigError(not_installed("Parquet", "pyarrow", "parquet", error)) from error
        self._files, self._image = files, image
        self._opened: list[Any] = []
        self._groups: list[tuple[int, int, int]] = []  # number of the file and of the group, first row
        rows, texts = 0, []
        labelled: set[bool] = set()
        for number, file in enumerate(files):
            with _whole(file):
                parquet = pyarrow.parquet.ParquetFile(file)
                self._opened.append(parquet)
                names = parquet.schema_arrow.names
                if image not in names:
                    raise ConfigError(
                        f"Parquet: `image` must be a column of {printable(file)}: {', '.join(map(printable, names))}. "
                        f"Received: {image}"
                    )
                for group in range(parquet.num_row_groups):
                    _check_size(parquet, group, file)
                    self._groups.append((number, group, rows))
                    rows += parquet.metadata.row_group(group).num_rows
                labelled.add(label is not None and label in names)
                if label is not None and label in names:
                    texts += parquet.read([label])[label].to_pylist()
        if not rows:
            raise DataError(f"Parquet: files must hold rows. Received: {files[0]}, without any")
        if len(labelled) > 1:
            raise DataError(f"Parquet: every file must have the column `label`, or none. Received: {label} in some")
        self._counts = [parquet.metadata.num_rows for parquet in self._opened]
        classes: tuple[str, ...] | None = None
        self._labels: np.ndarray | None = None
        if texts:
            classes, self._labels = _labels_of(texts, self._opened[0].schema_arrow, label)
        super().__init__("Parquet", rows, self._labels is not None, classes)

    def chunk(self, start: int, stop: int) -> Iterator[Encoded]:
        for number, group, first in self._groups:
            parquet = self._opened[number]
            rows = parquet.metadata.row_group(group).num_rows
            if first + rows <= start or first >= stop:
                continue
            with _whole(self._files[number]):
                column = self._column(number, group)
                for row in range(max(start, first), min(stop, first + rows)):
                    value = column[row - first].as_py()
                    content = value.get("bytes") if isinstance(value, dict) else value
                    if not isinstance(content, bytes | type(None)):
                        raise DataError(
                            f"Parquet: `image` must be a column of bytes, or of structs with `bytes`. "
                            f"Received: {self._image}, of {type(content).__name__}"
                        )
                    label = None if self._labels is None else int(self._labels[row])
                    yield Encoded(partial(opened, content or b""), label)

    def told(self, index: int) -> str:
        file, number = told_record(self._files, self._counts, index)
        return f"{printable(file)}: row {number}"

    def _column(self, number: int, group: int) -> Any:
        """The pictures of a row group; the last one is kept, as chunks end within."""
        if getattr(self, "_last", (None, None))[0] != (number, group):
            self._last = (number, group), self._opened[number].read_row_group(group, [self._image])[self._image]
        return self._last[1]


def _check_size(parquet: Any, group: int, file: Path) -> None:
    metadata = parquet.metadata.row_group(group)
    columns = [metadata.column(number) for number in range(metadata.num_columns)]
    unpacked = sum(column.total_uncompressed_size for column in columns)
    packed = sum(column.total_compressed_size for column in columns)
    if not 0 <= unpacked <= min(MAX_GROUP, MAX_RATIO * max(packed, 2**16)) or packed > file.stat().st_size:
        raise DataError(
            f"Parquet: {printable(file)}: a row group must unpack to at most {MAX_GROUP} bytes, and {MAX_RATIO} times "
            f"what it has. Received: {unpacked} from {packed}"
        )


def _labels_of(values: list, schema: Any, label: str | None) -> tuple[tuple[str, ...] | None, np.ndarray]:
    """Names of classes, if there are any, and labels int64 (n,)."""
    names = class_names_in(schema.metadata or {}, label)
    if all(isinstance(value, str) for value in values):
        found = in_order(list(set(values)))
        numbers = {name: number for number, name in enumerate(found)}
        return tuple(found), np.array([numbers[value] for value in values])
    wrong = next((value for value in values if type(value) is not int or not 0 <= value < 2**31), None)
    if wrong is not None or None in values:
        raise DataError(f"Parquet: labels must be whole numbers from 0, or names. Received: {printable(str(wrong))}")
    labels = np.array(values, np.int64)
    if names is not None and labels.max() >= len(names):
        raise DataError(f"Parquet: labels must be in [0, {len(names) - 1}], by their names. Received: {labels.max()}")
    return names, labels


def class_names_in(metadata: dict[bytes, bytes], label: str | None) -> tuple[str, ...] | None:
    """Names of classes as `datasets` leaves them in the schema; `None` if it does not have them."""
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    usable = isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return tuple(names) if usable and names else None


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Whatever pyarrow raises becomes `DataError`, in one line."""
    try:
        yield
    except TfgantlError:
        raise
    except Exception as error:
        raise DataError(
            f"Parquet: {printable(file)}: must be a whole Parquet file. Received: {printable(reason(error))[:200]}"
        ) from error
