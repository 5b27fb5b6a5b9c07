"""Zip and `.npz` archives: sizes, names and checksums are checked before anything is unpacked."""

import hashlib
import os
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from numpy.lib import format as npy

from tfgantl.errors import ArtifactError, intact
from tfgantl.printing import printable

MAX_BYTES = 8 * 2**30  # of one file, unpacked
MAX_RATIO = 1000  # unpacked to packed; weights hardly compress
ENCRYPTED = 1  # among the flags of a member
FRAME = 30  # bytes before a member, without its name
END, END_SIGN, MAX_COMMENT = 22, b"PK\5\6", 2**16  # the record at the end, which a comment may follow
LARGE_END, NO_COUNT = 76, 2**16 - 1  # what is ahead of it in large archives, which have their count there
MIN_BYTES = 2**16  # smaller files may unpack as if they had this size


def read_npz(path: Path, floats: type[np.floating] = np.float32) -> dict[str, np.ndarray]:
    """Reads all arrays of an archive, in their order; Python objects are refused.

    Args:
        path: The archive.
        floats: What floating point numbers of any precision become.

    Raises:
        ArtifactError: If the file is missing, damaged, holds anything but arrays of numbers, or is too large.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be an .npz archive. Received: no such file")
    check_digest(path)
    with intact(f"{path}: must be an intact .npz archive"):
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            return {name.removesuffix(".npy"): _read_npy(archive, name, path, floats) for name in archive.namelist()}


def check_digest(path: Path) -> None:
    """Compares a file with the hash beside it, `FILE.sha256` as `sha256sum` writes it, if there is one.

    Raises:
        ArtifactError: If it is not the file that was hashed.
    """
    beside = path.with_name(path.name + ".sha256")
    if not beside.is_file():
        return
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    with open(beside, "rb") as file:
        wanted = file.read(64).decode("ascii", "replace").lower()
    if found != wanted:
        raise ArtifactError(f"{path}: must have the SHA-256 {wanted} of {beside.name}. Received: {found}")


def check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Raises `ArtifactError` if an archive would unpack to too much, has names twice or outside of it, or lost some.

    Sizes are what the archive says. For them to hold, members must be packed by what unpacks no more than it is asked
    for, and no two may be made of the same bytes.
    """
    members = archive.infolist()
    if (count := _stated_count(archive)) not in (len(members), len(members) % NO_COUNT):
        raise ArtifactError(f"{path}: must list the {count} members that its end states. Received: {len(members)}")
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArtifactError(
                f"{path}: members must be stored or deflated. Received: {printable(member.filename)}, packed by method "
                f"{member.compress_type}"
            )
        if member.flag_bits & ENCRYPTED:
            raise ArtifactError(
                f"{path}: members must not be encrypted. Received: {printable(member.filename)}, which is"
            )
    in_order = sorted(members, key=lambda member: member.header_offset)
    for member, after in pairwise(in_order):
        if member.header_offset + FRAME + member.compress_size > after.header_offset:
            both = f"{printable(member.filename)} and {printable(after.filename)}"
            raise ArtifactError(f"{path}: members must not overlap. Received: {both}")
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > (most := min(MAX_BYTES, MAX_RATIO * max(packed, MIN_BYTES))):
        raise ArtifactError(
            f"{path}: must unpack to at most {MAX_BYTES} bytes, and {MAX_RATIO} times what it has ({most}). "
            f"Received: {total} from {packed}"
        )
    names = Counter(member.filename.removesuffix(".npy") for member in members)  # as NumPy names what is in an `.npz`
    if twice := [name for name, uses in names.items() if uses > 1]:  # readers would differ in which one they take
        raise ArtifactError(f"{path}: names in the archive must be unique. Received: {twice[0]} twice")
    for member in members:
        if member.filename.startswith("/") or ".." in PurePosixPath(member.filename).parts:
            raise ArtifactError(f"{path}: names in the archive must stay inside it. Received: {member.filename}")


def _stated_count(archive: zipfile.ZipFile) -> int:
    """Members that the record at the end states. The list ends by its bytes, and one comment can swallow the rest."""
    if (file := archive.fp) is None:
        raise ValueError("an archive that is closed")
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LARGE_END - END - MAX_COMMENT))
    tail = file.read()
    whole = tail[-END : -END + 4] == END_SIGN and tail[-2:] == b"\0\0"  # without a comment, as it is looked for first
    place = len(tail) - END if whole else tail.rfind(END_SIGN)
    count = int.from_bytes(tail[place + 10 : place + 12], "little")
    large = tail[max(0, place - LARGE_END) : place]
    if count == NO_COUNT and large[:4] == b"PK\6\6":
        return int.from_bytes(large[32:40], "little")
    return count


def read_header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in an archive, without its numbers."""
    with archive.open(name) as file:
        return header_of(file)


def header_of(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in a `.npy` file that is read from its beginning."""
    header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    return shape, dtype


def read_whole(file: IO[bytes]) -> np.ndarray:
    """The one array of a `.npy` file that is read from its beginning.

    Raises:
        ValueError: If there is more behind it, such as the array of a second `np.save`, which nobody would see.
    """
    array = npy.read_array(file, allow_pickle=False)
    if file.read(1):
        raise ValueError(f"an array of {array.shape} with something behind it, such as another array")
    return array


def _read_npy(archive: zipfile.ZipFile, name: str, path: Path, floats: type[np.floating]) -> np.ndarray:
    shape, dtype = read_header(archive, name)
    if dtype.kind not in "fiub" or dtype.hasobject:
        raise ArtifactError(f"{path}: {name} must hold numbers. Received: {dtype}")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > archive.getinfo(name).file_size:
        raise ArtifactError(f"{path}: {name} must hold as much as its shape says. Received: {shape}")
    with archive.open(name) as file:
        array = read_whole(file)
    return array.astype(floats) if dtype.kind == "f" else array
