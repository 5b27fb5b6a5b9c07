"""Checkpoints: TensorFlow would make room for whatever the index, or the length before a string, claims.

A checkpoint is therefore never read where it is. Its index is read here, each entry is compared with what is stored,
and the entries are written into an index of one form (see `tables`), beside links to the files with the numbers. What
was looked at is what TensorFlow reads: there is no second way to read that index.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from tfgantl.regular_files import read_regular
from tfgantl.untrusted.tables import MAX_BYTES, Items, check_length, checksum, read_number, read_table, write_table

if TYPE_CHECKING:
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

MAX_STRING = 2**24  # bytes of a string that is read here
MAX_STRINGS = 2**20  # of a checkpoint; each takes a byte in the file, and 24 in memory
MAX_RANK, MAX_COUNT = 254, 2**62  # TensorFlow ends the process where a shape has more


class Checkpoint:
    """What a checkpoint holds, after everything has been compared with the files.

    Args:
        prefix: The checkpoint, without the ends of the names of its files.

    Attributes:
        entries: Name → where it is stored.

    Raises:
        ValueError: If something claims to be larger than it is, overlaps, or is neither numbers nor strings.
        Exception: Whatever else is met first in a damaged index.
    """

    def __init__(self, prefix: Path):
        from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto

        index = Path(f"{prefix}.index")
        check_length(index.stat().st_size)  # before it is read
        (key, value), *others = read_table(read_regular(index, MAX_BYTES))
        self._prefix, self._header = prefix, BundleHeaderProto.FromString(value)
        if key or self._header.endianness != BundleHeaderProto.LITTLE:
            raise ValueError("an index without a header, or for another kind of processor")
        self.entries = {key: BundleEntryProto.FromString(value) for key, value in others}
        for name, entry in self.entries.items():
            self._check(name.decode(errors="replace"), entry)
        _check_overlaps(self.entries.values())  # before strings are looked at one by one
        strings = {n: e for n, e in self.entries.items() if e.dtype == tf.string.as_datatype_enum}
        if (count := sum(prod(_sides(entry)) for entry in strings.values())) > MAX_STRINGS:
            raise ValueError(f"{count} strings, of which there may be {MAX_STRINGS}")
        for name, entry in strings.items():
            self._check_lengths(name.decode(errors="replace"), entry)

    def copy(self, folder: Path) -> Path:
        """Writes the index anew, beside links to the other files.

        Returns:
            The prefix of the copy.
        """
        items: Items = [(b"", _known(self._header))]
        items += [(key, _known(entry)) for key, entry in self.entries.items()]
        (folder / f"{self._prefix.name}.index").write_bytes(write_table(items))
        for shard in sorted({entry.shard_id for entry in self.entries.values()}):
            file = self._file(shard).absolute()
            (folder / file.name).symlink_to(file)
        return folder / self._prefix.name

    def read_string(self, key: str) -> bytes:
        """Reads one string, and compares its checksum.

        Raises:
            ValueError: If it is damaged, is no single string, or long.
            KeyError: If there is none.
        """
        entry = self.entries[key.encode()]
        if entry.shape.dim or entry.dtype != tf.string.as_datatype_enum:
            raise ValueError(f"{key} is not one string")
        if entry.size > MAX_STRING:
            raise ValueError(f"{key} has more than {MAX_STRING} bytes")
        stored = self._stored(entry)
        length, start = read_number(stored, 0)
        checked = struct.pack("<I", length) + stored[start:]  # the length, its checksum, the string
        if checksum(checked) != entry.crc32c:
            raise ValueError(f"a checksum of {key} that is wrong")
        return stored[start + 4 :]

    def _check(self, name: str, entry: BundleEntryProto) -> None:
        """Compares what an entry claims with the files, but for the lengths of strings."""
        if entry.slices:
            raise ValueError(f"{name} must be stored as a whole, and is in {len(entry.slices)} slices")
        sides = _sides(entry)
        if len(sides) > MAX_RANK or min(sides, default=0) < 0 or prod(max(side, 1) for side in sides) > MAX_COUNT:
            raise ValueError(f"{name} has a shape that no tensor has")
        if not 0 <= entry.shard_id < self._header.num_shards or entry.shape.unknown_rank:
            raise ValueError(f"{name} is said to be nowhere")
        if not self._file(entry.shard_id).is_file():  # a pipe would keep whoever opens it
            raise ValueError(f"{name} must be in a regular file")
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > self._file(entry.shard_id).stat().st_size:
            raise ValueError(f"{name} claims to have {entry.size} bytes, which are not in the files")
        count, dtype = prod(sides), tf.as_dtype(entry.dtype)
        if dtype == tf.string:
            if count > entry.size:  # each has a length
                raise ValueError(f"{name} claims to have {count} strings in {entry.size} bytes")
        elif dtype._is_ref_dtype or not (dtype.is_floating or dtype.is_integer or dtype.is_complex or dtype.is_bool):
            raise ValueError(f"{name} must hold numbers or strings, and holds {dtype.name}")
        elif entry.size != count * dtype.size:
            raise ValueError(f"{name} claims to have {count * dtype.size} bytes, and has {entry.size}")

    def _check_lengths(self, name: str, entry: BundleEntryProto) -> None:
        """The lengths of all strings come first, then a checksum of these, then the strings."""
        stored, count = self._stored(entry), prod(_sides(entry))
        length, position = 0, 0
        for _ in range(count):
            one, position = read_number(stored, position)
            length += one
        if position + 4 + length != entry.size:
            raise ValueError(f"{name} claims to have {count} strings of {length} bytes")

    def _stored(self, entry: BundleEntryProto) -> bytes:
        with open(self._file(entry.shard_id), "rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size)

    def _file(self, shard: int) -> Path:
        """The one that TensorFlow would open."""
        return Path(f"{self._prefix}.data-{shard:05d}-of-{self._header.num_shards:05d}")


def copy_checkpoint(prefix: Path, folder: Path) -> Path | None:
    """Looks at a checkpoint, and copies it so that TensorFlow reads what was looked at.

    Args:
        prefix: The checkpoint, without the ends of the names of its files.
        folder: Where the copy is to be.

    Returns:
        The prefix of the copy; `None` if there is no checkpoint.

    Raises:
        ValueError: If something claims to be larger than it is, overlaps, or is neither numbers nor strings.
        Exception: Whatever else is met first in a damaged index.
    """
    return Checkpoint(prefix).copy(folder) if Path(f"{prefix}.index").is_file() else None


def _sides(entry: BundleEntryProto) -> list[int]:
    return [dim.size for dim in entry.shape.dim]


def _check_overlaps(entries: Iterable[BundleEntryProto]) -> None:
    """Refuses bytes that belong to two entries: a few would stand for as much as there are entries."""
    end = (0, 0)
    for shard, offset, size in sorted((e.shard_id, e.offset, e.size) for e in entries if e.size):
        if (shard, offset) < end:
            raise ValueError("two entries of the index that claim the same bytes")
        end = (shard, offset + size)


def _known(message: BundleEntryProto) -> bytes:
    """A message without what Python does not know of it, in one of the ways in which it can be written."""
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)
