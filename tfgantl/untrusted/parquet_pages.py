"""What the pages of a column of a Parquet file unpack to, by the headers that a reader goes by.

The sizes and counts in the footer are for planning: a reader takes as much memory as each page says that it needs.

Reference:
    https://parquet.apache.org/docs/file-format/data-pages/ and
    https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import BinaryIO

from tfgantl.errors import DataError

WINDOW, MAX_HEADER = 2**10, 2**22  # bytes that are read for a header at first, and at most
MAX_DEPTH = 8
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
UNPACKED, PACKED, DATA, DATA_V2 = 2, 3, 5, 8  # fields of a header of a page; of the last two, the first is a count


def unpacked(file: BinaryIO, start: int, length: int) -> tuple[int, int]:
    """Bytes that the pages of a column chunk unpack to, and how many values they have.

    Args:
        file: The Parquet file.
        start: Of the first page.
        length: Of all pages, packed, with their headers.

    Raises:
        DataError: If a header is damaged, or a page ends elsewhere.
    """
    total, values, offset, end = 0, 0, start, start + length
    while offset < end:
        header, fields = _header(file, offset)
        size, packed = fields.get(UNPACKED, -1), fields.get(PACKED, -1)
        if size < 0 or packed < 0 or offset + header + packed > end:
            raise DataError(f"pages must have their sizes. Received: {packed} bytes that unpack to {size}")
        total += size
        values += max(fields.get(DATA, 0), fields.get(DATA_V2, 0))
        offset += header + packed
    return total, values


def first_unpacked(file: BinaryIO, start: int) -> int:
    """Bytes that the page at a place unpacks to.

    Raises:
        DataError: If its header is damaged.
    """
    size = _header(file, start)[1].get(UNPACKED, -1)
    if size < 0:
        raise DataError("pages must have their sizes. Received: none")
    return size


def _header(file: BinaryIO, offset: int) -> tuple[int, dict[int, int]]:
    """Length of a header, and its fields that are numbers, or structs that begin with one."""
    size = WINDOW
    while True:
        file.seek(offset)
        reader = _Compact(file.read(size))
        try:
            fields = reader.struct()
            return reader.place, fields
        except IndexError:  # it goes on behind what was read
            if size >= MAX_HEADER or len(reader.content) < size:
                raise DataError(f"pages must have a header of at most {MAX_HEADER} bytes. Received: another") from None
            size *= 8


class _Compact:
    """Reads Thrift's compact protocol, as far as it takes to pass over what is not asked for."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def struct(self, depth: int = 0) -> dict[int, int]:
        """Fields that are numbers, or structs whose first field is one, by their identifiers."""
        found, number = {}, 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            value = self._value(kind & 15, depth)
            if value is not None:
                found[number] = value
        return found

    def _value(self, kind: int, depth: int) -> int | None:
        """A whole number, or that which a struct begins with; `None` for anything else, which is passed over."""
        if depth > MAX_DEPTH:
            raise DataError(f"headers of pages must be nested at most {MAX_DEPTH} times. Received: more")
        if kind in (I16, I32, I64):
            return self._signed()
        if kind == BYTE:
            self._pass(1)
        elif kind == DOUBLE:
            self._pass(8)
        elif kind == BINARY:
            self._pass(self._unsigned())
        elif kind in (LIST, SET):
            size = self._byte()
            self._pass_all(self._unsigned() if size >> 4 == 15 else size >> 4, [size & 15], depth)
        elif kind == MAP:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            self._pass_all(count, [kinds >> 4, kinds & 15], depth)
        elif kind == STRUCT:
            return self.struct(depth + 1).get(1)
        elif kind not in (TRUE, FALSE):
            raise DataError(f"headers of pages must be of Thrift's compact protocol. Received: a field of type {kind}")
        return None

    def _pass_all(self, count: int, kinds: list[int], depth: int) -> None:
        for _ in range(count):
            for kind in kinds:
                if kind in (TRUE, FALSE):  # a byte each, where they are in no struct
                    self._pass(1)
                else:
                    self._value(kind, depth + 1)

    def _byte(self) -> int:
        self.place += 1
        return self.content[self.place - 1]

    def _pass(self, count: int) -> None:
        self.place += count
        if self.place > len(self.content):
            raise IndexError(count)

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise DataError("headers of pages must have numbers of at most 64 bits. Received: a longer one")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
