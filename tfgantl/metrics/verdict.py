"""Whether transfer helped: a paired comparison with the same budget without transfer."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.metrics.distances import subset_kernel_distances

ENOUGH = 20  # test images
OUTCOMES = ("positive", "neutral", "negative", "inconclusive")
MATTERS = 0.5  # of the larger distance: a difference of this size matters, as a halved distance does


@dataclass(frozen=True)
class Verdict:
    """Outcome of the comparison.

    Args:
        outcome: `positive`, `neutral` or `negative` transfer, or `inconclusive` where test images are too few to tell.
        difference: cKID of the adapted generator minus that of the baseline; below 0 is better.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end of it.
        resamples: Number of paired resamples.
        images: Number of test images.
        needed: About how many would tell, if the verdict is inconclusive; `None` if no number would, as both distances
            are none that can be measured.
    """

    outcome: str
    difference: float
    low: float
    high: float
    resamples: int
    images: int
    needed: int | None = None

    def __str__(self) -> str:
        few = ""
        if self.outcome == "inconclusive":
            wanted = f"; about {self.needed} would tell" if self.needed else ""
            few = f" (too few test images: {self.images}{wanted})"
        return (
            f"{self.outcome} transfer{few}: cKID {self.difference:+.4f} against the baseline, "
            f"95 % interval [{self.low:+.4f}, {self.high:+.4f}] over {self.resamples} paired resamples"
        )


def judge_transfer(
    real: np.ndarray,
    adapted: np.ndarray,
    baseline: np.ndarray,
    real_labels: np.ndarray | None = None,
    fake_labels: np.ndarray | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> Verdict:
    """Compares two generators on the same test images, latents and labels.

    Both sets of fakes meet the same random subsets, so that what is easy or hard about a subset cancels out. The
    interval speaks of these two generators on other images, not of other training seeds.

    Args:
        real: Features of test images, float (n, d).
        adapted: Features of images of the adapted generator, float (m, d).
        baseline: Features of images of the baseline, for the same latents and labels, float (m, d).
        real_labels: int (n,), or `None`.
        fake_labels: int (m,), or `None`.
        resamples: Number of paired random halves.
        seed: Chooses the subsets.

    Returns:
        `positive` if the interval lies below 0, `negative` if it lies above 0, `neutral` if it lies within half of the
        larger of both distances to both sides of 0, so that neither is half as far as the other. `inconclusive` for
        wider intervals, and for less than 20 test images, whose halves are too few for an interval.

    Raises:
        ArtifactError: If features or their distances are not finite, of which nothing follows.
    """
    for name, features in (("real", real), ("adapted", adapted), ("baseline", baseline)):
        if not np.isfinite(features).all():
            raise ArtifactError(f"features to compare must be finite. Received: NaN or infinity in `{name}`")
    with np.errstate(over="ignore", invalid="ignore"):  # which is told below
        values = subset_kernel_distances(real, [adapted, baseline], resamples, seed, real_labels, fake_labels)
    if not np.isfinite(values).all():
        raise ArtifactError(
            "distances between features must be finite. Received: NaN or infinity, of features as large as "
            f"{max(float(np.abs(x).max()) for x in (real, adapted, baseline)):.2g}"
        )
    differences = values[0] - values[1]
    low, high = np.percentile(differences, [2.5, 97.5])
    margin = MATTERS * float(values.mean(1).max())
    outcome = "inconclusive"
    if len(real) >= ENOUGH:
        within = -margin < low and high < margin
        outcome = "positive" if high < 0 else "negative" if low > 0 else "neutral" if within else outcome
    difference, images = float(differences.mean()), len(real)
    needed = _needed(images, float(high - low), max(abs(difference), margin)) if outcome == "inconclusive" else None
    return Verdict(outcome, difference, float(low), float(high), resamples, images, needed)


def _needed(images: int, width: float, seen: float) -> int | None:
    """Test images that make an interval, which narrows with their square root, narrow enough to see a difference."""
    if seen <= 0.0:
        return None
    needed = max(ENOUGH, images * (width / 2.0 / seen) ** 2)
    digits = 10 ** max(0, len(str(int(needed))) - 2)
    return max(images + 1, digits * ceil(needed / digits))  # two digits: it is an estimate


@dataclass(frozen=True)
class Gap:
    """Difference of two accuracies on the same images.

    Args:
        outcome: `positive`, `neutral` or `negative` transfer.
        difference: Accuracy of the method minus that of the baseline.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end of it.
    """

    outcome: str
    difference: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = f"[{self.low:+.4f}, {self.high:+.4f}]"
        return f"{self.outcome} transfer: accuracy {self.difference:+.4f}, 95 % interval {interval}"


def judge_accuracy(method: np.ndarray, baseline: np.ndarray, resamples: int = 2000, seed: int = 0) -> Gap:
    """Compares two classifiers on the same test images, by resampling images and training seeds in pairs.

    Args:
        method: bool (seeds, n): whether each prediction is right.
        baseline: bool (seeds, n), of the same seeds and images.
        resamples: Number of resamples.
        seed: Chooses them.

    Returns:
        `positive` if the interval lies above 0, `negative` if it lies below 0, otherwise `neutral`.
    """
    differences = method.astype(np.float64) - baseline
    rng = np.random.default_rng(seed)
    seeds, n = differences.shape
    means = np.empty(resamples)
    for i in range(resamples):
        rows = differences[rng.integers(0, seeds, seeds)].mean(0)
        means[i] = rows[rng.integers(0, n, n)].mean()
    low, high = np.percentile(means, [2.5, 97.5])
    outcome = "positive" if low > 0 else "negative" if high < 0 else "neutral"
    return Gap(outcome, float(differences.mean()), float(low), float(high))
