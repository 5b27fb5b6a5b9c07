"""Whether the generator copies its training images."""

import numpy as np
from sklearn.neighbors import NearestNeighbors


def nearest(points: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (n,) to, and index (n,) of, the nearest of `among` for each of `points`, float (n, d) and (m, d)."""
    distances, indices = NearestNeighbors(n_neighbors=1).fit(among).kneighbors(points)
    return distances[:, 0], indices[:, 0]


def neighbour_ratio(fake: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """How near generated images lie to the training images, against how near unseen real images lie to them.

    Args:
        fake: Features of generated images, float (n, d).
        train: Features of the training images.
        test: Features of real images that training did not see.

    Returns:
        Median nearest-neighbour distance of the fakes over that of the test images. About 1 is what new images of the
        domain have; well below 1 means copies of the shots; above 1, images outside the domain.
    """
    reference = float(np.median(nearest(test, train)[0]))
    return float(np.median(nearest(fake, train)[0])) / max(reference, 1e-12)
