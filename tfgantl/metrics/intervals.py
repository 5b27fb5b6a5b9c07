"""How sure a distance is, and what it would be for any number of images.

The Fréchet distance of a few images is larger than that of many, by about a constant over their number: distances of
different numbers must not be compared. A straight line over that inverse ends at the distance of infinitely many.
"""

from dataclasses import dataclass

import numpy as np

from tfgantl.metrics.distances import polynomial_kernel
from tfgantl.metrics.gaussians import FeatureGaussian
from tfgantl.progress import bar
from tfgantl.random_streams import Stream

POINTS = 10  # numbers of images that a line is drawn through
LEAST = 0.2  # share of the images of the first of them
HALVES = 10  # random halves that give the interval
RESAMPLES = 200  # of the bootstrap
BLOCK = 2000  # rows of a kernel matrix at one time: 160 MB for 10,000 images
NORMAL = 1.96


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Args:
        value: The number.
        low: Lower end of the interval.
        high: Upper end of it.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class DistanceCurve:
    """A distance against the number of generated images that it was measured with.

    Args:
        images: Numbers of generated images.
        frechet: Fréchet distance of each.
        kernel: Kernel distance of each.
        infinity: Fréchet distance of infinitely many, by the straight line over the inverse number.
    """

    images: tuple[int, ...]
    frechet: tuple[float, ...]
    kernel: tuple[float, ...]
    infinity: float


def kernel_estimate(real: np.ndarray, fake: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Kernel distance of all images, unbiased, with an interval by bootstrap over images of both sides.

    A resample draws images with replacement, and leaves out pairs of an image with itself: their kernel would be that
    of copies.

    Args:
        real: float (n, d).
        fake: float (m, d).
        resamples: Of the bootstrap.
        seed: Chooses them.

    Reference:
        Bińkowski et al., 2018, https://arxiv.org/abs/1801.01401
    """
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    rng = Stream.BOOTSTRAP.generator(seed)

    def weights(count: int) -> np.ndarray:
        drawn = rng.multinomial(count, np.full(count, 1.0 / count), resamples)
        return np.concatenate([np.ones((1, count)), drawn]).astype(np.float64)

    of_real, of_fake = weights(len(real)), weights(len(fake))
    values = (
        _mean_of_pairs(real, of_real) + _mean_of_pairs(fake, of_fake) - 2.0 * _mean_across(real, fake, of_real, of_fake)
    )
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Estimate(float(values[0]), float(low), float(high))


def _mean_of_pairs(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of the kernel over pairs of two points, for each row of weights."""
    own = polynomial_kernel_of_itself(points)
    total = _summed(points, points, weights, weights) - weights**2 @ own
    return total / (weights.sum(1) ** 2 - (weights**2).sum(1))


def polynomial_kernel_of_itself(points: np.ndarray) -> np.ndarray:
    """The kernel of each point with itself, (n,)."""
    return ((points**2).sum(1) / points.shape[1] + 1.0) ** 3


def _mean_across(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray) -> np.ndarray:
    return _summed(a, b, of_a, of_b) / (of_a.sum(1) * of_b.sum(1))


def _summed(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray) -> np.ndarray:
    total = np.zeros(len(of_a))
    for start in range(0, len(a), BLOCK):
        rows = slice(start, start + BLOCK)
        total += np.sum((of_a[:, rows] @ polynomial_kernel(a[rows], b)) * of_b, axis=1)
    return total


def frechet_infinity(
    real: np.ndarray | FeatureGaussian, fake: np.ndarray, seed: int = 0, title: str | None = None
) -> Estimate:
    """Fréchet distance that infinitely many images would have, with its interval.

    Distances of random parts of the images are a straight line over the inverse of their share, whose end is the
    estimate. Both sides are taken apart alike, so that neither leaves its bias; statistics have no parts, and keep
    theirs. The interval is from random halves, which spread about as whole sets of new images would.

    Args:
        real: Features float (n, d), or statistics.
        fake: Features float (m, d), at least 10 as the real ones.
        seed: Chooses the parts.
        title: Shows a bar with this title.

    Reference:
        Chong and Forsyth, 2020, https://arxiv.org/abs/1911.07023
    """
    rng = Stream.EXTRAPOLATION.generator(seed)
    with bar((HALVES + 1) * POINTS, title or "", "distance", shown=title is not None) as progress:

        def extrapolated(real: np.ndarray | FeatureGaussian, fake: np.ndarray) -> float:
            shares = np.linspace(LEAST, 1.0, POINTS)
            distances = []
            for share in shares:
                part = real if isinstance(real, FeatureGaussian) else FeatureGaussian.of(_part(real, share, rng))
                distances.append(part.distance(FeatureGaussian.of(_part(fake, share, rng))))
                progress.update()
            return float(np.polyfit(1.0 / shares, distances, 1)[1])

        value = extrapolated(real, fake)
        halves = [
            extrapolated(real if isinstance(real, FeatureGaussian) else _part(real, 0.5, rng), _part(fake, 0.5, rng))
            for _ in range(HALVES)
        ]
    # A part of half of the images, drawn without replacement, spreads around the whole as the whole around the truth.
    half_width = NORMAL * float(np.std(halves, ddof=1))
    return Estimate(value, value - half_width, value + half_width)


def distance_curve(
    real: np.ndarray | FeatureGaussian, fake: np.ndarray, real_features: np.ndarray | None = None, seed: int = 0
) -> DistanceCurve:
    """Distances to all real images of ever more generated ones, so that nobody compares those of 500 with those of all.

    Args:
        real: Features float (n, d), or statistics, of the real images.
        fake: Features float (m, d), at least 10.
        real_features: Features for the kernel distance, where `real` is statistics.
        seed: Chooses the parts.
    """
    rng = Stream.EXTRAPOLATION.generator(seed)
    reference = real if isinstance(real, FeatureGaussian) else FeatureGaussian.of(real)
    among = real_features if isinstance(real, FeatureGaussian) else real
    order = rng.permutation(len(fake))
    counts = np.unique(np.geomspace(max(5, 0.02 * len(fake)), len(fake), POINTS).astype(int))
    frechet = [reference.distance(FeatureGaussian.of(fake[order[:count]])) for count in counts]
    kernel = [] if among is None else [kernel_estimate(among, fake[order[:count]], 1).value for count in counts]
    upper = counts >= LEAST * len(fake)
    infinity = float(np.polyfit(1.0 / counts[upper], np.array(frechet)[upper], 1)[1])
    return DistanceCurve(tuple(map(int, counts)), tuple(frechet), tuple(kernel), infinity)


def _part(features: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    count = max(2, round(share * len(features)))
    return features if count >= len(features) else features[rng.permutation(len(features))[:count]]
