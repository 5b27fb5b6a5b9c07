"""What the metrics of a generator are computed from: its images, their features, and what several metrics share."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from tfgantl.metrics.distances import neighbourhoods, subset_kernel_distances
from tfgantl.metrics.diversity import Clusters, intra_cluster_distance
from tfgantl.metrics.gaussians import FeatureGaussian
from tfgantl.metrics.inception.score import inception_score
from tfgantl.metrics.intervals import Estimate, frechet_infinity, kernel_estimate

if TYPE_CHECKING:
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.metrics.inception.extractor import InceptionExtractor

SUBSETS = 50
NEIGHBOURS = 5
NEIGHBOURS_OF_INCEPTION = 3  # as published numbers of precision and recall have it
SPLITS = 10  # of the Inception score
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

    @property
    def neighbours(self) -> int:
        """Which neighbour sets the radius of precision and recall."""
        return min(NEIGHBOURS_OF_INCEPTION if self.evaluator.extractor.comparable else NEIGHBOURS, self.tests - 1)

    @cached_property
    def neighbourhoods(self) -> dict[str, float]:
        """Precision, recall, density and coverage, of as many generated as test images."""
        real, fake = self.evaluator.test_features, self.features[: self.tests]
        values = neighbourhoods(real, fake, min(NEIGHBOURS, self.tests - 1))
        if self.evaluator.extractor.comparable:
            others = neighbourhoods(real, fake, self.neighbours)
            values |= {name: others[name] for name in ("precision", "recall")}
        return values

    @cached_property
    def gaussian(self) -> FeatureGaussian:
        """Mean and covariance of the features."""
        return FeatureGaussian.of(self.features)

    @cached_property
    def kernel_estimate(self) -> Estimate:
        """Kernel distance of all images with its interval; classes count as they come."""
        return kernel_estimate(self.evaluator.test_features, self.features, seed=self.evaluator.seed)

    @cached_property
    def frechet_infinity(self) -> Estimate:
        """Fréchet distance of infinitely many images with its interval."""
        e = self.evaluator
        real = e.test_features if e.statistics is None else e.statistics
        return frechet_infinity(real, self.features, e.seed, f"FID∞: {self.title}")

    @cached_property
    def inception_score(self) -> tuple[float, float]:
        """The score and its standard deviation over the splits."""
        return inception_score(cast("InceptionExtractor", self.evaluator.extractor).logits(self.features), SPLITS)

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

    @property
    def reference(self) -> str:
        """What Fréchet distances are from, in words."""
        statistics = self.evaluator.statistics
        if statistics is None:
            return self.sets
        known = "an unknown number of" if statistics.images is None else str(statistics.images)
        return f"{len(self.images)} generated images, statistics of {known} images"
