"""Reads `.npz` archives that may come from anywhere: sizes are checked before anything is unpacked."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tfgantl.errors import DataError, reason
from tfgantl.untrusted.archives import read_header


def read_npz(path: Path, wanted: tuple[str, ...], max_bytes: int) -> dict[str, np.ndarray | None]:
    """Reads the wanted arrays, as far as they are there.

    Args:
        path: The archive.
        wanted: Names of arrays.
        max_bytes: Most bytes that one array may unpack to.

    Returns:
        Name → array, for those found; if the first of `wanted` is missing, the names that are there, without data.

    Raises:
        DataError: If the file is missing, not an archive, damaged, holds Python objects, or an array is too large.
    """
    if not path.is_file():
        raise DataError(f"Arrays: `path` must be an .npz file. Received: {path}, which does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if wanted[0] not in names:
                return dict.fromkeys(names)
            return {name: _read(archive, name, max_bytes, path) for name in wanted if name in names}
    except DataError:
        raise
    except Exception as error:  # damaged archives raise whatever their parser meets first
        raise DataError(f"Arrays: {path}: must be an intact .npz archive. Received: {reason(error)}") from error


def _read(archive: zipfile.ZipFile, name: str, max_bytes: int, path: Path) -> np.ndarray:
    shape, dtype = read_header(archive, f"{name}.npy")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject:
        raise DataError(f"Arrays: {path}: `{name}` must hold numbers. Received: Python objects")
    if size > max_bytes:
        raise DataError(f"Arrays: {path}: `{name}` must unpack to at most `max_bytes` = {max_bytes}. Received: {size}")
    with archive.open(f"{name}.npy") as file:
        return npy.read_array(file, allow_pickle=False)
