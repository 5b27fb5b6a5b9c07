"""What can be measured of the surface of a picture: contrast, grain, coarseness, and the colours that it is made of."""

import numpy as np
from PIL import Image

from tfgantl.crossmodal.part_captions import colour_name

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
FINE, BROAD = 2.0, 4.0  # radii in pixels that detail is compared at
PATCHES = 8  # colours that a picture is reduced to
LEAST_SHARE = 0.3  # of a picture that has a colour


def contrast(images: np.ndarray) -> np.ndarray:
    """Deviation of luma in percent of white, (n,), of images uint8 (n, height, width, 3)."""
    return np.asarray(_luma(images).std((1, 2)) / 2.55)


def grain(images: np.ndarray) -> np.ndarray:
    """Fine detail without a direction, in percent of white: specks, and neither edges nor the lines of a hatching.

    That is the deviation of what a blur of two pixels takes away, times what the structure tensor lacks in coherence
    (Bigün and Granlund, 1987).
    """
    gray = _luma(images)
    down, right = np.gradient(gray, axis=(1, 2))
    yy, xx, xy = (_blurred(one, FINE) for one in (down * down, right * right, down * right))
    coherence = np.hypot(xx - yy, 2 * xy).mean((1, 2)) / np.maximum((xx + yy).mean((1, 2)), 1e-3)
    return np.asarray((gray - _blurred(gray, FINE)).std((1, 2)) * (1 - coherence) / 2.55)


def coarseness(images: np.ndarray) -> np.ndarray:
    """Share of the contrast that survives a blur of four pixels: of broad shapes 1, of specks 0."""
    gray = _luma(images)
    return np.asarray(_blurred(gray, BROAD).std((1, 2)) / np.maximum(gray.std((1, 2)), 1e-3))


def colours_of(picture: np.ndarray) -> tuple[str, ...]:
    """Names of the colours that a picture is made of, without how dark or pale they are.

    Args:
        picture: uint8 (height, width, 3).

    Returns:
        Those of at least 30 % of the picture, the most frequent first; the most frequent one if there is none.

    Example:
        >>> colours_of(np.full((8, 8, 3), (20, 30, 120), np.uint8))
        ('blue',)
    """
    small = Image.fromarray(picture).resize((64, 64), Image.Resampling.BOX).quantize(PATCHES)
    palette = np.array(small.getpalette()[: 3 * PATCHES], np.uint8).reshape(-1, 3)  # type: ignore[index]  # it has one
    counts = np.bincount(np.asarray(small).ravel(), minlength=len(palette))
    shares: dict[str, float] = {}
    for colour, count in zip(palette, counts, strict=False):
        name = colour_name(bytes(colour).hex()).split()[-1]
        shares[name] = shares.get(name, 0.0) + float(count) / counts.sum()
    ordered = sorted(shares, key=lambda name: -shares[name])
    return tuple(name for name in ordered if shares[name] >= LEAST_SHARE) or (ordered[0],)


def _luma(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) @ LUMA


def _blurred(gray: np.ndarray, radius: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return np.stack([gaussian_filter(one, radius) for one in gray])
