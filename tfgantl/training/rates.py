"""Learning rates that can be lowered in the middle of a run."""

from typing import Any

import keras
import tensorflow as tf


class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate, or a schedule of it, times a variable.

    Args:
        rate: Number or schedule.
        factor: Variable to multiply by.
    """

    def __init__(self, rate: float | keras.optimizers.schedules.LearningRateSchedule, factor: keras.Variable) -> None:
        self.rate, self.factor = rate, factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return (self.rate(step) if callable(self.rate) else self.rate) * self.factor

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "factor": float(self.factor)}
