"""Pictures in a column of Parquet files; the one module that imports `pyarrow`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tfgantl.data.classes import in_order
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.shards.examples import check_names, check_unlabelled, in_memory, told_record
from tfgantl.errors import ConfigError, DataError, TfgantlError, not_installed, reason
from tfgantl.printing import printable
from tfgantl.untrusted.parquet_pages import first_unpacked, unpacked

MAX_GROUP = 2**32  # bytes of a row group, unpacked: they are read at one time
MAX_RATIO = 1000  # unpacked to packed
MAX_LABELS = 2**30  # bytes of the labels of a file, unpacked: those of all row groups are read at one time
LEAST_ROW = 8  # bytes: rows of nothing take none, and there may be billions
MAX_NAMED = 20  # columns in a message


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
        self._leaves: list[str] = []  # what of a column of structs is read
        rows, values = 0, []
        labelled: set[bool] = set()
        class_names: set[tuple[str, ...] | None] = set()
        for number, file in enumerate(files):
            with _whole(file):
                schema = pyarrow.parquet.read_schema(file)
                names = schema.names
                if image not in names:
                    raise ConfigError(
                        f"Parquet: `image` must be a column of {printable(file)}: "
                        f"{', '.join(map(printable, names[:MAX_NAMED]))}. Received: {image}"
                    )
                leaf = _leaf_of(schema, image)
                has_label = label is not None and label in names
                if not has_label:
                    check_unlabelled(f"Parquet: {printable(file)}", label, names)
                # A value that stands in a dictionary is kept once, however many rows refer to it.
                parquet = pyarrow.parquet.ParquetFile(file, read_dictionary=[leaf, *([label] if has_label else ())])
                self._opened.append(parquet)
                self._leaves.append(leaf)
                if parquet.metadata.num_rows > file.stat().st_size // LEAST_ROW:
                    raise DataError(
                        f"Parquet: {printable(file)}: rows must have at least {LEAST_ROW} bytes each. "
                        f"Received: {parquet.metadata.num_rows} in {file.stat().st_size}"
                    )
                _check_sizes(parquet, [leaf, *([label] if label and has_label else [])], label, file)
                for group in range(parquet.num_row_groups):
                    self._groups.append((number, group, rows))
                    rows += parquet.metadata.row_group(group).num_rows
                labelled.add(has_label)
                if has_label:
                    values += _values(parquet.read([label])[label])
                    class_names.add(class_names_in(schema.metadata or {}, label))
        if not rows:
            raise DataError(f"Parquet: files must hold rows. Received: {files[0]}, without any")
        if len(labelled) > 1:
            raise DataError(f"Parquet: every file must have the column `label`, or none. Received: {label} in some")
        self._counts = [parquet.metadata.num_rows for parquet in self._opened]
        classes: tuple[str, ...] | None = None
        self._labels: np.ndarray | None = None
        if values:
            classes, self._labels = _labels_of(values, class_names)
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
                    content = (value.get("bytes") if isinstance(value, dict) else value) or b""
                    label = None if self._labels is None else int(self._labels[row])
                    yield in_memory(content, label)

    def told(self, index: int) -> str:
        file, number = told_record(self._files, self._counts, index)
        return f"{printable(file)}: row {number}"

    def _column(self, number: int, group: int) -> Any:
        """The pictures of a row group; the last one is kept, as chunks end within."""
        if getattr(self, "_last", (None, None))[0] != (number, group):
            table = self._opened[number].read_row_group(group, [self._leaves[number]])
            self._last = (number, group), table[self._image]
        return self._last[1]


def _leaf_of(schema: Any, image: str) -> str:
    """The column with the bytes of pictures, which of structs is a part.

    Raises:
        DataError: If there are no bytes.
    """
    from pyarrow import types

    kind, leaf = schema.field(image).type, image
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind, leaf = kind.field("bytes").type, f"{image}.bytes"
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_binary(kind) or types.is_large_binary(kind)):
        raise DataError(
            f"Parquet: `image` must be a column of bytes, or of structs with `bytes`. "
            f"Received: {image}, of {printable(kind)[:80]}"
        )
    return leaf


def _values(column: Any) -> list:
    """The values of a column; those of a dictionary are one object each."""
    found: list = []
    for part in column.chunks:
        if hasattr(part, "dictionary"):
            known = part.dictionary.to_pylist()
            found += [None if at is None else known[at] for at in part.indices.to_pylist()]
        else:
            found += part.to_pylist()
    return found


def _check_sizes(parquet: Any, names: list[str], label: str | None, file: Path) -> None:
    """Raises `DataError` if a row group, or all labels, would take more memory than there may be, or rows differ."""
    labels, rows, there, schema = 0, 0, 0, parquet.metadata.schema
    with open(file, "rb") as stream:
        for group in range(parquet.num_row_groups):
            metadata = parquet.metadata.row_group(group)
            columns = [metadata.column(number) for number in range(metadata.num_columns)]
            packed = sum(column.total_compressed_size for column in columns)
            found = {column.path_in_schema: _unpacked(stream, column) for column in columns if _is_read(column, names)}
            size = sum(size for size, _ in found.values())
            there += packed
            if there > file.stat().st_size:
                raise DataError(
                    f"Parquet: {printable(file)}: every row group must have bytes of its own. "
                    f"Received: {there} in {file.stat().st_size}"
                )
            if size > min(MAX_GROUP, MAX_RATIO * max(packed, 2**16)):
                raise DataError(
                    f"Parquet: {printable(file)}: a row group must unpack to at most {MAX_GROUP} bytes, and "
                    f"{MAX_RATIO} times what it has. Received: {size} from {packed}"
                )
            rows += metadata.num_rows
            flat = {columns[i].path_in_schema for i in range(len(columns)) if not schema.column(i).max_repetition_level}
            wrong = {values for name, (_, values) in found.items() if name in flat} - {metadata.num_rows}
            if wrong:
                raise DataError(
                    f"Parquet: {printable(file)}: every column that is read must have a value for each row. "
                    f"Received: {wrong.pop()} for {metadata.num_rows} rows"
                )
            labels += found.get(label or "", (0, 0))[0]
    if rows != parquet.metadata.num_rows:
        raise DataError(
            f"Parquet: {printable(file)}: row groups must have as many rows as the file says. "
            f"Received: {rows} for {parquet.metadata.num_rows}"
        )
    if labels > MAX_LABELS:
        raise DataError(
            f"Parquet: {printable(file)}: labels must unpack to at most {MAX_LABELS} bytes. Received: {labels}"
        )


def check_parquet(file: Path) -> None:
    """Checks all columns of a file that another reader gets: it may give each value memory of its own.

    Args:
        file: The file.

    Raises:
        DataError: If it is damaged, or unpacks to too much.
    """
    import pyarrow.parquet

    with _whole(file):
        parquet = pyarrow.parquet.ParquetFile(file)
        names, most = [column.path for column in parquet.schema], MAX_RATIO * max(file.stat().st_size, 2**16)
        _check_sizes(parquet, names, None, file)
        metadata = [parquet.metadata.row_group(group) for group in range(parquet.num_row_groups)]
        columns = [(group.num_rows, group.column(n)) for group in metadata for n in range(group.num_columns)]
        with open(file, "rb") as stream:
            if sum(rows * _dictionary(stream, column) for rows, column in columns) <= most:
                return
        # Values may be repeated without end, or all be different: they are counted, each of them in memory once.
        texts = sorted({column.path_in_schema for _, column in columns if column.physical_type == "BYTE_ARRAY"})
        lengths = {column.path: max(column.length, 0) for column in parquet.schema}
        size = sum(rows * lengths[column.path_in_schema] for rows, column in columns)
        repeated = pyarrow.parquet.ParquetFile(file, read_dictionary=texts)
        for group in range(repeated.num_row_groups):
            size += sum(_length_of(column) for column in repeated.read_row_group(group, texts).columns) if texts else 0
        if size > most:
            raise DataError(
                f"Parquet: {printable(file)}: values must come to at most {MAX_RATIO} times the size of the file. "
                f"Received: {size} bytes in {file.stat().st_size}"
            )


def _dictionary(stream: BinaryIO, column: Any) -> int:
    """Bytes of the values that rows of a column may all refer to."""
    if not column.has_dictionary_page or column.dictionary_page_offset is None:
        return 0
    return first_unpacked(stream, column.dictionary_page_offset)


def _length_of(column: Any) -> int:
    """Bytes of all values of a column, those that are repeated as often as they are."""
    import pyarrow.compute as pc

    total, waiting = 0, list(column.chunks)
    while waiting:
        part = waiting.pop()
        if hasattr(part, "dictionary"):
            lengths = pc.binary_length(part.dictionary).take(part.indices)
            total += pc.sum(lengths).as_py() or 0
        elif hasattr(part, "field"):  # of structs
            waiting += [part.field(n) for n in range(part.type.num_fields)]
        elif hasattr(part, "values"):  # of lists
            waiting.append(part.values)
    return total


def _is_read(column: Any, names: list[str]) -> bool:
    return any(column.path_in_schema == name or column.path_in_schema.startswith(f"{name}.") for name in names)


def _unpacked(stream: BinaryIO, column: Any) -> tuple[int, int]:
    first = column.data_page_offset
    if column.has_dictionary_page and column.dictionary_page_offset is not None:
        first = min(first, column.dictionary_page_offset)
    return unpacked(stream, first, column.total_compressed_size)


def _labels_of(values: list, class_names: set[tuple[str, ...] | None]) -> tuple[tuple[str, ...] | None, np.ndarray]:
    """Names of classes, if there are any, and labels int64 (n,)."""
    if all(isinstance(value, str) for value in values):
        if not all(map(str.strip, values)):
            raise DataError("Parquet: labels must be whole numbers from 0, or names. Received: an empty text")
        check_names("Parquet", set(values))
        found = in_order(list(set(values)))
        numbers = {name: number for number, name in enumerate(found)}
        return tuple(found), np.array([numbers[value] for value in values])
    wrong = next((value for value in values if type(value) is not int or not 0 <= value < 2**31), None)
    if wrong is not None or None in values:
        raise DataError(f"Parquet: labels must be whole numbers from 0, or names. Received: {printable(str(wrong))}")
    if len(class_names) > 1:  # a number would be another class in another file
        raise DataError(
            "Parquet: every file must have the same names of classes, in the same order. "
            f"Received: {printable('; '.join(', '.join(names or ('none',)) for names in class_names))[:200]}"
        )
    (names,) = class_names
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
    if not names:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise DataError(f"Parquet: names of classes must be different texts. Received: {printable(names)[:200]}")
    return tuple(names)


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
