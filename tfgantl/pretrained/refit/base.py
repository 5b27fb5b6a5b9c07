"""What a family must do so that its networks can be fitted to other images."""

import importlib
from abc import ABC, abstractmethod

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.models.families import FAMILIES, family_names, family_of
from tfgantl.pretrained.refit.editable import EditableNetwork


class Refit(ABC):
    """Changes the networks of one family, losing as little as possible of what they do.

    Each method changes the settings and the arrays of an `EditableNetwork`, and says with `change` how.

    Attributes:
        samples: Images of the source that a discriminator of another size is fitted to.
    """

    samples = 1024

    @abstractmethod
    def resize_generator(self, network: EditableNetwork, size: int) -> None:
        """Changes the side of the images that a generator makes.

        Raises:
            ArtifactError: If the architecture cannot make images of that size.
        """

    @abstractmethod
    def resize_discriminator(self, network: EditableNetwork, size: int, images: np.ndarray) -> None:
        """Changes the side of the images that a discriminator takes.

        Args:
            network: The discriminator.
            size: Wanted side.
            images: float32 samples of the source, of the size that the discriminator takes now.
        """

    @abstractmethod
    def change_channels(self, network: EditableNetwork, channels: int) -> None:
        """Changes the number of channels, 1 → 3 or 3 → 1.

        A generator of gray images makes the same in color; one of color images makes the mean of the three channels
        before the last activation. The discriminator gives a gray image in color the logits that it gave the gray one
        (1 → 3), and the other way round (3 → 1), exactly.
        """

    @abstractmethod
    def label_table(self, network: EditableNetwork) -> str:
        """Path of the embedding (classes, units) of a conditional network."""

    @abstractmethod
    def add_labels(self, network: EditableNetwork) -> None:
        """Changes the weights of an unconditional network so that the labels of `config` have no effect at first."""

    @abstractmethod
    def fold_labels(self, network: EditableNetwork, rows: np.ndarray, how: str) -> None:
        """Writes the average label into the other weights of a network that has lost its table.

        Args:
            network: The network, already without classes in its `config`.
            rows: The table (classes, units).
            how: For the report.
        """

    def label_rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Rows (classes, units) as they must be stored in a table of another number of classes to mean the same."""
        return rows


def refit_of(network: keras.Model) -> Refit:
    """The `Refit` of a network's family.

    Raises:
        ArtifactError: If it is of no family, or of one that cannot be fitted.
    """
    family = family_of(network)
    if family is None or not family.refit:
        fitted = [known for known in FAMILIES if known.refit]
        raise ArtifactError(
            f"the {network.name} must be a {family_names(fitted)} of this package to be fitted to another image size, "
            f"number of channels or classes. Received: {type(network).__name__}; adopt its weights with `networks`"
        )
    module, _, name = family.refit.partition(":")
    return getattr(importlib.import_module(module), name)()
