"""Several styles in one picture, each in a region of its own."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

COARSE, EDGE = 6, 64  # shares of the longer side: what regions follow, and how soft their borders are


def regions(image: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Divides a picture along its large dark and bright parts.

    Args:
        image: (height, width, 3).
        shares: Of the area of each region, the darkest first, in sum 1.

    Returns:
        Float (regions, height, width) in [0, 1], in sum 1 everywhere.
    """
    side = max(image.shape[:2])
    brightness = gaussian_filter(image.astype(np.float64).mean(-1), side / COARSE)
    ranks = np.empty(brightness.size)
    ranks[np.argsort(brightness, axis=None, kind="stable")] = (np.arange(brightness.size) + 0.5) / brightness.size
    index = np.searchsorted(np.cumsum(shares)[:-1], ranks.reshape(brightness.shape))
    bands = (index == np.arange(len(shares))[:, None, None]).astype(np.float64)
    return gaussian_filter(bands, (0, side / EDGE, side / EDGE))


def painted_in_regions(painted: Callable[[np.ndarray], np.ndarray], image: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Paints each style of a mix by itself, and puts dark paintings into dark parts of the picture.

    Statistics of several styles, mixed, make a look of their own, in which none of them may be seen.

    Args:
        painted: Gives the painting, (height, width, 3), of shares of all styles, float32 (styles,).
        image: The picture, (height, width, 3).
        mix: Share of each style, in sum 1.

    Returns:
        Float32 of the shape of `image`.
    """
    styles = np.flatnonzero(mix > 0)
    rows = np.eye(len(mix), dtype=np.float32)
    paintings = np.stack([painted(rows[style]) for style in styles])
    order = np.argsort(paintings.mean((1, 2, 3)), kind="stable")
    masks = regions(image, mix[styles][order].astype(np.float64) / mix[styles].sum())
    return np.einsum("rhw,rhwc->hwc", masks, paintings[order]).astype(np.float32)
