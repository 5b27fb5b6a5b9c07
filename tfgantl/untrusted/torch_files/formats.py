"""The door to checkpoints of other programs: what a file is follows from its first bytes, and not from its name."""

import os
import re
from pathlib import Path
from typing import Any

from tfgantl.errors import ArtifactError, intact
from tfgantl.printing import printable
from tfgantl.untrusted.archives import MAX_BYTES, MIN_BYTES, check_digest, read_npz
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.torch_files.legacy_container import MAGIC, nested_storage, read_legacy
from tfgantl.untrusted.torch_files.limits import Bounded, Budget
from tfgantl.untrusted.torch_files.pickles import MAX_OPERATIONS, read_pickle
from tfgantl.untrusted.torch_files.plain_values import Values
from tfgantl.untrusted.torch_files.safetensors_file import read_safetensors
from tfgantl.untrusted.torch_files.state_dicts import as_checkpoint
from tfgantl.untrusted.torch_files.tensors import ReadStorage, TensorReader
from tfgantl.untrusted.torch_files.zip_container import open_zip, read_zip

MAX_SHARING = 16  # bytes of arrays for each byte of the file: half precision takes two, shared storages more
BEGINNING = 512  # bytes that tell formats
ALLOWED = "must be a checkpoint of PyTorch (.pt, .pth), a .pkl of NVIDIA's GANs, .safetensors or .npz"
OTHERS = (
    (rb"version https://git-lfs", "a pointer of Git LFS in place of the file: run `git lfs pull`"),
    (rb"\s*(<!doctype|<html|<\?xml|<head)", "a web page: the download gave a page in place of the file"),
    (rb"\x89HDF", "an HDF5 file; weights of Keras must be called .weights.h5"),
    (rb"\x1f\x8b", "a gzip archive: unpack it first"),
    (rb"BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "a packed archive: unpack it first"),
    (rb"(?s).{257}ustar", "a tar archive, as of PyTorch before 0.2"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF", "a picture"),
    (rb"\x93NUMPY", "a .npy file, which has one array without a name"),
    (rb"%PDF", "a document"),
    (rb"GGUF|\x08[\x01-\x10]", "a model of another program"),
    (rb"\s*[\[{(a-zA-Z#/\"']", "a text"),
)


def read_checkpoint(path: Path) -> ForeignCheckpoint:
    """Reads the networks of a file of PyTorch, NVIDIA or safetensors, without PyTorch and without running any of it.

    Args:
        path: A file in the zip format of PyTorch, or in the one before it, a pickle of NVIDIA's networks (PyTorch or
            TensorFlow), `.safetensors`, or `.npz`. Its content tells which.

    Returns:
        Networks, arrays and settings. Floats are float32, other numbers as they are; arrays may be read-only.

    Raises:
        ArtifactError: If the file is missing, damaged, something else, too large, or names anything but tensors and
            plain values, in one line.

    Example:
        >>> np.savez("netG.npz", **{"main.0.weight": np.zeros((100, 8, 4, 4), "f")})
        >>> read_checkpoint(Path("netG.npz")).networks[""].arrays["main.0.weight"].shape
        (100, 8, 4, 4)

    Reference:
        Formats: https://github.com/pytorch/pytorch, https://github.com/NVlabs/stylegan2-ada-pytorch,
        https://github.com/NVlabs/stylegan2, https://github.com/huggingface/safetensors
    """
    path = Path(path)
    if not path.is_file():
        raise ArtifactError(f"{path}: {ALLOWED}. Received: no such file")
    check_digest(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ArtifactError(f"{path}: must have at most {MAX_BYTES} bytes. Received: {size}")
    with open(path, "rb") as file:
        start = file.read(BEGINNING)
        file.seek(0, os.SEEK_SET)
        if start[:2] == b"PK":
            with intact(f"{path}: must be an intact zip file of PyTorch"):
                return _of_zip(path, size)
        if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            with intact(f"{path}: must be an intact file of PyTorch, or pickle of NVIDIA's"):
                return _of_pickle(Bounded(file, size), str(path), size)
        if re.match(rb"(?s).{8}\{", start) and not start[5:8].strip(b"\0"):
            with intact(f"{path}: must be an intact .safetensors file"):
                return read_safetensors(Bounded(file, size), str(path))
    raise ArtifactError(f"{path}: {ALLOWED}. Received: {_other(start)}")


def _other(start: bytes) -> str:
    if not start:
        return "an empty file"
    found = next((kind for pattern, kind in OTHERS if re.match(pattern, start, re.I)), None)
    return found or f"a file that begins with {start[:8].hex(' ')}"


def _of_zip(path: Path, size: int) -> ForeignCheckpoint:
    with open_zip(path) as archive:
        names = archive.namelist()
        if names and all(name.endswith(".npy") for name in names):
            return ForeignCheckpoint({"": ForeignNetwork(read_npz(path))})
        operations = _operations()
        value, read = read_zip(archive, path, operations)
        return as_checkpoint(value, _values(read, operations, str(path), size), str(path))


def _of_pickle(stream: Bounded, where: str, size: int) -> ForeignCheckpoint:
    """Of a pickle alone, or of the first of those of PyTorch's older files."""
    operations = _operations()
    value = read_pickle(stream, where, operations)
    read: ReadStorage = _no_storage
    if type(value) is int and value == MAGIC:
        value, read = read_legacy(stream, where, operations)
    return as_checkpoint(value, _values(read, operations, where, size), where)


def _operations() -> Budget:
    return Budget("instructions", MAX_OPERATIONS)


def _values(read: ReadStorage, operations: Budget, where: str, size: int) -> Values:
    left = Budget("bytes of arrays", min(MAX_BYTES, MAX_SHARING * max(size, MIN_BYTES)))
    packed = Budget("bytes of storages in pickles", MAX_SHARING * max(size, MIN_BYTES))

    def nested(content: bytes) -> Any:
        packed.spend(len(content))
        return nested_storage(content, where, operations)

    return Values(TensorReader(read, nested, left, where), left)


def _no_storage(key: str, size: int) -> bytes:
    raise ValueError(f"a storage {printable(key)[:40]} of {size} bytes, which is not in the file")
