"""Strings of checkpoints: TensorFlow would make room for as many bytes as the length before one claims."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

FOOTER, MAGIC = 48, 0xDB4775248B80FB57  # of the table that the index is, in the format of LevelDB
STRING = 7  # type of a tensor
POLYNOMIAL = 0x82F63B78  # of CRC-32C


def read_string(prefix: Path, key: str) -> bytes:
    """Reads one string of a checkpoint, and compares its checksum.

    Args:
        prefix: The checkpoint, without the ends of the names of its files.
        key: Name of the string.

    Raises:
        ValueError: If it is damaged, is no single string, or claims to be longer than it is.
        Exception: Whatever else is met first in a damaged index.
    """
    entry = _entry(Path(f"{prefix}.index").read_bytes(), key.encode())
    if entry.shape.dim:
        raise ValueError(f"{key} is not one string")
    (file,) = prefix.parent.glob(f"{prefix.name}.data-{entry.shard_id:05d}-of-*")
    with open(file, "rb") as stream:
        stream.seek(entry.offset)
        stored = stream.read(min(entry.size, file.stat().st_size))
    length, start = _varint(stored, 0)
    if length != len(stored) - start - 4:
        raise ValueError(f"{key} claims to have {length} bytes")
    checked = struct.pack("<I", length) + stored[start:]  # the length, its checksum, the string
    if _masked(_crc32c(checked)) != entry.crc32c:
        raise ValueError(f"a checksum of {key} that is wrong")
    return stored[start + 4 :]


def check_strings(prefix: Path) -> None:
    """Compares the lengths of all strings of a checkpoint with what is stored.

    Args:
        prefix: The checkpoint, without the ends of the names of its files; nothing is done if there is none.

    Raises:
        ValueError: If one claims to be longer than it is.
        Exception: Whatever else is met first in a damaged index.
    """
    index = Path(f"{prefix}.index")
    for key, entry in _entries(index.read_bytes()) if index.is_file() else ():
        if entry.dtype == STRING:
            (file,) = prefix.parent.glob(f"{prefix.name}.data-{entry.shard_id:05d}-of-*")
            with open(file, "rb") as stream:
                stream.seek(entry.offset)
                stored = stream.read(min(entry.size, file.stat().st_size))
            count, length, position = prod(dim.size for dim in entry.shape.dim), 0, 0
            for _ in range(count if count <= len(stored) else 0):
                one, position = _varint(stored, position)
                length += one
            if count > len(stored) or position + 4 + length != len(stored):
                raise ValueError(f"{key.decode(errors='replace')} claims to have {count} strings of {length} bytes")


def _entry(index: bytes, key: bytes) -> BundleEntryProto:
    """Where something is stored."""
    for name, entry in _entries(index):
        if name == key:
            return entry
    raise ValueError(f"{key.decode()} is not in the index")


def _entries(index: bytes) -> Iterator[tuple[bytes, BundleEntryProto]]:
    """Where everything is stored."""
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

    if len(index) < FOOTER or struct.unpack("<Q", index[-8:])[0] != MAGIC:
        raise ValueError("the index is no table")
    _, _, handle = _handle(index, len(index) - FOOTER)  # of blocks about blocks, which there are none of
    for _, where in _items(index, *_handle(index, handle)[:2]):
        offset, size, _ = _handle(where, 0)
        yield from ((name, BundleEntryProto.FromString(value)) for name, value in _items(index, offset, size) if name)


def _items(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; a key is stored as its difference from the one before."""
    if index[offset + size]:
        raise ValueError("the index is compressed")  # TensorFlow never does
    block = index[offset : offset + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    position, end, key = 0, size - 4 * (restarts + 1), b""
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + length]
        position += length


def _handle(data: bytes, position: int) -> tuple[int, int, int]:
    """Offset and size of a block, and where what follows them begins."""
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return offset, size, position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """An integer in groups of seven bits, and where what follows it begins."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[position]
        value, position = value | (byte & 0x7F) << shift, position + 1
        if byte < 0x80:
            break
    return value, position


def _crc32c(data: bytes) -> int:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    """As LevelDB stores it, so that checksums of checksums are none."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
