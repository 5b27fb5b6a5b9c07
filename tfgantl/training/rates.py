"""Learning rates that can be lowered in the middle of a run."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgantl")
class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate, or a schedule of it, times a variable.

    Args:
        rate: Number or schedule.
        factor: Variable to multiply by. A file holds its value; a GAN that is loaded puts its own variable back.
    """

    def __init__(self, rate: float | keras.optimizers.schedules.LearningRateSchedule, factor: keras.Variable) -> None:
        self.rate, self.factor = rate, factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return (self.rate(step) if callable(self.rate) else self.rate) * self.factor

    def get_config(self) -> dict[str, Any]:
        return {"rate": keras.saving.serialize_keras_object(self.rate), "factor": float(self.factor)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ScaledRate":
        return cls(keras.saving.deserialize_keras_object(config["rate"]), config["factor"])
