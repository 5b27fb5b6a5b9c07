"""Convolutions joined with the change of the side before or behind them, for less than half of the work.

A convolution of maps whose places stand four times, or one whose results are averaged by fours, is a strided one with a
larger kernel: 16 weights a place of the small map instead of 36, for 3 x 3. Results differ by rounding only.
"""

from typing import Any

import keras
import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.models.layers.convolution import Conv2D
from tfgantl.models.layers.spectral import SpectralConv2D


class _Resampled(keras.layers.Layer):
    """What both layers share: padding to `same`, no stride of their own, and a kernel with a middle."""

    def __init__(self, filters: int, kernel_size: int | tuple[int, int] = 3, **kwargs: Any):
        super().__init__(filters, kernel_size, **{**kwargs, "strides": 1, "padding": "same"})
        if not all(side % 2 for side in self.kernel_size):
            raise ConfigError(f"`kernel_size` must be odd. Received: {self.kernel_size}")


@keras.saving.register_keras_serializable(package="tfgantl")
class DoublingConv2D(_Resampled, Conv2D):
    """Doubles the side of maps, each place standing for four, and convolves them; as `UpSampling2D` and `Conv2D`.

    Args:
        filters: Output channels.
        kernel_size: Odd side of the kernel.
        **kwargs: As for `keras.layers.Conv2D`, but for strides and padding.

    Raises:
        ConfigError: If the kernel has an even side.

    Example:
        >>> DoublingConv2D(2)(np.ones((1, 4, 4, 3), np.float32)).shape
        TensorShape([1, 8, 8, 2])
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        wide = tf.transpose(tf.reverse(_widened(kernel, inputs.dtype), (0, 1)), (0, 1, 3, 2))
        shape = (2 * inputs.shape[1], 2 * inputs.shape[2], self.filters)
        outputs = tf.nn.conv2d_transpose(inputs, wide, [tf.shape(inputs)[0], *shape], 2, "SAME")
        return tf.ensure_shape(outputs, (None, *shape))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], 2 * (shape[1] or 0), 2 * (shape[2] or 0), self.filters)


@keras.saving.register_keras_serializable(package="tfgantl")
class HalvingSpectralConv2D(_Resampled, SpectralConv2D):
    """Convolves maps and halves their side by averaging; as `SpectralConv2D` and `AveragePooling2D`.

    The spectral norm is that of the kernel, without the averaging.

    Args:
        filters: Output channels.
        kernel_size: Odd side of the kernel.
        **kwargs: As for `SpectralConv2D`, but for strides and padding.

    Raises:
        ConfigError: If the kernel has an even side, or there is an activation.

    Example:
        >>> HalvingSpectralConv2D(2)(np.ones((1, 8, 8, 3), np.float32)).shape
        TensorShape([1, 4, 4, 2])
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(inputs, 0.25 * _widened(kernel, inputs.dtype), 2, "SAME")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], (shape[1] or 0) // 2, (shape[2] or 0) // 2, self.filters)


def _widened(kernel: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """The kernel at four neighbouring places, summed: (height + 1, width + 1, inputs, outputs)."""
    kernel = tf.cast(tf.convert_to_tensor(kernel), dtype)
    shifts = [(top, left) for top in (0, 1) for left in (0, 1)]
    return tf.add_n([tf.pad(kernel, [[top, 1 - top], [left, 1 - left], [0, 0], [0, 0]]) for top, left in shifts])
