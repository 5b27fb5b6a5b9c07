"""Spaces in which pictures are near each other: by pixels, by features, and by small pictures after alignment."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from tfgantl.images import to_unit
from tfgantl.metrics.extractors import Extractor

THUMB = 16  # side of the small pictures that are aligned
SHIFTS = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # of these, in their pixels
CROP = 7 / 8  # side of the crops, at both ends and in the middle
ROWS = 1024  # distances of so many pictures are in memory at a time


class Space(Protocol):
    """Maps pictures to vectors whose Euclidean distance says how much alike they are."""

    name: str

    def vectors(self, images: np.ndarray) -> np.ndarray:
        """float32 (n, d) of uint8 images (n, side, side, channels)."""

    def variants(self, images: np.ndarray) -> Iterator[np.ndarray]:
        """The vectors of all that a picture may have been turned into when it was copied, each (n, d)."""


class PixelSpace:
    """All pixels, as they are."""

    name = "pixels"

    def vectors(self, images: np.ndarray) -> np.ndarray:
        return to_unit(images).reshape(len(images), -1)

    def variants(self, images: np.ndarray) -> Iterator[np.ndarray]:
        yield self.vectors(images)


class FeatureSpace:
    """Features of an extractor, of pictures and of their mirror images.

    Args:
        extractor: That of the metrics.
    """

    def __init__(self, extractor: Extractor) -> None:
        self.name, self.extractor = f"features of {extractor.name}", extractor

    def vectors(self, images: np.ndarray) -> np.ndarray:
        return self.extractor(images)[0]

    def variants(self, images: np.ndarray) -> Iterator[np.ndarray]:
        yield self.vectors(images)
        yield self.vectors(images[:, :, ::-1])


class AlignedSpace:
    """Small pictures of zero mean and unit length, so that brightness and contrast do not count.

    What was copied may be a mirror image, shifted by up to a tenth of the side, or an enlarged crop. The squared
    distance is 2 less twice the normalised cross-correlation.
    """

    name = "aligned"

    def vectors(self, images: np.ndarray) -> np.ndarray:
        whole = window(images.shape[1], 0.0, 1.0)
        return _normalised(_seen_through(images, whole, whole))

    def variants(self, images: np.ndarray) -> Iterator[np.ndarray]:
        side = images.shape[1]
        shifts = [window(side, shift / THUMB, 1.0) for shift in SHIFTS]
        crops = [window(side, start * (1 - CROP), CROP) for start in (0.0, 0.5, 1.0)]
        for group in (shifts, crops):
            for rows in group:
                for columns in group:
                    seen = _seen_through(images, rows, columns)
                    yield _normalised(seen)
                    yield _normalised(seen[:, :, ::-1])


def spaces_for(extractor: Extractor) -> tuple[Space, ...]:
    """The spaces that copies and members are looked for in."""
    return PixelSpace(), FeatureSpace(extractor), AlignedSpace()


def window(side: int, start: float, share: float) -> np.ndarray:
    """Means over the cells of a window, float32 (cells, side): multiplied by a column of pixels, it gives the cells.

    Args:
        side: Pixels of the picture.
        start: Where the window begins, as a share of the side; what is outside of the picture repeats its edge.
        share: Its length, as a share of the side.
    """
    cells = min(THUMB, side)
    ends = side * (start + share * np.arange(cells + 1) / cells)
    first = np.arange(side, dtype=float)
    last = first + 1
    first[0], last[-1] = -np.inf, np.inf
    overlap = np.minimum(ends[1:, None], last) - np.maximum(ends[:-1, None], first)
    return (np.maximum(overlap, 0.0) / (ends[1] - ends[0])).astype(np.float32)


def _seen_through(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Cells (n, cells, cells, channels) of windows over rows and columns."""
    planes = np.moveaxis(images, 3, 1).astype(np.float32)
    return np.moveaxis(rows @ planes @ columns.T, 1, 3)


def _normalised(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def nearest_in(
    space: Space, images: np.ndarray, among: np.ndarray, others: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest pictures in a space, whichever of their variants it is.

    Args:
        space: Where to look.
        images: uint8 (n, side, side, channels).
        among: uint8 (m, side, side, channels), at least one; two if there are `others`.
        others: Whether both arrays are the same, and no picture is its own neighbour.

    Returns:
        Distance float32 (n,) to, and index (n,) of, the nearest of `among`.
    """
    points = space.vectors(images)
    squares, rows = np.square(points).sum(1), np.arange(len(points))
    best, index = np.full(len(points), np.inf, np.float32), np.zeros(len(points), int)
    for variant in space.variants(among):
        lengths = np.square(variant).sum(1)
        for start in range(0, len(points), ROWS):
            part = slice(start, start + ROWS)
            found = squares[part, None] + lengths - 2.0 * points[part] @ variant.T
            if others:
                found[rows[: len(found)], rows[part]] = np.inf
            nearest = found.argmin(1)
            distance = found[rows[: len(found)], nearest]
            nearer = distance < best[part]
            best[part] = np.where(nearer, distance, best[part])
            index[part] = np.where(nearer, nearest, index[part])
    return np.sqrt(np.maximum(best, 0.0)), index
