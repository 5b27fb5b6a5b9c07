"""Callbacks of Keras that set the learning rate of a model, for one with two optimizers."""

from typing import Any

import keras

OF_KERAS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def with_both_rates(callbacks: Any) -> Any:
    """Callbacks as `fit` takes them, with `SameFactor` behind the last one of Keras that sets a rate.

    Those that save stand behind both, or a file would have the new rate of one network and the old one of the other.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    found = keras.tree.flatten(callbacks)
    places = [place for place, callback in enumerate(found) if isinstance(callback, OF_KERAS)]
    return [*found[: places[-1] + 1], SameFactor(), *found[places[-1] + 1 :]] if places else callbacks


class SameFactor(keras.callbacks.Callback):
    """Keeps the rate of the discriminator at as many times that of the generator as when training began.

    A rate that is a schedule has a course of its own, and keeps it; so does one beside a rate that begins at 0.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._before, optimizer = self._rate(), self._of_discriminator()
        is_plain = isinstance(optimizer._learning_rate, keras.Variable)
        self._ratio = float(optimizer.learning_rate) / self._before if is_plain and self._before else None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._follow()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._follow()

    def _rate(self) -> float:
        return float(self.model.optimizer.learning_rate)

    def _of_discriminator(self) -> keras.optimizers.Optimizer:
        return getattr(self.model.d_optimizer, "inner_optimizer", self.model.d_optimizer)  # one may scale the loss

    def _follow(self) -> None:
        if (now := self._rate()) != self._before and self._ratio is not None:
            self._of_discriminator().learning_rate = self._ratio * now
        self._before = now
