"""The metrics of a generator: one list, from which tables, titles, JSON and model cards follow.

To add one, write a function of a `Sample` and its entry in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.metrics.distances import frechet_distance, neighbourhoods, subset_kernel_distances
from tfgantl.metrics.diversity import Clusters, intra_cluster_distance
from tfgantl.metrics.memorisation import neighbour_ratio

if TYPE_CHECKING:
    from tfgantl.metrics.evaluation import Evaluator

SUBSETS = 50
NEIGHBOURS = 5
CLUSTER = 50


class Sample:
    """Generated images, and what several metrics need of them; each part is computed once, when it is asked for.

    Args:
        evaluator: The `Evaluator`, with the real images and their features.
        images: uint8 (n, side, side, channels), at least as many as test images.
        labels: int (n,) they were asked for with, or `None`.
        title: What the images are, for progress.

    Attributes:
        features: float (n, d).
        predicted: int (n,), the classes that the extractor sees.
    """

    def __init__(self, evaluator: Evaluator, images: np.ndarray, labels: np.ndarray | None, title: str):
        self.evaluator, self.images, self.labels, self.title = evaluator, images, labels, title
        self.features: np.ndarray
        self.predicted: np.ndarray
        self.features, self.predicted = evaluator.extractor(images)

    @cached_property
    def kernel_distances(self) -> np.ndarray:
        """Kernel distances over random halves, float64 (SUBSETS,)."""
        known = None if self.labels is None else self.evaluator.test_labels
        return subset_kernel_distances(
            self.evaluator.test_features, [self.features], SUBSETS, self.evaluator.seed, known, self.labels
        )[0]

    @cached_property
    def neighbourhoods(self) -> dict[str, float]:
        """Precision, recall, density and coverage, of as many generated as test images."""
        count = len(self.evaluator.test_features)
        return neighbourhoods(self.evaluator.test_features, self.features[:count], min(NEIGHBOURS, count - 1))

    @cached_property
    def clusters(self) -> Clusters:
        """How the images lie around the training images."""
        return intra_cluster_distance(self.features, self.evaluator.train_features, CLUSTER, self.evaluator.seed)

    @cached_property
    def test_clusters(self) -> Clusters:
        """The same of the test images, for comparison."""
        e = self.evaluator
        return intra_cluster_distance(e.test_features, e.train_features, CLUSTER, e.seed)

    @property
    def tests(self) -> int:
        """Number of test images."""
        return len(self.evaluator.test_features)

    @property
    def extractor(self) -> str:
        """Which one, in words."""
        return f"extractor {self.evaluator.extractor.id}"

    @property
    def sets(self) -> str:
        """The sets that are compared, in words."""
        return f"{len(self.images)} generated, {self.tests} test images"


@dataclass(frozen=True)
class Metric:
    """One number of a generator.

    Args:
        name: Key in JSON and in logs.
        title: Row of tables, with an arrow towards better values.
        value: Measures it; `None` where labels would be needed and there are none.
        protocol: All parameters of the number, in words.
        diversity: Whether it belongs to the table of how images spread around the training images.
    """

    name: str
    title: str
    value: Callable[[Sample], float | None]
    protocol: Callable[[Sample], str]
    diversity: bool = False


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
            f"k = {min(NEIGHBOURS, s.tests - 1)}, {min(s.tests, len(s.images))} generated, {s.tests} test images, "
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
        lambda s: f"mean of {SUBSETS} random subsets (half of each class, at most 1,000 images), "
        f"{'classes weighted by their share, ' if s.labels is not None else ''}unbiased, cubic kernel; "
        f"{s.sets}, {s.extractor}",
    ),
    Metric(
        "ckid_sd", "± sd", lambda s: float(s.kernel_distances.std()),
        lambda s: f"standard deviation over the {SUBSETS} subsets",
    ),
    Metric(
        "cfid", "cFID ↓", lambda s: frechet_distance(s.evaluator.test_features, s.features),
        lambda s: f"{s.sets}, {s.extractor}",
    ),
    _of_neighbourhoods("precision", "precision ↑"),
    _of_neighbourhoods("recall", "recall ↑"),
    _of_neighbourhoods("density", "density ↑"),
    _of_neighbourhoods("coverage", "coverage ↑"),
    Metric(
        "gan_train", "GAN-train ↑", gan_train,
        lambda s: f"small CNN, {s.evaluator.classifier_steps} steps of 64 on {len(s.images)} generated, "
        f"not augmented, seed {s.evaluator.seed}; {s.tests} test images",
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
