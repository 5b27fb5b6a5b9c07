"""The metrics of a generator: one list, from which tables, titles, JSON and model cards follow.

To add one, write a function of a `Sample` and its entry in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.metrics.distances import CMMD_WIDTH, gaussian_discrepancy
from tfgantl.metrics.intervals import RESAMPLES
from tfgantl.metrics.memorisation import neighbour_ratio
from tfgantl.metrics.sample import CLUSTER, NEIGHBOURS, SPLITS, SUBSETS, Sample

if TYPE_CHECKING:
    from tfgantl.metrics.extractors import Extractor


@dataclass(frozen=True)
class Metric:
    """One number of a generator.

    Args:
        name: Key in JSON and in logs.
        title: Row of tables, with an arrow towards better values.
        value: Measures it; `None` where labels would be needed and there are none.
        protocol: All parameters of the number, in words.
        diversity: Whether it belongs to the table of how images spread around the training images.
        comparable: `True` for what is defined on the Inception network of 2015 alone, `False` for what takes its place
            elsewhere, `None` for what is measured on any features.
    """

    name: str
    title: str
    value: Callable[[Sample], float | None]
    protocol: Callable[[Sample], str]
    diversity: bool = False
    comparable: bool | None = None

    def suits(self, extractor: Extractor) -> bool:
        """Whether it is measured on the features of an extractor."""
        return self.comparable in (None, extractor.comparable)


def gan_train(sample: Sample) -> float | None:
    """Accuracy on test images of a small classifier that was trained on the generated ones."""
    if sample.labels is None:
        return None
    return sample.evaluator.classifier_accuracy(sample.images, sample.labels, f"classifier: {sample.title}")


def gan_test(sample: Sample) -> float | None:
    """Share of the generated images that the extractor takes for the class they were asked for."""
    meaning = sample.evaluator.meaning
    if sample.labels is None or meaning.labels is None:
        return None
    return float((sample.predicted == meaning.labels[sample.labels]).mean())


def _of_neighbourhoods(name: str, title: str) -> Metric:
    return Metric(
        name,
        title,
        lambda s: s.neighbourhoods[name],
        lambda s: (
            f"k = {s.neighbours if name in ('precision', 'recall') else min(NEIGHBOURS, s.tests - 1)}, "
            f"{min(s.tests, len(s.images))} generated, {s.tests} test images, "
            f"{s.extractor}"
        ),
    )


def _test_protocol(s: Sample) -> str:
    remark = s.evaluator.meaning.remark if s.labels is not None else ""
    share = f"share of {len(s.images)} generated images that {s.extractor} takes for their label"
    return f"{share}; {remark}" if remark else share


def _clusters_protocol(s: Sample) -> str:
    real = s.test_clusters.distance
    return (
        f"mean distance within clusters of at least 2, at most {CLUSTER} images of each, seed {s.evaluator.seed}; "
        f"{len(s.images)} generated images by nearest of {s.clusters.shots} training images, "
        f"{s.evaluator.extractor.id}; the {s.tests} test images have {'none' if real is None else f'{real:.4f}'}"
    )


METRICS = (
    Metric(
        "ckid", "cKID ↓", lambda s: float(s.kernel_distances.mean()),
        lambda s: f"mean of {SUBSETS} random subsets (half of each class, of at most 4,000 images), "
        f"{'classes weighted by their share, ' if s.labels is not None else ''}unbiased, cubic kernel; "
        f"{s.sets}, {s.extractor}",
    ),
    Metric(
        "ckid_sd", "± sd", lambda s: float(s.kernel_distances.std()),
        lambda s: f"standard deviation over the {SUBSETS} subsets",
    ),
    Metric(
        "cfid", "cFID ↓", lambda s: s.evaluator.reference.distance(s.gaussian),
        lambda s: f"{s.reference}, {s.extractor}", comparable=False,
    ),
    Metric(
        "fid", "FID ↓", lambda s: s.evaluator.reference.distance(s.gaussian),
        lambda s: f"{s.reference}, {s.extractor}; larger for fewer images, so compare it at equal numbers only",
        comparable=True,
    ),
    Metric(
        "fid_infinity", "FID∞ ↓", lambda s: s.frechet_infinity.value,
        lambda s: f"extrapolated to infinitely many images on a line of 10 numbers of them; {s.reference}, "
        f"{s.extractor}",
        comparable=True,
    ),
    Metric(
        "fid_infinity_low", "FID∞, lower end", lambda s: s.frechet_infinity.low,
        lambda s: "of the 95 % interval, from 10 random halves of the images", comparable=True,
    ),
    Metric(
        "fid_infinity_high", "FID∞, upper end", lambda s: s.frechet_infinity.high,
        lambda s: "of the same interval", comparable=True,
    ),
    Metric(
        "kid", "KID ↓", lambda s: s.kernel_estimate.value,
        lambda s: f"all pairs, unbiased, cubic kernel; {s.sets}, {s.extractor}", comparable=True,
    ),
    Metric(
        "kid_low", "KID, lower end", lambda s: s.kernel_estimate.low,
        lambda s: f"of the 95 % interval, by bootstrap over images, {RESAMPLES} resamples", comparable=True,
    ),
    Metric(
        "kid_high", "KID, upper end", lambda s: s.kernel_estimate.high, lambda s: "of the same interval",
        comparable=True,
    ),
    Metric(
        "inception_score", "Inception score ↑", lambda s: s.inception_score[0],
        lambda s: f"{len(s.images)} generated images in {min(SPLITS, len(s.images))} parts, {s.extractor}",
        comparable=True,
    ),
    Metric(
        "inception_score_sd", "± sd of the parts", lambda s: s.inception_score[1],
        lambda s: "standard deviation over the parts", comparable=True,
    ),
    Metric(
        "gaussian_mmd", "Gaussian MMD ↓", lambda s: gaussian_discrepancy(s.evaluator.test_features, s.features),
        lambda s: f"features of length 1, kernel of width {CMMD_WIDTH:g}, unbiased, times 1,000 (CMMD, if of CLIP); "
        f"{s.sets}, {s.extractor}",
    ),
    _of_neighbourhoods("precision", "precision ↑"),
    _of_neighbourhoods("recall", "recall ↑"),
    _of_neighbourhoods("density", "density ↑"),
    _of_neighbourhoods("coverage", "coverage ↑"),
    Metric(
        "gan_train", "classification accuracy score (GAN-train) ↑", gan_train,
        lambda s: f"test accuracy of a small CNN, {s.evaluator.classifier_steps} steps of 64 on {len(s.images)} "
        f"generated, not augmented, seed {s.evaluator.seed}; {s.tests} test images",
    ),
    Metric(
        "gan_test", "GAN-test ↑", gan_test,
        _test_protocol,
    ),
    Metric(
        "nn_ratio", "NN ratio (1 = new, < 1 = copies)",
        lambda s: neighbour_ratio(s.features, s.evaluator.train_features, s.evaluator.test_features),
        lambda s: f"median distance to {len(s.evaluator.train_features)} training images, generated over test; "
        f"{s.extractor}",
    ),
    Metric(
        "intra_cluster", "distance within clusters ↑", lambda s: s.clusters.distance, _clusters_protocol,
        diversity=True,
    ),
    Metric(
        "clusters", "filled clusters ↑", lambda s: s.clusters.filled / s.clusters.shots,
        lambda s: f"{s.clusters.filled} clusters are not empty, of {s.clusters.shots}; the test images fill "
        f"{s.test_clusters.filled}",
        diversity=True,
    ),
    Metric(
        "largest_cluster", "largest cluster ↓", lambda s: s.clusters.largest,
        lambda s: f"share of the images; the test images have {s.test_clusters.largest:.4f}", diversity=True,
    ),
)  # fmt: skip
TITLES = {metric.name: metric.title for metric in METRICS}
