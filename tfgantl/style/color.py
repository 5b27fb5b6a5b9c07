"""Keeping the colours of the content; on images in [-1, 1].

Reference:
    Gatys et al., 2016, https://arxiv.org/abs/1606.05897
"""

import numpy as np

# Luminance, and two axes of colour.
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)


def with_colors_of(painted: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The luminance of one image with the colours of another; both float32 (…, 3) of one shape."""
    luminance = painted @ YIQ[:1].T
    colors = content @ YIQ[1:].T
    return np.clip(np.concatenate([luminance, colors], -1) @ np.linalg.inv(YIQ).T, -1, 1).astype(np.float32)


def match_colors(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """A style whose colours have the mean and covariance of those of the content.

    Args:
        style: Float32 (…, 3).
        content: Float32 (…, 3) of any shape.

    Returns:
        Of the shape of `style`, clipped to [-1, 1].
    """
    (mean_s, root_s), (mean_c, root_c) = _statistics(style), _statistics(content)
    moved = (style - mean_s) @ (root_c @ np.linalg.inv(root_s)).T + mean_c
    return np.clip(moved, -1, 1).astype(np.float32)


def _statistics(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and symmetric root of the covariance; gray pictures have no spread of colour, so some is added."""
    pixels = image.reshape(-1, 3).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(pixels.T) + 1e-5 * np.eye(3))
    return pixels.mean(0), (vectors * np.sqrt(values)) @ vectors.T
