"""Images that lie in a file of the cache, and are read when they are asked for."""

import hashlib
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfgantl.errors import DataError

LONGEST = 2**25  # bytes that are read at one time


class StoredImages:
    """Some images of a file of raw pixels; indexing gives an array, as that of an array would.

    They are read by position and not mapped into memory. Pages of a mapping count as memory of the process, which would
    seem to take all that there is, and a file that is cut short would end the process without a word.

    Args:
        path: The file.
        shape: Height, width and channels.
        digests: uint8 (images in the file, 32): SHA-256 of each, which is compared whenever one is read.
        at: int64 (n,): which of them, in which order; `None` for all.

    Example:
        >>> pixels = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3)
        >>> _ = Path("images.u8").write_bytes(pixels.tobytes())
        >>> digests = np.array([list(hashlib.sha256(image.data).digest()) for image in pixels], np.uint8)
        >>> StoredImages(Path("images.u8"), (4, 4, 3), digests)[np.array([1])].shape
        (1, 4, 4, 3)
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, shape: tuple[int, int, int], digests: np.ndarray, at: np.ndarray | None = None):
        self.path, self.digests = path, digests
        self.at = np.arange(len(digests)) if at is None else at
        self._size = int(np.prod(shape))
        try:
            self._file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise self._damaged(str(error.strerror)) from error
        weakref.finalize(self, os.close, self._file)
        self.shape = (len(self.at), *shape)
        if os.fstat(self._file).st_size < len(digests) * self._size:
            raise self._damaged(f"{os.fstat(self._file).st_size} of {len(digests) * self._size} bytes")

    def __len__(self) -> int:
        return len(self.at)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[np.array([index])][0] for index in range(len(self)))

    def part(self, at: np.ndarray) -> "StoredImages":
        """Some of these images, by an int64 array of indices."""
        return StoredImages(self.path, self.shape[1:], self.digests, self.at[at])

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Reads images.

        Args:
            indices: int64 (n,).

        Returns:
            uint8 (n, height, width, channels).

        Raises:
            DataError: If the file is not what was written.
        """
        wanted = self.at[indices]
        images = np.empty((len(wanted), *self.shape[1:]), np.uint8)
        flat = images.reshape(len(wanted), self._size)
        most = max(1, LONGEST // self._size)
        start = 0
        for stop in [*(np.flatnonzero(np.diff(wanted) != 1) + 1), len(wanted)]:  # what lies together is read at once
            for first in range(start, stop, most):
                rows = flat[first : min(stop, first + most)]
                self._read(rows, int(wanted[first]))
            start = stop
        return images

    def _read(self, rows: np.ndarray, place: int) -> None:
        view, offset, filled = rows.reshape(-1).data, place * self._size, 0
        while filled < len(view):
            count = os.preadv(self._file, [view[filled:]], offset + filled)
            if not count:
                raise self._damaged(f"an end before image {place + filled // self._size}")
            filled += count
        for number, row in enumerate(rows):
            if hashlib.sha256(row.data).digest() != self.digests[place + number].tobytes():
                raise self._damaged(f"other pixels in image {place + number}")

    def _damaged(self, received: str) -> DataError:
        return DataError(
            f"{self.path}: must be as it was written; `tfgantl cache --clear` lets it be written again. "
            f"Received: {received}"
        )
