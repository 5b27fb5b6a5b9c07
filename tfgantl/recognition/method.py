"""What a recognition method is: where it starts, what it sees, and what it minimises. Imports no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import keras

    from tfgantl.data import Examples
    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.task import Problem
    from tfgantl.recognition.trainer import Fitted


class Recognizer:
    """Base of all methods. The order is: fresh networks → `prepare` → compile → `step` for each batch.

    Subclasses are frozen dataclasses: their fields are the options of the method. A method that trains in steps
    overrides `losses`, or `step` if it takes several in turn; one that does not overrides `fit`.

    Attributes:
        family: What moves: instances, features, parameters, relations, or images that are generated.
        uses: What of a problem is seen: `source`, `unlabelled`, `labelled`. What the problem does not have is left
            out, unless it is in `needs`.
        needs: What there must be.
        from_source: Whether the classifier starts as the one trained on the source.
    """

    family: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ("source", "unlabelled", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source",)
    from_source: ClassVar[bool] = False

    def fit(self, problem: Problem, title: str | None = None) -> Fitted:
        """Trains a classifier.

        Args:
            problem: Data, networks and budget.
            title: Shows a progress bar with this title; `None` shows none.

        Raises:
            ConfigError: If the problem lacks what the method needs.
            DivergedError: If a loss is not finite.
        """
        from tfgantl.recognition.trainer import train

        return train(self, problem, title)

    def streams(self, problem: Problem) -> dict[str, Examples]:
        """What batches are drawn from, by name."""
        return {name: part for name in self.uses if (part := getattr(problem, name)) is not None}

    def networks(self, problem: Problem, model: DomainClassifier) -> dict[str, keras.Model]:
        """Networks that are needed during training only, by name."""
        return {}

    def prepare(self, model: DomainClassifier, problem: Problem) -> None:
        """Freezes, copies and remembers, before `compile`."""

    def losses(self, model: DomainClassifier, batch: dict) -> dict:
        """Terms of the loss, scalars by name; called inside the gradient tape.

        Args:
            model: What is trained.
            batch: Stream → images float32 (n, side, side, channels) in [-1, 1], and labels (n,) if it has any.
        """
        return {"task": model.supervised(batch)}

    def step(self, model: DomainClassifier, batch: dict) -> dict:
        """Takes one training step and gives its scalars."""
        return model.minimize(lambda: self.losses(model, batch))

    def generate(self, model: DomainClassifier, problem: Problem, count: int) -> tuple | None:
        """At most `count` images uint8 that the trained method makes, and the labels they should show, if it does."""
        return None

    def notes(self, model: DomainClassifier) -> dict:
        """What the trained method has to say about itself, name → text."""
        return {}

    def refresh(self, model: DomainClassifier, problem: Problem) -> None:
        """Called before training, and after every validation."""
