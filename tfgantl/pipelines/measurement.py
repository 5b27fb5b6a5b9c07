"""On what generators are measured and shown: images, latents and labels, drawn in this one place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np

from tfgantl.data import Examples
from tfgantl.gan import GAN
from tfgantl.images import finite_pixels, to_uint8
from tfgantl.metrics.evaluation import Evaluator, labels_like
from tfgantl.metrics.extractors import Extractor
from tfgantl.models.inference import BATCH_SIZE, predict
from tfgantl.privacy.audit import Audit, audit_privacy
from tfgantl.random_streams import Stream, latents

MAX_IMAGES = 10_000  # of a split
SHEET = 100  # images that are shown, in rows of ten


@dataclass(frozen=True)
class EvaluationSet:
    """What all generators of a run are measured on, so that they can be compared in pairs.

    Args:
        train: Images uint8 (n, side, side, channels) that training saw, and labels (n,) or `None`.
        test: The same of images that neither training nor selection saw.
        latents: float32 (samples, latent_dim), for the images that are measured.
        labels: int (samples,) with the shares of the test images, or `None` for an unconditional generator.
        num_classes: Number of classes of the generators, or `None`.
        classes: Name of each class by its label, or `None`.
        endless: Whether the training images were drawn as they were needed, and are nobody's pictures.
        asked: What a generator is asked for, if that is not the labels: int (samples,), numbers of captions.
        of: Number of training images, if `train` is a sample of them.
    """

    train: tuple[np.ndarray, np.ndarray | None]
    test: tuple[np.ndarray, np.ndarray | None]
    latents: np.ndarray
    labels: np.ndarray | None
    num_classes: int | None
    classes: tuple[str, ...] | None = None
    endless: bool = False
    asked: np.ndarray | None = None
    of: int | None = None

    @classmethod
    def draw(
        cls, gan: GAN, examples: dict[str, Examples], samples: int, seed: int, max_images: int = MAX_IMAGES
    ) -> Self:
        """Draws everything from a seed.

        Args:
            gan: Pair of the latents and classes in question.
            examples: `train` and `test` → `Examples`.
            samples: Number of generated images.
            seed: Of latents and labels.
            max_images: Images of a split at most.
        """
        train, test = examples["train"].subset(max_images), examples["test"].different(max_images)
        labels = None if gan.num_classes is None else labels_like(test[1], samples, seed)
        noise, of_train = gan.latents(samples, seed, Stream.EVALUATION), examples["train"]
        endless = of_train.size is None
        return cls(train, test, noise, labels, gan.num_classes, of_train.classes, endless, of=of_train.size)

    def generate(self, gan: GAN) -> np.ndarray:
        """The images that are measured, uint8 (samples, side, side, channels).

        Raises:
            ArtifactError: If a pixel is not finite.
        """
        asked = self.labels if self.asked is None else self.asked
        return _in_pixels(
            lambda rows: gan.generate(self.latents[rows], None if asked is None else asked[rows]), len(self.latents)
        )

    def evaluator(self, extractor: Extractor, seed: int, classifier_steps: int) -> Evaluator:
        """Measures generated images against these."""
        return Evaluator(extractor, self.train, self.test, self.num_classes, seed, classifier_steps, self.classes)

    def audit(self, gan: GAN, images: np.ndarray, extractor: Extractor, seed: int) -> Audit:
        """What a trained pair gives away of the training images.

        Args:
            gan: The pair.
            images: What it generated, uint8 (samples, side, side, channels).
            extractor: Features, for one of the spaces.
            seed: Of all choices.
        """
        if self.endless:
            return Audit("unknown", "the training images were drawn without end, and are nobody's pictures")
        if self.asked is not None:  # attacks would have to know what each picture is called
            return audit_privacy(images, self.train, self.test, extractor, seed=seed, of=self.of)

        def score(real: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
            return gan.score(real, None if gan.num_classes is None else labels)  # a target may have labels all the same

        return audit_privacy(images, self.train, self.test, extractor, gan.ema_generator, score, seed, self.of)


def probe_inputs(gan: GAN, labels: np.ndarray | None, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Latents and labels of a probe, which are not those of the run that it asks about.

    Args:
        gan: Pair of the latents and classes in question.
        labels: int (n,) of the validation images, or `None`.
        samples: Number of generated images.
        seed: Of latents and labels.
    """
    wanted = None if gan.num_classes is None else labels_like(labels, samples, seed)
    return gan.latents(samples, seed, Stream.PROBE), wanted


def sheet_of(gan: GAN, seed: int) -> np.ndarray:
    """A hundred generated images to look at, uint8 (100, side, side, channels), a class a row."""
    labels = None if gan.num_classes is None else np.repeat(np.arange(10), 10) % gan.num_classes
    return to_uint8(gan.generate(gan.latents(SHEET, seed=seed), labels))


def real_sheet(images: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """At most a hundred images from all over the array, sorted by class."""
    order = np.arange(len(images)) if labels is None else np.argsort(labels, kind="stable")
    return images[order[np.linspace(0, len(order) - 1, min(SHEET, len(order))).astype(int)]]


def generate_with(generator: keras.Model, labels: np.ndarray | None, samples: int, seed: int) -> np.ndarray:
    """Images of a generator that is no part of a GAN, uint8 (samples, side, side, channels).

    Args:
        generator: Keras model of latents, or of latents and labels.
        labels: int (samples,) for a conditional generator, else `None`.
        samples: Number of generated images.
        seed: Of the latents.

    Raises:
        ArtifactError: If a pixel is not finite.
    """
    noise = latents(samples, generator.inputs[0].shape[-1], seed)
    return _in_pixels(
        lambda rows: predict(generator, noise[rows] if labels is None else [noise[rows], labels[rows]]), samples
    )


def _in_pixels(draw: Callable[[slice], np.ndarray], count: int) -> np.ndarray:
    """Images as bytes, of which no more are floats at one time than a network makes at one time."""
    starts = range(0, count, BATCH_SIZE)
    return np.concatenate([finite_pixels(draw(slice(start, start + BATCH_SIZE))) for start in starts])
