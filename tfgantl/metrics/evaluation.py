"""All numbers of one generator, on held-out images, in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from tfgantl.errors import DataError
from tfgantl.metrics.classification import SmallClassifier, accuracy, affine_augmentation
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.gaussians import FeatureGaussian
from tfgantl.metrics.generator_metrics import METRICS
from tfgantl.metrics.label_meaning import LabelMeaning
from tfgantl.metrics.memorisation import nearest
from tfgantl.metrics.remembered import remembering
from tfgantl.metrics.sample import Sample
from tfgantl.random_streams import Stream


@dataclass(frozen=True)
class Evaluation:
    """Numbers, and the images and features they were made from.

    Args:
        metrics: Name → value, or `None` where labels would be needed.
        protocol: Name → all parameters of the number in `metrics`, in words.
        images: uint8 (n, side, side, channels), the generated images.
        labels: int (n,) they were asked for with, or `None`.
        features: float (n, d).
        nearest_train: Index (n,) of the training image nearest to each.
        diversity: Name → value of how the images spread around the training images.
        diversity_protocol: The same for `diversity`.
    """

    metrics: dict[str, float | None]
    protocol: dict[str, str]
    images: np.ndarray
    labels: np.ndarray | None
    features: np.ndarray
    nearest_train: np.ndarray
    diversity: dict[str, float | None]
    diversity_protocol: dict[str, str]


def labels_like(test_labels: np.ndarray | None, count: int, seed: int) -> np.ndarray | None:
    """Labels (count,) to generate images for, with the shares that classes have among the test images, mixed."""
    if test_labels is None:
        return None
    return np.resize(Stream.LABELS.generator(seed).permutation(test_labels), count)


class Evaluator:
    """Measures generators of one target domain.

    Args:
        extractor: Where features and predicted classes come from.
        train: Images uint8 and labels of the training shots.
        test: Images uint8 and labels that no training and no selection saw.
        num_classes: Number of classes, or `None`.
        seed: Chooses subsets and the initial weights of classifiers.
        classifier_steps: Steps of 64 images that each classifier is trained for.
        classes: Name of each class by its label, or `None`.
        statistics: What Fréchet distances on Inception are from, in place of the test images; `None` for these.

    Attributes:
        meaning: What the labels are called by the extractor.
    """

    def __init__(
        self,
        extractor: Extractor,
        train: tuple[np.ndarray, np.ndarray | None],
        test: tuple[np.ndarray, np.ndarray | None],
        num_classes: int | None,
        seed: int = 0,
        classifier_steps: int = 500,
        classes: Sequence[str] | None = None,
        statistics: FeatureGaussian | None = None,
    ):
        self.extractor: Extractor = remembering(extractor)
        self.statistics: FeatureGaussian | None = statistics
        self.num_classes: int | None = num_classes
        self.seed: int = seed
        self.classifier_steps: int = classifier_steps
        self.meaning: LabelMeaning = LabelMeaning.of(extractor, num_classes, classes)
        side, channels = train[0].shape[2:]
        self._classifier = SmallClassifier(side, channels, num_classes, classifier_steps) if num_classes else None
        self.train_images, self.train_labels = train
        self.test_images, self.test_labels = test
        self.train_features: np.ndarray = self.extractor(self.train_images)[0]
        self.test_features: np.ndarray = self.extractor(self.test_images)[0]

    @cached_property
    def reference(self) -> FeatureGaussian:
        """What Fréchet distances are from: the statistics that were given, or those of the test images."""
        return self.statistics or FeatureGaussian.of(self.test_features)

    def classifier_accuracy(
        self, images: np.ndarray, labels: np.ndarray, title: str, augment: Callable[..., tf.Tensor] | None = None
    ) -> float:
        """Accuracy on the test images of the small CNN, trained on the given ones.

        Raises:
            DataError: If the test images have no labels.
        """
        if self._classifier is None or self.test_labels is None:
            raise DataError("a classifier must have labels to be trained and tested. Received: images alone")
        model = self._classifier.train(images, labels, self.seed, augment=augment, title=title)
        return accuracy(model, self.test_images, self.test_labels)

    def usefulness(self, generated: Evaluation) -> dict[str, float]:
        """Do generated images help a classifier of the target?

        Returns:
            Test accuracy after training on the training images alone, and on these and the generated images, about
            half of each batch from either; each without and with random shifts, turns and zooms.

        Raises:
            DataError: If there are no labels.
        """
        if self.train_labels is None or generated.labels is None:
            raise DataError("a classifier must have labels to be trained and tested. Received: images alone")
        count = max(len(generated.images), len(self.train_images))
        real, fake = (np.resize(np.arange(len(x)), count) for x in (self.train_images, generated.images))
        both = np.concatenate([self.train_images[real], generated.images[fake]])
        both_labels = np.concatenate([self.train_labels[real], generated.labels[fake]])
        result = {}
        for suffix, augment in (("", None), (" augmented", affine_augmentation(self.seed))):
            title = f"classifier: real{suffix}"
            result[f"real{suffix}"] = self.classifier_accuracy(self.train_images, self.train_labels, title, augment)
            title = f"classifier: real + generated{suffix}"
            result[f"real + generated{suffix}"] = self.classifier_accuracy(both, both_labels, title, augment)
        return result

    def some(
        self, images: np.ndarray, labels: np.ndarray | None, names: Sequence[str], title: str = "generated"
    ) -> dict[str, float | None]:
        """Some of the metrics of generated images: name → value, of those that suit the extractor.

        Args:
            images: uint8 (n, side, side, channels).
            labels: int (n,) they were asked for with, or `None`.
            names: Which ones.
            title: What the images are, for progress.
        """
        sample = Sample(self, images, labels, title)
        return {m.name: m.value(sample) for m in METRICS if m.name in names and m.suits(self.extractor)}

    def __call__(self, images: np.ndarray, labels: np.ndarray | None, title: str = "generated") -> Evaluation:
        """Measures generated images.

        Args:
            images: uint8 (n, side, side, channels), at least as many as test images.
            labels: int (n,) they were asked for with, or `None`.
            title: What the images are, for progress.
        """
        sample = Sample(self, images, labels, title)

        def measured(diversity: bool) -> tuple[dict[str, float | None], dict[str, str]]:
            metrics = [m for m in METRICS if m.diversity == diversity and m.suits(self.extractor)]
            return {m.name: m.value(sample) for m in metrics}, {m.name: m.protocol(sample) for m in metrics}

        metrics, protocol = measured(diversity=False)
        diversity, diversity_protocol = measured(diversity=True)
        _, nearest_train = nearest(sample.features, self.train_features)
        return Evaluation(
            metrics, protocol, images, labels, sample.features, nearest_train, diversity, diversity_protocol
        )
