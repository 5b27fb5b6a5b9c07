"""What a recognition method is: where it starts, what it sees, and what it minimises. Imports no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfgantl.data import Examples
    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.trainer import Trainer

    Batch = dict[str, tuple[tf.Tensor, ...]]  # stream → images, and labels if it has any
    Scalars = dict[str, tf.Tensor]  # by name


class Recognizer:
    """Base of all methods. The order is: fresh networks → `prepare` → compile → `step` for each batch.

    Subclasses are frozen dataclasses: their fields are the options of the method on the command line. A method that
    trains in steps overrides `losses`, or `step` if it takes several in turn; one that does not, or that trains several
    times, overrides `fit` and calls back into the trainer.

    Attributes:
        family: What is transferred (instances, features, the model, relations, generated images), for tables.
        uses: Data that the method trains on: `source`, `unlabelled`, `labelled`. What the task does not have is left
            out, unless it is in `needs`.
        needs: Data that the task must have.
        from_source: Whether the classifier starts as the one trained on the source.
    """

    family: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ("source", "unlabelled", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source",)
    from_source: ClassVar[bool] = False

    def fit(self, trainer: Trainer, title: str | None = None) -> Fitted:
        """Trains a classifier; called by `Trainer.fit`, which checks `needs` first and takes the time.

        Args:
            trainer: Data, budget, and everything that trains and scores.
            title: Shows a progress bar with this title; `None` shows none.

        Raises:
            DivergedError: If a loss is not finite.
        """
        return trainer.train(self, title)

    def facts(self) -> dict[str, str]:
        """Hashes of networks that it starts from or looks at: a run that goes on must have the same."""
        return {}

    def streams(self, trainer: Trainer) -> dict[str, Examples]:
        """What batches are drawn from, by name."""
        return {name: part for name in self.uses if (part := getattr(trainer.task, name)) is not None}

    def networks(self, model: DomainClassifier, trainer: Trainer) -> dict[str, keras.Model]:
        """Networks that are needed during training only, by name."""
        return {}

    def prepare(self, model: DomainClassifier, trainer: Trainer) -> None:
        """Freezes layers and fills buffers, before `compile`."""

    def losses(self, model: DomainClassifier, batch: Batch) -> Scalars:
        """Terms of the loss, scalars by name; called inside the gradient tape.

        Args:
            model: What is trained.
            batch: Stream → images float32 (n, side, side, channels) in [-1, 1], and labels (n,) if it has any.
        """
        return {"task": model.supervised(batch)}

    def step(self, model: DomainClassifier, batch: Batch) -> Scalars:
        """Takes one training step and gives its scalars."""
        return model.minimize(lambda: self.losses(model, batch))

    def generate(self, model: DomainClassifier, trainer: Trainer, count: int) -> tuple[np.ndarray, np.ndarray] | None:
        """At most `count` images uint8 that the trained method generates, and their intended labels, if it does."""
        return None

    def notes(self, model: DomainClassifier) -> dict[str, str]:
        """Diagnostics of the trained method for the report, name → text."""
        return {}

    def refresh(self, model: DomainClassifier, trainer: Trainer) -> None:
        """Called before training, and after every validation."""
