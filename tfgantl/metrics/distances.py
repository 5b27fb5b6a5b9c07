"""Distances between two sets of features, all in float64.

Where the features come from a named extractor, and not from the Inception network of the FID of 2017, the numbers are
called cKID and cFID ("c" for classifier), and compare only with numbers of the same extractor.
"""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tfgantl.metrics.gaussians import FeatureGaussian
from tfgantl.random_streams import Stream

CMMD_WIDTH, CMMD_SCALE = 10.0, 1000.0
MAX_KERNEL = 4000  # images of a set whose pairs are all kept at one time: 128 MB


def polynomial_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cubic kernel (n, m) of all pairs of rows of float64 (n, d) and (m, d)."""
    base = a @ b.T / a.shape[1] + 1.0
    return base * base * base  # a power takes ten times as long


def _enough(real_labels: np.ndarray, fake_labels: np.ndarray, count: int) -> bool:
    """Whether every class of the real images has `count` images on both sides."""
    classes, counts = np.unique(real_labels, return_counts=True)
    return min(counts) >= count and all(np.sum(fake_labels == label) >= count for label in classes)


def kernel_distance(
    real: np.ndarray, fake: np.ndarray, real_labels: np.ndarray | None = None, fake_labels: np.ndarray | None = None
) -> float:
    """Squared maximum mean discrepancy under the cubic polynomial kernel: unbiased, so it may be below 0.

    Test sets usually hold a fixed number of images of each class. Two of their images are then less often of one
    class than two images of the domain, which would bias the distance by about 1/n; with labels, pairs are weighted
    so that every class has the share that it has among the real images, and the distance is unbiased again.

    Args:
        real: float (n, d).
        fake: float (m, d).
        real_labels: int (n,), or `None`. If a class has less than two images on either side, labels are not used.
        fake_labels: int (m,), or `None`.

    Reference:
        Binkowski et al., 2018, https://arxiv.org/abs/1801.01401
    """
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    if real_labels is None or fake_labels is None or not _enough(real_labels, fake_labels, 2):
        real_labels, fake_labels = np.zeros(len(real), int), np.zeros(len(fake), int)
    kernels = polynomial_kernel(real, real), polynomial_kernel(fake, fake), polynomial_kernel(real, fake)
    everything = np.ones((1, len(real))), np.ones((1, len(fake)))
    return float(_discrepancies(*kernels, real_labels, fake_labels, *everything)[0])


def _discrepancies(
    of_real: np.ndarray,
    of_fake: np.ndarray,
    across: np.ndarray,
    real_labels: np.ndarray,
    fake_labels: np.ndarray,
    real_drawn: np.ndarray,
    fake_drawn: np.ndarray,
) -> np.ndarray:
    """Distances from the kernels of all pairs, for several draws at one time: products, and no copies for each.

    Args:
        of_real: Within real images, float64 (n, n).
        of_fake: Within generated ones, float64 (m, m).
        across: Between them, float64 (n, m).
        real_labels: int (n,).
        fake_labels: int (m,).
        real_drawn: float64 (draws, n): 1 for what is drawn, 0 for what is not; as many of each class in all draws.
        fake_drawn: float64 (draws, m).

    Returns:
        float64 (draws,).
    """
    classes = np.unique(real_labels)
    counts = np.array([real_drawn[0, real_labels == label].sum() for label in classes])
    shares = dict(zip(classes, counts / counts.sum(), strict=True))

    def weights(drawn: np.ndarray, labels: np.ndarray) -> np.ndarray:
        each = np.zeros(drawn.shape)
        for label, share in shares.items():
            own = drawn[:, labels == label]
            each[:, labels == label] = own * (share / own.sum(1, keepdims=True))
        return each

    def within(kernel: np.ndarray, drawn: np.ndarray, labels: np.ndarray) -> np.ndarray:
        weight = weights(drawn, labels)
        total = np.sum((weight @ kernel) * weight, 1)
        for label, share in shares.items():
            members = labels == label
            block = kernel if members.all() else kernel[np.ix_(members, members)]  # without classes, no copy
            own = drawn[:, members]
            sums, same, n = np.sum((own @ block) * own, 1), own @ np.diag(block), own.sum(1)
            total += share**2 * ((sums - same) / (n * (n - 1)) - sums / n**2)  # no image with itself
        return total

    between = np.sum((weights(real_drawn, real_labels) @ across) * weights(fake_drawn, fake_labels), 1)
    return within(of_real, real_drawn, real_labels) + within(of_fake, fake_drawn, fake_labels) - 2.0 * between


def subset_kernel_distances(
    real: np.ndarray,
    fakes: list[np.ndarray],
    subsets: int,
    seed: int,
    real_labels: np.ndarray | None = None,
    fake_labels: np.ndarray | None = None,
) -> np.ndarray:
    """Kernel distances over random halves, paired: all sets of fakes meet the same draws.

    Halves, drawn without replacement, spread as the sets themselves would if they were drawn anew. Of more than 4,000
    images, as many are taken.

    Args:
        real: float (n, d).
        fakes: Arrays float (m, d); row i of each was made from the same latents and label.
        subsets: Number of draws.
        seed: Chooses the draws.
        real_labels: int (n,), or `None`.
        fake_labels: int (m,), or `None`.

    Returns:
        float64 (len(fakes), subsets).
    """
    if real_labels is None or fake_labels is None or not _enough(real_labels, fake_labels, 4):
        real_labels, fake_labels = np.zeros(len(real), int), np.zeros(len(fakes[0]), int)
    rng = Stream.SUBSETS.generator(seed)
    rows, columns = thinned(real_labels, rng), thinned(fake_labels, rng)
    real, real_labels = real[rows], real_labels[rows]
    fakes, fake_labels = [fake[columns] for fake in fakes], fake_labels[columns]

    def half(labels: np.ndarray) -> np.ndarray:
        members = [np.flatnonzero(labels == label) for label in np.unique(real_labels)]
        return np.concatenate([rng.permutation(m)[: max(2, round(len(m) * 0.5))] for m in members])

    draws = [(half(real_labels), half(fake_labels)) for _ in range(subsets)]
    real_drawn, fake_drawn = np.zeros((subsets, len(real))), np.zeros((subsets, len(fake_labels)))
    for j, (r, f) in enumerate(draws):
        real_drawn[j, r], fake_drawn[j, f] = 1.0, 1.0
    real, fakes = real.astype(np.float64), [fake.astype(np.float64) for fake in fakes]
    of_real = polynomial_kernel(real, real)  # once for all sets
    values = [
        _discrepancies(
            of_real, polynomial_kernel(fake, fake), polynomial_kernel(real, fake), real_labels, fake_labels,
            real_drawn, fake_drawn,
        )
        for fake in fakes
    ]  # fmt: skip
    return np.stack(values)


def thinned(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places of all images, or of about `MAX_KERNEL` of them, with the shares of their classes."""
    if len(labels) <= MAX_KERNEL:
        return np.arange(len(labels))
    members = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([m[: max(4, len(m) * MAX_KERNEL // len(labels))] for m in members]))


def gaussian_discrepancy(real: np.ndarray, fake: np.ndarray, width: float = CMMD_WIDTH) -> float:
    """Maximum mean discrepancy under a Gaussian kernel of features of length 1, times 1,000: CMMD, if they are CLIP's.

    Unbiased, so it may be below 0. The published program keeps the pairs of an image with itself, so that its values
    are larger by 1,000 · (1 - mean kernel of pairs) · (1/n + 1/m): about 0.01 for a thousand images.

    Args:
        real: float (n, d), n at least 2; of any length.
        fake: float (m, d), m at least 2.
        width: Standard deviation of the kernel. That of the paper is far more than any distance between vectors of
            length 1 (at most 2), so the discrepancy is nearly a squared distance of means.

    Example:
        >>> round(gaussian_discrepancy(np.eye(3)[:2], np.eye(3)[[2, 2]]), 3)  # 1,000 · (1 - exp(-2 / 200))
        9.95

    Reference:
        Jayasumana et al., 2024, https://arxiv.org/abs/2401.09603
    """
    lengths = [np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True) for points in (real, fake)]
    a, b = (points / np.maximum(length, 1e-12) for points, length in zip((real, fake), lengths, strict=True))

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.exp((one @ other.T - 1.0) / width**2)  # of length 1: |x - y|² = 2 - 2 x·y

    def within(points: np.ndarray) -> float:
        n = len(points)
        return (kernel(points, points).sum() - n) / (n * (n - 1))

    return CMMD_SCALE * float(within(a) + within(b) - 2.0 * kernel(a, b).mean())


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Fréchet distance of the Gaussians with the means and covariances of two sets; grows as sets get smaller.

    Args:
        real: float (n, d).
        fake: float (m, d).

    Reference:
        Heusel et al., 2017, https://arxiv.org/abs/1706.08500
    """
    return FeatureGaussian.of(real).distance(FeatureGaussian.of(fake))


def neighbourhoods(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage from balls around each point that reach its k-th neighbour.

    Args:
        real: float (n, d), n above k.
        fake: float (m, d), m above k.
        k: Which neighbour sets the radius.

    Returns:
        `precision`: share of fakes in some real ball; `recall`: share of reals in some fake ball; `density`: mean
        number of real balls around a fake, over k, may exceed 1; `coverage`: share of real balls with a fake inside.

    Reference:
        Kynkäänniemi et al., 2019, https://arxiv.org/abs/1904.06991 (precision, recall);
        Naeem et al., 2020, https://arxiv.org/abs/2002.09797 (density, coverage)
    """

    def radii(points: np.ndarray) -> np.ndarray:
        distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)
        return distances[:, k]  # the first neighbour is the point itself

    real, fake = real.astype(np.float64), fake.astype(np.float64)
    squared = (real**2).sum(1)[:, None] + (fake**2).sum(1)[None] - 2.0 * real @ fake.T
    distances = np.sqrt(np.clip(squared, 0.0, None))
    real_radii, fake_radii = radii(real), radii(fake)
    in_real_ball = distances < real_radii[:, None]
    return {
        "precision": float(in_real_ball.any(0).mean()),
        "recall": float((distances < fake_radii[None]).any(1).mean()),
        "density": float(in_real_ball.sum(0).mean() / k),
        "coverage": float((distances.min(1) < real_radii).mean()),
    }
