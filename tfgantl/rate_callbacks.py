"""Callbacks of Keras that set the learning rate of a model, for one with two optimizers."""

from typing import Any

import keras

OF_KERAS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def sets_rates(callbacks: Any) -> bool:
    """Whether a list of callbacks has one of Keras that knows of one optimizer, and sets its rate."""
    return isinstance(callbacks, list) and any(isinstance(callback, OF_KERAS) for callback in callbacks)


class SameFactor(keras.callbacks.Callback):
    """Multiplies the rate of the discriminator by whatever the others multiply that of the generator by.

    It stands behind them. A rate that is a schedule has a course of its own, and keeps it.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._before = self._rate()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._follow()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._follow()

    def _rate(self) -> float:
        return float(self.model.optimizer.learning_rate)

    def _follow(self) -> None:
        now, optimizer = self._rate(), self.model.d_optimizer
        if now != self._before and isinstance(optimizer._learning_rate, keras.Variable) and self._before:
            optimizer.learning_rate = float(optimizer.learning_rate) * now / self._before
        self._before = now
