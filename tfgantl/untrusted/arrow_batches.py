"""What a batch of rows in an Arrow stream claims: rows that take no room, and buffers that unpack to more.

Reference:
    https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

import struct

MAX_METADATA = 2**24  # bytes
BATCH, DICTIONARY = 3, 2  # kinds of messages, in Message.fbs
KIND, HEADER = 1, 2  # fields of a message
LENGTH, COMPRESSION = 0, 3  # fields of a batch
BATCH_OF_DICTIONARY = 1  # field of a dictionary


def check_batch(metadata: bytes, body: int) -> None:
    """Refuses a message of an Arrow stream that would take far more memory than the file.

    Args:
        metadata: The message without its body, a flatbuffer.
        body: Bytes of its buffers.

    Raises:
        ValueError: If its buffers are packed, or it has more rows than bytes, or it is damaged.
    """
    if len(metadata) > MAX_METADATA:
        raise ValueError(f"a header of {len(metadata)} bytes")
    try:
        message = _follow(metadata, 0)
        kind = metadata[place] if (place := _field(metadata, message, KIND)) else 0
        header = _field(metadata, message, HEADER)
        if kind not in (BATCH, DICTIONARY) or not header:
            raise ValueError(f"a message of kind {kind} between rows")
        batch = _follow(metadata, header)
        if kind == DICTIONARY:
            batch = _follow(metadata, _field(metadata, batch, BATCH_OF_DICTIONARY))
        rows = _number("<q", metadata, place) if (place := _field(metadata, batch, LENGTH)) else 0
    except (struct.error, IndexError) as error:
        raise ValueError("a damaged header of rows") from error
    if _field(metadata, batch, COMPRESSION):
        raise ValueError("packed rows")
    if not 0 <= rows <= body:
        raise ValueError(f"{rows} rows in {body} bytes")


def _follow(content: bytes, place: int) -> int:
    """Where the table is that an offset leads to."""
    return place + _number("<I", content, place)


def _field(content: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 if it is not there."""
    known = table - _number("<i", content, table)
    if known < 0:
        raise IndexError
    where = 4 + 2 * number
    offset = _number("<H", content, known + where) if where < _number("<H", content, known) else 0
    return table + offset if offset else 0


def _number(form: str, content: bytes, place: int) -> int:
    return struct.unpack_from(form, content, place)[0]
