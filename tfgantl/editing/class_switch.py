"""The same code as another class, and on the way to it."""

from collections.abc import Sequence

import keras
import numpy as np

from tfgantl.editing.latent_space import STATISTICS, LatentSpace
from tfgantl.errors import ConfigError
from tfgantl.models.copies import assign_weights, fresh_copy
from tfgantl.models.structure import structure_of
from tfgantl.random_streams import Stream

OF_EACH = 64  # images of each class that say what a class decides


class ClassSwitch:
    """Shows codes as other classes.

    In z the code stays, and the label is another. Behind a mapping a code knows its class, and is moved by the
    difference of the mean codes of both classes. On the way, a label is a mixture: of the rows of all tables of labels
    in z, and of the means behind a mapping.

    Args:
        space: Of a conditional generator.

    Raises:
        ConfigError: If the generator has no classes.

    Example:
        >>> switch = ClassSwitch(LatentSpace(tfgantl.load_generator("rendered-digits")))
        >>> codes = switch.space.sample(4, labels=np.array([1, 1, 1, 1]))
        >>> switch(codes, np.array([1, 1, 1, 1]), 7).shape
        (4, 28, 28, 1)
    """

    def __init__(self, space: LatentSpace) -> None:
        if space.num_classes is None:
            raise ConfigError("the model must have classes for a switch of class. Received: a generator without")
        self.space, self.classes = space, space.num_classes
        self._means: np.ndarray | None = None
        self._copy: tuple[keras.Model, LatentSpace] | None = None

    def __call__(
        self, codes: np.ndarray, labels: Sequence[int] | np.ndarray, to: int, share: float = 1.0
    ) -> np.ndarray:
        """Images of codes as another class.

        Args:
            codes: float32 (n, *space.shape).
            labels: int (n,), their own classes.
            to: The class.
            share: Of that class, from 0 for the own one to 1.

        Returns:
            float32 (n, height, width, channels) in [-1, 1].

        Raises:
            ConfigError: If the label has to be mixed, and the generator has no tables of labels.
            DataError: If labels, or the class, are none of the generator.
        """
        labels, (to,) = self.space.checked(labels, len(codes)), self.space.checked([to], 1)
        if not self.space.reads_labels:
            means = self._mean_codes()
            return self.space.images(codes + share * (means[to] - means[labels]))
        if share in (0.0, 1.0):
            return self.space.images(codes, labels if share == 0.0 else np.full(len(codes), to))
        return self._mixing(to, share).images(codes, labels)

    @property
    def mixes(self) -> bool:
        """Whether there is a way between classes."""
        return not self.space.reads_labels or bool(structure_of(self.space.generator).label_tables)

    def unchanged(self, seed: int = 0) -> np.ndarray:
        """Where classes decide least: the half of the pixels, bool (height, width), that differ least between classes.

        Args:
            seed: Of the images that this is seen from.
        """
        labels = np.repeat(np.arange(self.classes), OF_EACH)
        codes = self.space.sample(len(labels), labels, seed, Stream.CODES)
        parts = np.split(np.arange(len(labels)), self.classes)  # images of all classes may not fit into memory
        spread = np.stack([self.space.images(codes[part], labels[part]).mean(0) for part in parts]).std(0).mean(-1)
        return spread <= np.median(spread)

    def _mixing(self, to: int, share: float) -> LatentSpace:
        """A space of a copy whose labels stand for mixtures with one class."""
        tables = structure_of(self.space.generator).label_tables
        if not tables:
            raise ConfigError("labels must have tables in the model to be mixed. Received: a model without")
        if self._copy is None:
            copy = fresh_copy(self.space.generator)
            assign_weights(copy, self.space.generator.get_weights())
            self._copy = copy, LatentSpace(copy, "z")
        copy, space = self._copy
        for own, mixed in zip(tables, structure_of(copy).label_tables, strict=True):
            rows = own.numpy()
            mixed.assign((1 - share) * rows + share * rows[to])
        return space

    def _mean_codes(self) -> np.ndarray:
        """Mean code of each class (classes, *space.shape)."""
        if self._means is None:
            count = max(STATISTICS, OF_EACH * self.classes)
            labels = np.arange(count) % self.classes
            codes = self.space.sample(count, labels, 0, Stream.CODES)
            self._means = np.stack([codes[labels == label].mean(0) for label in range(self.classes)])
        return self._means


def change(images: np.ndarray, others: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean absolute difference (n,) of images in [-1, 1] at some pixels, bool (height, width)."""
    return np.abs(images - others)[:, where].mean((1, 2))
