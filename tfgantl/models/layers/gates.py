"""Gated linear units: half of the channels say how much of the other half passes."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfgantl")
class GatedLinearUnit(keras.layers.Layer):
    """The first half of the channels, times the sigmoid of the second half.

    Example:
        >>> GatedLinearUnit()(keras.random.normal((2, 8, 8, 6))).shape
        TensorShape([2, 8, 8, 3])

    Reference:
        Dauphin et al., 2017, https://arxiv.org/abs/1612.08083
    """

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        passed, gate = ops.split(x, 2, axis=-1)
        return passed * ops.sigmoid(gate)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], (shape[-1] or 0) // 2)
