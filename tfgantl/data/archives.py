"""Reads `.npz` archives that may come from anywhere: sizes are checked before anything is unpacked."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tfgantl.errors import ArtifactError, DataError, reason
from tfgantl.untrusted.archives import check_members, header_of, read_header, read_whole


def read_arrays(path: Path, wanted: tuple[str | None, ...], max_bytes: int) -> dict[str, np.ndarray]:
    """Reads the wanted arrays of an `.npz` archive, as far as they are there; a `.npy` file holds the first of them.

    Args:
        path: The archive, or the file.
        wanted: Names of arrays.
        max_bytes: Most bytes that one array may unpack to.

    Raises:
        DataError: If the file is missing, damaged, no archive, holds Python objects, unpacks to a multiple of
            its size, or an array is too large.
    """
    with _intact(path):
        if path.suffix.casefold() == ".npy":
            with open(path, "rb") as file:
                _check(*header_of(file), wanted[0], max_bytes, path)
                file.seek(0)
                return {str(wanted[0]): read_whole(file)}
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            return {name: _read(archive, name, max_bytes, path) for name in wanted if name in names}


def shapes_in(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Name → shape and type of all arrays of an archive, without their numbers."""
    if path.suffix.casefold() == ".npy":
        return {}
    with _intact(path), zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): read_header(archive, name) for name in archive.namelist()}


def check_archive(path: Path) -> None:
    """Raises `DataError` if there is no such file."""
    if not path.is_file():
        raise DataError(f"Arrays: `path` must be an .npz or .npy file. Received: {path}, which does not exist")


@contextmanager
def _intact(path: Path) -> Iterator[None]:
    check_archive(path)
    try:
        yield
    except DataError:
        raise
    except ArtifactError as error:
        raise DataError(f"Arrays: {error}") from error
    except Exception as error:  # damaged archives raise whatever their parser meets first
        raise DataError(f"Arrays: {path}: must be an intact .npz archive. Received: {reason(error)}") from error


def _check(shape: tuple[int, ...], dtype: np.dtype, name: str | None, max_bytes: int, path: Path) -> None:
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject:
        raise DataError(f"Arrays: {path}: `{name}` must hold numbers. Received: Python objects")
    if size > max_bytes:
        raise DataError(f"Arrays: {path}: `{name}` must unpack to at most `max_bytes` = {max_bytes}. Received: {size}")


def _read(archive: zipfile.ZipFile, name: str, max_bytes: int, path: Path) -> np.ndarray:
    _check(*read_header(archive, f"{name}.npy"), name, max_bytes, path)
    with archive.open(f"{name}.npy") as file:
        return read_whole(file)
