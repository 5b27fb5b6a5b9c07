"""What the chunks of a Riegeli file, as ArrayRecord writes them, say that they unpack to.

A chunk is unpacked as a whole, and brotli makes a gigabyte of a kilobyte. The library makes room for what a chunk
claims, and reads no more than that.

Reference:
    https://github.com/google/riegeli/blob/master/doc/riegeli_records_file_format.md
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

BLOCK, BLOCK_HEADER = 2**16, 24  # bytes: at the beginning of each block, a header interrupts whatever lies there
CHUNK_HEADER = struct.Struct("<5Q")  # hash, packed size, hash, kind and number of records, unpacked size
SIGNATURE = ord("s")  # kind of the first chunk of a file
MAX_CHUNK = 2**31  # bytes, unpacked
MAX_RATIO = 1000  # unpacked to packed
LEAST = 2**16  # bytes that a chunk counts as, at least


def check_chunks(path: Path) -> int:
    """Refuses a file of which a chunk would unpack to far more than it has, and one that two were put together to.

    Args:
        path: The file.

    Returns:
        Bytes that the largest chunk unpacks to.

    Raises:
        ValueError: If one would, or is not whole, or all together would.
    """
    size, position = path.stat().st_size, 0
    largest = total = 0
    with open(path, "rb") as file:
        while position < size:
            content = _read(file, position, CHUNK_HEADER.size)
            _, packed, _, kind_and_records, unpacked = CHUNK_HEADER.unpack(content)
            if unpacked > min(MAX_CHUNK, MAX_RATIO * max(packed, LEAST)):
                raise ValueError(f"a chunk of {packed} bytes that unpacks to {unpacked}")
            largest, total = max(largest, unpacked), total + unpacked
            if total > MAX_RATIO * max(size, LEAST):
                raise ValueError(f"chunks of {size} bytes that unpack to {total} and more")
            end = _behind(_behind(position, CHUNK_HEADER.size), packed)
            if position and kind_and_records % 256 == SIGNATURE:  # places in its footer are those of the file it was
                raise ValueError(f"another file that begins at byte {position}")
            if end > size:
                raise ValueError(f"a chunk of {packed} bytes, {size - position} left")
            # Every record has a place of its own, be it empty.
            place = position + (kind_and_records >> 8)
            position = max(end, place + max(0, BLOCK_HEADER - place % BLOCK) if place % BLOCK else place)
    return largest


def _read(file: BinaryIO, position: int, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        position += BLOCK_HEADER if position % BLOCK == 0 else 0
        file.seek(position)
        part = file.read(min(count - len(parts), BLOCK - position % BLOCK))
        if not part:
            raise ValueError(f"an end within the header of a chunk, at byte {os.fstat(file.fileno()).st_size}")
        parts, position = parts + part, position + len(part)
    return parts


def _behind(position: int, count: int) -> int:
    """Where `count` bytes end that begin at a position, with the headers of blocks that lie between."""
    if not count:
        return position
    position += BLOCK_HEADER if position % BLOCK == 0 else 0
    room = BLOCK - position % BLOCK
    if count <= room:
        return position + count
    blocks, rest = divmod(count - room - 1, BLOCK - BLOCK_HEADER)
    return position + room + blocks * BLOCK + BLOCK_HEADER + rest + 1
