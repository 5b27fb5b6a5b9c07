"""PyTorch's files since 2020: a zip archive of one pickle, and a member for each storage, none of them packed."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfgantl.errors import ArtifactError
from tfgantl.printing import printable
from tfgantl.untrusted.archives import check_members
from tfgantl.untrusted.torch_files.limits import Bounded, Budget
from tfgantl.untrusted.torch_files.notes import Persistent
from tfgantl.untrusted.torch_files.pickles import read_pickle
from tfgantl.untrusted.torch_files.tensors import ReadStorage

MAX_PICKLE = 2**26  # bytes; those of large networks have a megabyte
MAX_DIRECTORY = 2**22  # bytes of the list of members; 100 for each tensor
CHUNK = 2**20
SIGNS = {  # members that tell what else an archive is
    "constants.pkl": "TorchScript, which is a program",
    "model.json": "an exported program of PyTorch",
    "config.json": "a .keras file, which must have this suffix",
    "word/document.xml": "a document",
}


class BoundedFile(io.FileIO):
    """A file of which so much is read at once as the list of members may have, whatever the archive claims."""

    def read(self, count: int | None = -1) -> bytes:
        here = self.tell()
        left = max(0, self.seek(0, io.SEEK_END) - here)
        self.seek(here)
        count = left if count is None or count < 0 else min(count, left)
        if count > MAX_DIRECTORY:
            raise ValueError(f"a list of members of {count} bytes")
        return super().read(count) or b""


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Context manager with an archive; what its members claim is compared with the size of the file first.

    Args:
        path: A file that begins as an archive does.

    Raises:
        ArtifactError: If its end is missing, or names in it are not unique or lead out of it.
        ValueError: If it is damaged.
    """
    with BoundedFile(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            if "not a zip file" not in str(error):
                raise
            raise ArtifactError(
                f"{path}: must be whole. Received: the beginning of an archive without its end; was a download cut off?"
            ) from error
        with archive:
            check_members(archive, path)
            yield archive


def read_zip(archive: zipfile.ZipFile, path: Path, budget: Budget) -> tuple[Any, ReadStorage]:
    """Reads the pickle of a file of PyTorch.

    Args:
        archive: Of `open_zip`.
        path: For messages.
        budget: Instructions of pickles that may be followed.

    Returns:
        The object, as `read_pickle` gives it, and what reads the bytes of its storages and compares their checksums.

    Raises:
        ArtifactError: If it is no file of PyTorch, or is TorchScript, or names what is not allowed.
        ValueError: If it is damaged.
    """
    members = {member.filename: member for member in archive.infolist()}
    inner = [name.partition("/")[2] for name in members]
    if sign := next((kind for name, kind in SIGNS.items() if name in inner or name in members), None):
        raise ArtifactError(f"{path}: must hold the `state_dict()` of a network. Received: {sign}")
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        some = printable(", ".join(list(members)[:3]))[:100] or "no member"
        raise ArtifactError(f"{path}: must hold one NAME/data.pkl, as files of PyTorch do. Received: {some}")
    _check_stored(members, path)
    top = pickles[0].removesuffix("data.pkl")
    if (order := _read(archive, f"{top}byteorder") if f"{top}byteorder" in members else b"little") != b"little":
        raise ArtifactError(f"{path}: numbers must be little-endian. Received: {order[:20]!r}")
    if (size := members[pickles[0]].file_size) > MAX_PICKLE:
        raise ArtifactError(f"{path}: data.pkl must have at most {MAX_PICKLE} bytes. Received: {size}")
    content = _read(archive, pickles[0])
    storages: list[Persistent] = []
    found = read_pickle(Bounded(io.BytesIO(content), len(content)), str(path), budget, storages=storages)

    def read(key: str, size: int) -> bytearray:
        member = members.get(f"{top}data/{key}")
        if member is None or member.file_size != size:
            there = "none" if member is None else f"one of {member.file_size}"
            raise ValueError(f"{there} in place of a storage of {size} bytes, data/{printable(key)[:40]}")
        return _read(archive, member.filename)

    return found, read


def _check_stored(members: dict[str, zipfile.ZipInfo], path: Path) -> None:
    """Refuses members that would unpack to more than they are: those of PyTorch are stored as they are."""
    for name, member in members.items():
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise ArtifactError(
                f"{path}: must be stored without compression, as PyTorch does. Received: {printable(name)}, packed"
            )
    total = sum(member.file_size for member in members.values())
    if total > path.stat().st_size:
        raise ArtifactError(f"{path}: must hold what its members claim. Received: {total} bytes in a smaller file")


def _read(archive: zipfile.ZipFile, name: str) -> bytearray:
    """A member, whose checksum is compared at its end."""
    content = bytearray(archive.getinfo(name).file_size)
    place = 0
    try:
        with archive.open(name) as file:
            while chunk := file.read(CHUNK):
                content[place : place + len(chunk)] = chunk
                place += len(chunk)
    except zipfile.BadZipFile as error:
        if archive.getinfo(name).CRC:
            raise
        raise ValueError(f"{printable(name)} without a checksum, which PyTorch can be told to leave out") from error
    if place != len(content):
        raise ValueError(f"{printable(name)} of {place} bytes in place of {len(content)}")
    return content
