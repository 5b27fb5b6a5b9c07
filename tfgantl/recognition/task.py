"""What a recognition method is given: two domains, networks and a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfgantl.data import Examples
from tfgantl.errors import ConfigError, DataError
from tfgantl.images import to_unit
from tfgantl.metrics.classification import accuracy
from tfgantl.models.backbones import convolutional_features, linear_head
from tfgantl.recognition.domain_classifier import DomainClassifier
from tfgantl.recognition.selection import SELECTIONS, information, probabilities, soft_neighbourhood_density

if TYPE_CHECKING:
    from tfgantl.recognition.trainer import Fitted

MAX_CALIBRATION_IMAGES = 1600  # images that BatchNorm statistics are measured on
SCORED = 2000  # images that a state is judged by while it is trained
POOL = 4000  # images of an endless source that methods see which look at all of it at once


@dataclass(frozen=True)
class Problem:
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
        selection: What chooses the state to keep: `source_val`, `im`, `snd`, `oracle` or `last`.
        validate_every: Steps between validations.
        seed: Makes training repeatable.
        weak: `DiffAugment` policy of all images that are trained on.
        strong: That of images whose predictions shall be those of the weakly augmented ones.

    Raises:
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
    _cache: dict = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self):
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
    def _one(self) -> Examples:
        return self.source or self.labelled

    @property
    def num_classes(self) -> int:
        return self._one.num_classes

    @property
    def shape(self) -> tuple[int, int]:
        """Image size and channels."""
        return self._one.image_size, self._one.channels

    @property
    def setting(self) -> str:
        """The name of the setting, by what is known of the target (Pan and Yang, 2010)."""
        if self.labelled is not None:
            return "inductive"
        return "transductive" if self.unlabelled is not None else "cross-domain"

    def model(self) -> DomainClassifier:
        """A classifier with fresh weights, the same ones for equal seeds."""
        keras.utils.set_random_seed(self.seed)
        features = self.features(*self.shape)
        return DomainClassifier(features, linear_head(features.output_shape[-1], self.num_classes), self.seed)

    def source_fitted(self, title: str | None = "source") -> Fitted:
        """The classifier trained on the source alone, in the same number of steps; trained once for all methods."""
        if "source" not in self._cache:
            from tfgantl.recognition.methods.baselines import SourceOnly
            from tfgantl.recognition.trainer import train

            alone = replace(self, unlabelled=None, labelled=None, selection="source_val")
            self._cache["source"] = train(SourceOnly(), alone, title)
        return self._cache["source"]

    def source_model(self) -> DomainClassifier:
        """The model of `source_fitted`."""
        return self.source_fitted().model

    def score(self, model: DomainClassifier) -> float:
        """How good a classifier looks to the selection; more is better.

        Without what the selection looks at, all classifiers count as equal.
        """
        if self.selection == "source_val" and self.source_validation is not None:
            return accuracy(model.classifier, *self.source_validation.subset(SCORED))
        if self.selection == "oracle" and self.target_validation is not None:
            return accuracy(model.classifier, *self.target_validation.subset(SCORED))
        if self.selection in ("im", "snd") and self.unlabelled is not None:
            said = probabilities(model, self.unlabelled.subset(SCORED)[0])
            return information(said) if self.selection == "im" else soft_neighbourhood_density(said)
        return 0.0

    @cached_property
    def pool(self) -> tuple[np.ndarray, np.ndarray]:
        """Source images uint8 (n, side, side, channels), and labels: all of them, or `POOL`."""
        return self.source.subset(POOL)

    @cached_property
    def target_pool(self) -> np.ndarray | None:
        """All images of the target that may be seen, uint8, or `None`."""
        part = self.unlabelled or self.labelled
        return None if part is None else part.subset(POOL)[0]

    def recalibrate_batch_norm(self, model: DomainClassifier, uses: tuple[str, ...]) -> None:
        """Gives a classifier the statistics of the domain that it is for, as far as it may know it."""
        for name in ("unlabelled", "labelled", "source"):
            part = getattr(self, name)
            if name in uses and part is not None:
                return model.recalibrate_batch_norm(to_unit(part.subset(MAX_CALIBRATION_IMAGES)[0]))
