"""PyTorch's files from before 2020, and the small ones of the same form in NVIDIA's pickles.

Five pickles follow each other: a magic number, a version, what the machine was, the object, and the keys of the
storages. Then comes each storage: how many numbers, in eight bytes, and the numbers.
"""

import io
from typing import Any

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.torch_files.allowed_names import ALLOWED, OF_STORAGES
from tfgantl.untrusted.torch_files.limits import Bounded, Budget
from tfgantl.untrusted.torch_files.notes import Persistent
from tfgantl.untrusted.torch_files.pickles import read_pickle
from tfgantl.untrusted.torch_files.tensors import ReadStorage, Storage, stored

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
COUNT = 8  # bytes
PREFIX = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # the magic number, in protocol 2
NOTHING: frozenset[str] = frozenset()


def read_legacy(stream: Bounded, where: str, budget: Budget, nested: bool = False) -> tuple[Any, ReadStorage]:
    """Reads a file from its second pickle on.

    Args:
        stream: Behind the magic number.
        where: Name of the file for messages.
        budget: Instructions of pickles that may be followed.
        nested: Whether it is one storage, packed into another file.

    Returns:
        The object, as `read_pickle` gives it, and what reads the bytes of its storages.

    Raises:
        ArtifactError: If it names what is not allowed, or was written on a machine of another kind.
        ValueError: If it is damaged.
    """
    version = read_pickle(stream, where, budget, NOTHING)
    machine = read_pickle(stream, where, budget, NOTHING)
    if type(version) is not int or version != VERSION or type(machine) is not dict:
        raise ValueError("another version of the format than 1001")
    if machine.get("little_endian") is not True:
        raise ArtifactError(f"{where}: numbers must be little-endian. Received: big-endian ones")
    used: list[Persistent] = []
    found = read_pickle(stream, where, budget, OF_STORAGES if nested else ALLOWED, used)
    keys = read_pickle(stream, where, budget, NOTHING)
    if type(keys) is not list or any(type(key) is not str for key in keys) or len(set(keys)) != len(keys):
        raise ValueError("storages without a key each")
    return found, _reader(stream, keys, used)


def nested_storage(content: bytes, where: str, budget: Budget) -> Storage:
    """The storage that is packed into bytes.

    Args:
        content: A file of one storage.
        where: Name of the file that it is in, for messages.
        budget: Instructions of pickles that may be followed.

    Raises:
        ArtifactError: If it names what is not allowed.
        ValueError: If it is damaged, or holds anything but a storage.
    """
    stream = Bounded(io.BytesIO(content), len(content))
    if read_pickle(stream, where, budget, NOTHING) != MAGIC:
        raise ValueError("bytes that are no storage")
    found, read = read_legacy(stream, where, budget, nested=True)
    if type(found) is not Persistent:
        raise ValueError("bytes that hold something else than a storage")
    return stored(found)._replace(read=read)


def _reader(stream: Bounded, keys: list[str], used: list[Persistent]) -> ReadStorage:
    """Finds where the numbers of each storage begin: they follow each other, and their types tell how long each is."""
    sizes: dict[str, int] = {}
    for found in used:
        storage = stored(found)
        if sizes.setdefault(storage.key, storage.size) != storage.size:
            raise ValueError("a storage of two sizes")
    if sorted(sizes) != sorted(keys):
        raise ValueError("other storages than those of the tensors")
    places: dict[str, int] = {}
    for key in keys:
        count = int.from_bytes(stream.read(COUNT), "little", signed=True)
        places[key] = stream.tell()
        if sizes[key] % (count or 1) or sizes[key] // (count or 1) not in ((1, 2, 4, 8, 16) if count else (0,)):
            raise ValueError(f"a storage of {count} numbers in {sizes[key]} bytes")
        stream.skip(sizes[key])

    def read(key: str, size: int) -> bytes:
        if sizes.get(key) != size:
            raise ValueError("a storage of another size than it was")
        stream.stream.seek(places[key])
        return stream.read(size)

    return read
