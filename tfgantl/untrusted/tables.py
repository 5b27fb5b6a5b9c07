"""Tables in the format of LevelDB, which the index of a checkpoint is: read strictly, and written in one form only.

TensorFlow's own reader searches a block by its restarts, takes integers of 32 bits where it may find more, and follows
handles wherever they lead; another reader sees other entries in the same file. So no foreign table is handed on: what
is read here, in its order, is written anew, and there is one way to read that.
"""

import struct
from itertools import accumulate

FOOTER, MAGIC = 48, 0xDB4775248B80FB57
TRAILER = 5  # of a block: how it is packed, which TensorFlow never does, and a checksum
POLYNOMIAL = 0x82F63B78  # of CRC-32C
MAX_KEY = 2**12  # bytes: a name, with those of all that it is in
MAX_UNPACKED = 2**24  # bytes of all keys and values: keys share what they begin with
MAX_BYTES = 2**22  # of a table; one entry of a checkpoint has about a hundred
Items = list[tuple[bytes, bytes]]


def check_length(size: int) -> None:
    """Raises `ValueError` for a table that is too long to be read."""
    if size > MAX_BYTES:
        raise ValueError(f"an index of {size} bytes, which may have {MAX_BYTES}")


def read_table(table: bytes) -> Items:
    """Keys and values, in the order of the keys.

    Raises:
        ValueError: If it is damaged, or not as TensorFlow writes it: its parts one behind the other, each key once.
        Exception: Whatever else is met first in a damaged table.
    """
    check_length(len(table))
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError("the index is no table")
    footer = len(table) - FOOTER
    about, size, position = _handle(table, footer)
    listed, listed_size, _ = _handle(table, position)
    items: Items = []
    end = unpacked = 0
    for _, where in _items(table, listed, listed_size):
        offset, length, _ = _handle(where, 0)
        if offset != end:  # also of a block that is named twice
            raise ValueError("blocks of the index that are not one behind the other")
        some = _items(table, offset, length)
        items += some
        unpacked += sum(len(key) + len(value) for key, value in some)
        if unpacked > MAX_UNPACKED:
            raise ValueError(f"an index that unpacks to more than {MAX_UNPACKED} bytes")
        end = offset + length + TRAILER
    if (about, listed, footer) != (end, about + size + TRAILER, listed + listed_size + TRAILER):
        raise ValueError("the index holds bytes of nothing")
    if any(one >= other for (one, _), (other, _) in zip(items, items[1:], strict=False)):
        raise ValueError("keys of the index that are not in order")
    return items


def write_table(items: Items) -> bytes:
    """One block, where every key is written in full, and is a restart: searched or read in order, it is the same."""
    data = _stored(_block(items))
    about = _stored(_block([]))
    handles = [_number(offset) + _number(size - TRAILER) for offset, size in ((0, len(data)), (len(data), len(about)))]
    listed = _stored(_block([(items[-1][0], handles[0])] if items else []))
    last = _number(len(data) + len(about)) + _number(len(listed) - TRAILER)
    return data + about + listed + (handles[1] + last).ljust(FOOTER - 8, b"\0") + struct.pack("<Q", MAGIC)


def read_number(data: bytes, position: int) -> tuple[int, int]:
    """An integer of at most 32 bits, in groups of seven, and where what follows it begins."""
    value = 0
    for shift in range(0, 35, 7):
        byte = data[position]
        value, position = value | (byte & 0x7F) << shift, position + 1
        if byte < 0x80 and value < 2**32:
            return value, position
    raise ValueError("a length of more than 32 bits")


def checksum(data: bytes) -> int:
    """CRC-32C, masked as LevelDB stores it, so that checksums of checksums are none."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _items(table: bytes, offset: int, size: int) -> Items:
    """Keys and values of a block; a key is stored as its difference from the one before."""
    block, trailer = table[offset : offset + size], table[offset + size : offset + size + TRAILER]
    if len(trailer) != TRAILER or trailer[0] or struct.unpack("<I", trailer[1:])[0] != checksum(block + trailer[:1]):
        raise ValueError("a block of the index that is packed, or whose checksum is wrong")
    count = struct.unpack("<I", block[-4:])[0]
    position, end, key, unpacked = 0, size - 4 * (count + 1), b"", 0
    restarts = set(struct.unpack(f"<{count}I", block[end:-4])) if end >= 0 else {-1}
    items: Items = []
    while position < end:
        start = position
        shared, position = read_number(block, position)
        own, position = read_number(block, position)
        length, position = read_number(block, position)
        if shared > len(key) or (shared and start in restarts):
            raise ValueError("a key of the index that is not whole")
        restarts.discard(start)
        key = key[:shared] + block[position : position + own]
        unpacked += len(key) + length
        if len(key) > MAX_KEY or unpacked > MAX_UNPACKED:
            raise ValueError(f"keys of the index of {len(key)} bytes, {unpacked} in all")
        items.append((key, block[position + own : position + own + length]))
        position += own + length
    if position != end or restarts - {0}:
        raise ValueError("entries of the index that do not begin where it says")
    return items


def _handle(data: bytes, position: int) -> tuple[int, int, int]:
    """Offset and size of a block, and where what follows them begins."""
    offset, position = read_number(data, position)
    size, position = read_number(data, position)
    return offset, size, position


def _block(items: Items) -> bytes:
    parts = [_number(0) + _number(len(key)) + _number(len(value)) + key + value for key, value in items]
    restarts = [0, *accumulate(map(len, parts[:-1]))]
    return b"".join(parts) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def _stored(block: bytes) -> bytes:
    return block + b"\0" + struct.pack("<I", checksum(block + b"\0"))


def _number(value: int) -> bytes:
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]
