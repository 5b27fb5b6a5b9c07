"""Restoration without a generator, which one has to beat: means, smooth surfaces, interpolation, similar patches."""

import numpy as np
from PIL import Image
from skimage.restoration import denoise_nl_means, inpaint_biharmonic

PATCH, AROUND, STRENGTH = 5, 6, 0.8  # of non-local means, as scikit-image recommends them where the noise is known


def filled_with_mean(observed: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Pictures with the mean of their own known pixels in the hole.

    Args:
        observed: float32 (n, height, width, channels) in [-1, 1].
        hole: bool (height, width), true where pixels are missing.

    Returns:
        The same shape.
    """
    filled = observed.copy()
    filled[:, hole] = observed[:, ~hole].mean(axis=1, keepdims=True)
    return filled


def filled_smoothly(observed: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Pictures with the smoothest surface through their known pixels in the hole, by scikit-image.

    Args:
        observed: float32 (n, height, width, channels) in [-1, 1].
        hole: bool (height, width), true where pixels are missing.

    Returns:
        The same shape.

    Reference:
        Damelin and Hoang, 2018, https://doi.org/10.1155/2018/3950312
    """
    return np.stack([inpaint_biharmonic(picture, hole, channel_axis=-1) for picture in observed]).astype(np.float32)


def enlarged(observed: np.ndarray, side: int) -> np.ndarray:
    """Pictures float32 (n, small, small, channels), enlarged to `side` pixels by Pillow's bicubic interpolation."""
    lines = Image.fromarray(np.eye(observed.shape[1], dtype=np.float32))
    filters = np.asarray(lines.resize((observed.shape[1], side), Image.Resampling.BICUBIC))
    return np.clip(np.einsum("hi,bijc,wj->bhwc", filters, observed, filters), -1.0, 1.0)


def denoised_by_patches(observed: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Pictures whose pixels are means over those with similar surroundings, by scikit-image.

    Args:
        observed: float32 (n, height, width, channels) in [-1, 1].
        levels: Standard deviation of the noise of each, (n,).

    Returns:
        The same shape.

    Reference:
        Buades et al., 2005, https://doi.org/10.1109/CVPR.2005.38
    """
    options = {"patch_size": PATCH, "patch_distance": AROUND, "fast_mode": False, "channel_axis": -1}
    pairs = zip(observed, levels, strict=True)
    means = [denoise_nl_means(picture, h=STRENGTH * level, sigma=level, **options) for picture, level in pairs]
    return np.stack(means).reshape(observed.shape).astype(np.float32)  # it drops the axis of a single channel
