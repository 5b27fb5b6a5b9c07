"""What a recognition method is given: two domains, the features network and a budget. Data only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import keras
import numpy as np

from tfgantl.data import Examples
from tfgantl.errors import ConfigError, DataError
from tfgantl.models.backbones import convolutional_features
from tfgantl.recognition.selection import SELECTIONS


@dataclass(frozen=True)
class Task:
    """Labelled source, and of the target what is known.

    Args:
        source: Labelled training images of the source.
        source_validation: Labelled images of the source that are not trained on.
        unlabelled: Training images of the target; their labels, if there are any, must not be used.
        labelled: The few training images of the target whose labels are known.
        target_validation: Labelled images of the target; only `oracle` selection looks at them.
        features: Makes the features network for an image size and a number of channels.
        steps: Training steps.
        batch_size: Images a step, of each stream.
        learning_rate: Of Adam; falls along a cosine.
        selection: What selects the state to keep: `source_val`, `im`, `snd`, `oracle` or `last`.
        validate_every: Steps between validations.
        seed: Makes training repeatable.
        weak: `DiffAugment` policy of all images that are trained on.
        strong: That of images whose predictions shall be those of the weakly augmented ones.

    Raises:
        ConfigError: If the selection is unknown.
        DataError: If the two domains do not fit each other.
    """

    source: Examples | None
    source_validation: Examples | None
    unlabelled: Examples | None = None
    labelled: Examples | None = None
    target_validation: Examples | None = None
    features: Callable[[int, int], keras.Model] = convolutional_features
    steps: int = 800
    batch_size: int = 64
    learning_rate: float = 1e-3
    selection: str = "im"
    validate_every: int = 100
    seed: int = 0
    weak: str = "affine,resolution"
    strong: str = "affine,resolution,cutout,color"

    def __post_init__(self) -> None:
        if self.selection not in SELECTIONS:
            raise ConfigError(f"`selection` must be one of {', '.join(SELECTIONS)}. Received: {self.selection}")
        parts = [part for part in (self.source, self.unlabelled, self.labelled) if part is not None]
        shapes = {(part.image_size, part.channels) for part in parts}
        if len(shapes) > 1:
            raise DataError(f"source and target must have images of one size and channels. Received: {shapes}")
        classes = {part.num_classes for part in (self.source, self.labelled) if part is not None}
        if len(classes) != 1 or None in classes:
            raise DataError(f"source and target must have labels of the same classes. Received: {classes}")
        if self.num_classes < 2:
            raise DataError("there must be at least 2 classes. Received: 1")

    @property
    def _with_labels(self) -> Examples:
        return cast(Examples, self.source or self.labelled)  # there is one, or there would be no classes

    @property
    def num_classes(self) -> int:
        return cast(int, self._with_labels.num_classes)

    @property
    def shape(self) -> tuple[int, int]:
        """Image size and channels."""
        return self._with_labels.image_size, self._with_labels.channels

    @property
    def setting(self) -> str:
        """The name of the setting, by what is known of the target (Pan and Yang, 2010)."""
        if self.labelled is not None:
            return "inductive"
        return "transductive" if self.unlabelled is not None else "cross-domain"


def with_labels(part: Examples | None, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 and labels int (n,) of a part of a task, as `Examples.subset` gives them.

    Args:
        part: What must be there, and have labels.
        limit: Largest number of images.

    Raises:
        DataError: If there is no such part, or it has no labels.
    """
    images, labels = (None, None) if part is None else part.subset(limit)
    if images is None or labels is None:
        raise DataError("there must be images with labels. Received: none")
    return images, labels
