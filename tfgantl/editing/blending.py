"""Seamless filling: what is pasted into a hole keeps its gradients, and takes its level from the pixels around it."""

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array, eye_array, kron
from scipy.sparse.linalg import splu


def blended(images: np.ndarray, pictures: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Pictures whose hole is filled from images without a seam; known pixels stay exactly as they are.

    Inside of the hole, the result has the differences between neighbouring pixels that the image has; at its edge, it
    continues the known pixels. So the image is corrected by the smoothest function that bridges its error at the edge.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1], from which the hole is filled.
        pictures: The same shape; known outside of the hole.
        hole: bool (height, width), true where pixels are missing; it must not take all.

    Returns:
        float32 (n, height, width, channels) in [-1, 1].

    Example:
        >>> hole = np.eye(3, dtype=bool)
        >>> blended(np.zeros((1, 3, 3, 1)), np.full((1, 3, 3, 1), 0.5), hole).round(3).max()
        np.float32(0.5)

    Reference:
        Pérez et al., 2003, https://doi.org/10.1145/882262.882269
    """
    missing, links = np.flatnonzero(hole), _links(hole.shape)[hole.ravel()]
    solver = splu(csc_array(diags_array(links.sum(1)) - links[:, missing]))
    n, channels = len(images), images.shape[-1]
    error = np.where(hole[:, :, None], 0.0, pictures - images).reshape(n, -1, channels)
    correction = solver.solve(links @ error.transpose(1, 0, 2).reshape(hole.size, -1))
    flat = pictures.astype(np.float32).reshape(n, -1, channels).copy()
    filled = images.reshape(n, -1, channels)[:, missing] + correction.reshape(-1, n, channels).transpose(1, 0, 2)
    flat[:, missing] = np.clip(filled, -1.0, 1.0)
    return flat.reshape(pictures.shape)


def _links(shape: tuple[int, int]) -> csr_array:
    """Which pixels are neighbours, up, down, left and right: 0 or 1, (pixels, pixels)."""
    lines = [diags_array([np.ones(n - 1)] * 2, offsets=[-1, 1], shape=(n, n)) for n in shape]
    down, across = kron(lines[0], eye_array(shape[1])), kron(eye_array(shape[0]), lines[1])
    return csr_array(down + across)
