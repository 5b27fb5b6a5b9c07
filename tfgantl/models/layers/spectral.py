"""Layers by their kernel over its largest singular value, which bounds how fast a discriminator can change.

The singular value is estimated by one step of the power iteration in each call. Training carries the estimate on, but
in frozen layers; the stored kernel is left alone, and gradients go through the division.

Reference:
    Miyato et al., 2018, https://arxiv.org/abs/1802.05957
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tfgantl.errors import ConfigError
from tfgantl.models.layers.convolution import Conv2D


class _Spectral(keras.layers.Layer):
    """What both layers share: the direction in which the kernel stretches most, (1, filters)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.direction = self.add_weight(
            shape=(1, self.kernel.shape[-1]), initializer="random_normal", trainable=False, autocast=False,
            name="direction",
        )  # fmt: skip

    def normalised(self, training: bool) -> keras.KerasTensor:
        """The kernel over its largest singular value, float32."""
        kernel = ops.cast(self.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        left = ops.normalize(ops.matmul(self.direction, ops.transpose(fixed)))
        right = ops.normalize(ops.matmul(left, fixed))
        if training and self.trainable:
            self.direction.assign(right)
        return kernel / ops.squeeze(ops.matmul(ops.matmul(left, matrix), ops.transpose(right)))

    # Dense and convolution layers of Keras save their kernel and bias only.
    def save_own_variables(self, store: dict[str, Any]) -> None:
        super().save_own_variables(store)
        store["direction"] = self.direction

    def load_own_variables(self, store: dict[str, Any]) -> None:
        super().load_own_variables(store)
        self.direction.assign(store["direction"])


@keras.saving.register_keras_serializable(package="tfgantl")
class SpectralConv2D(_Spectral, Conv2D):
    """A convolution with a spectral norm of about 1, without activation.

    Raises:
        ConfigError: If there is an activation.

    Example:
        >>> SpectralConv2D(8, 3, padding="same")(keras.random.normal((2, 8, 8, 3))).shape
        TensorShape([2, 8, 8, 8])
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        _check_activation(self)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        outputs = self.convolution_op(inputs, ops.cast(self.normalised(training), inputs.dtype))
        return tf.nn.bias_add(outputs, ops.convert_to_tensor(self.bias)) if self.use_bias else outputs


@keras.saving.register_keras_serializable(package="tfgantl")
class SpectralDense(_Spectral, layers.Dense):
    """A dense layer with a spectral norm of about 1, without activation.

    Raises:
        ConfigError: If there is an activation.

    Example:
        >>> SpectralDense(1)(keras.random.normal((2, 8))).shape
        TensorShape([2, 1])
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(units, **kwargs)
        _check_activation(self)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        outputs = ops.matmul(inputs, ops.cast(self.normalised(training), inputs.dtype))
        return outputs + self.bias if self.use_bias else outputs


def _check_activation(layer: keras.layers.Layer) -> None:
    if layer.activation is not keras.activations.linear:
        name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
        raise ConfigError(f"{type(layer).__name__}: must have no activation of its own. Received: {name}")
