"""Whether a generator that was shown a few images makes more than a few."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from tfgantl.metrics.memorisation import nearest
from tfgantl.random_streams import Stream


@dataclass(frozen=True)
class Clusters:
    """How generated images spread over and around the training shots.

    Args:
        distance: Mean pairwise distance within clusters, averaged over the clusters that have a pair; `None` if none
            has.
        filled: Number of clusters with at least one image.
        shots: Number of clusters: one for each training shot.
        largest: Share of the images that lie in the largest cluster.
    """

    distance: float | None
    filled: int
    shots: int
    largest: float


def intra_cluster_distance(fake: np.ndarray, shots: np.ndarray, most: int = 50, seed: int = 0) -> Clusters:
    """Assigns each generated image to its nearest training shot, and measures how different those of one shot are.

    The distance alone would praise a generator that makes varied images of a single shot, as empty clusters have none:
    so it comes with the number of filled clusters and the share of the largest. A cluster of one image is filled, but
    has no pair, and takes no part in the mean; it is no evidence for or against copies.

    Args:
        fake: Features of generated images, float (n, d), n at least 1.
        shots: Features of the training shots, float (m, d).
        most: Images of a cluster that are compared; more are drawn from at random.
        seed: Chooses them.

    Returns:
        The `Clusters`. A distance of 0 means that all images of a shot are the same.

    Example:
        >>> intra_cluster_distance(np.array([[0.0], [0.1], [0.2]]), np.array([[0.0], [1.0]])).filled
        1

    Reference:
        Ojha et al., 2021, https://arxiv.org/abs/2104.06820
    """
    fake, shots = fake.astype(np.float64), shots.astype(np.float64)
    _, owner = nearest(fake, shots)
    counts = np.bincount(owner, minlength=len(shots))
    rng = Stream.CLUSTERS.generator(seed)
    spreads = []
    for shot in np.flatnonzero(counts > 1):
        members = np.flatnonzero(owner == shot)
        if len(members) > most:
            members = rng.choice(members, most, replace=False)
        spreads.append(pdist(fake[members]).mean())
    distance = float(np.mean(spreads)) if spreads else None
    return Clusters(distance, int((counts > 0).sum()), len(shots), float(counts.max() / len(fake)))
