"""What happens at every validation of a recognition method: statistics, a score, and the state to keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfgantl.errors import DivergedError
from tfgantl.models.copies import assign_weights

if TYPE_CHECKING:
    from tfgantl.recognition.trainer import Trainer


class KeepBest(keras.callbacks.Callback):
    """Validates every so often, and ends with the weights of the best score.

    Args:
        trainer: Scores, and knows how often.
    """

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        self.trainer = trainer
        self.history: list[dict] = []
        self.best_step = 0
        self._best, self._since = -math.inf, 0
        self._weights: list[np.ndarray] = []
        self._sums: dict[str, float] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.model.method.refresh(self.model, self.trainer)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._since += 1
        step, task = batch + 1, self.trainer.task
        if step % task.validate_every and step != task.steps:
            return
        means = {name: total / self._since for name, total in self._sums.items()}
        self._sums, self._since = {}, 0
        not_finite = [name for name, value in means.items() if not math.isfinite(value)]
        if not_finite:
            raise DivergedError(
                f"{type(self.model.method).__name__}: losses must be finite. Received: {', '.join(not_finite)} before "
                f"step {step}"
            )
        self.trainer.recalibrate_batch_norm(self.model, self.model.method.uses)
        score = self.trainer.score(self.model)
        self.history.append({"step": step, **means, "score": score})
        if score >= self._best:
            self._best, self._weights, self.best_step = score, self.model.classifier.get_weights(), step
        self.model.method.refresh(self.model, self.trainer)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        assign_weights(self.model.classifier, self._weights)
