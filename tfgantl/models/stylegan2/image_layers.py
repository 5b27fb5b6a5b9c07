"""Layers of StyleGAN2 on feature maps: convolutions with gains, modulation, noise, filters, colours.

Half precision is for the convolutions alone: styles and norms of kernels come in float32, the sum of colours and the
statistics of a batch stay in it. On a CPU the plain graph and a shared kernel are the fastest: scaling inputs and
outputs is the same as a kernel for each image, which takes three times as long.

Reference:
    Karras et al., 2020, https://arxiv.org/abs/1912.04958
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.models.stylegan2.dense_layers import activated

TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64  # its sum is 1


def filtered(x: tf.Tensor, padding: int, gain: float = 1.0, stride: int = 1) -> tf.Tensor:
    """Maps (batch, height, width, channels) through the filter [1, 3, 3, 1]² in every channel.

    Args:
        x: The maps.
        padding: Zeros on each side.
        gain: Of flat areas; 4 after zeros have been inserted.
        stride: Keeps every so many places.
    """
    kernel = tf.constant(np.repeat((TAPS * gain)[:, :, None, None], x.shape[-1], axis=2), x.dtype)
    sides = [padding, padding]
    x = tf.pad(x, [[0, 0], sides, sides, [0, 0]])
    return tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "VALID")


def _shape(shape: tuple[int | None, ...], factor: float, channels: int) -> tuple[int | None, ...]:
    return (shape[0], int((shape[1] or 0) * factor), int((shape[2] or 0) * factor), channels)


class _Convolution(keras.layers.Layer):
    """Base: a kernel of any number of pixels, stored in float32 with a deviation of 1, and its gain."""

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # styles must not be rounded; what may be is cast by hand
        self.filters, self.kernel_size = filters, kernel_size

    def add_kernel(self, channels: int) -> None:
        """Makes the kernel for so many input channels."""
        self.gain = (channels * self.kernel_size**2) ** -0.5
        self.kernel = self.add_weight(
            name="kernel", shape=(self.kernel_size, self.kernel_size, channels, self.filters), autocast=False,
            initializer=keras.initializers.RandomNormal(stddev=1.0),
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "filters": self.filters, "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable(package="tfgantl")
class ModulatedConv2D(_Convolution):
    """Maps and styles (batch, channels) → maps: a convolution whose kernel is scaled by the styles of each image.

    Args:
        filters: Output channels.
        kernel_size: Side of the kernel.
        up: Doubles the side: a transposed convolution, and the filter [1, 3, 3, 1].
        demodulate: Divides by the norm of each scaled filter.
    """

    def __init__(self, filters: int, kernel_size: int = 3, up: bool = False, demodulate: bool = True, **kwargs: Any):
        super().__init__(filters, kernel_size, **kwargs)
        self.up, self.demodulate = up, demodulate

    def build(self, shapes: list[tuple[int | None, ...]]) -> None:
        self.add_kernel(int(shapes[0][-1] or 0))

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        maps, styles = inputs
        effective = tf.convert_to_tensor(self.kernel) * self.gain
        kernel = tf.cast(effective, self.compute_dtype)
        x = tf.cast(maps, self.compute_dtype) * tf.cast(styles, self.compute_dtype)[:, None, None]
        if self.up:
            side = 2 * x.shape[1] + 1
            shape = [tf.shape(x)[0], side, side, self.filters]
            x = tf.nn.conv2d_transpose(x, tf.transpose(kernel, (0, 1, 3, 2)), shape, 2, "VALID")
            x = filtered(tf.ensure_shape(x, (None, side, side, self.filters)), padding=1, gain=4.0)
        else:
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        if not self.demodulate:
            return x
        squares = tf.matmul(tf.square(styles), tf.reduce_sum(tf.square(effective), axis=(0, 1)))
        return x * tf.cast(tf.math.rsqrt(squares + 1e-8), x.dtype)[:, None, None]

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return _shape(shapes[0], 2 if self.up else 1, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "up": self.up, "demodulate": self.demodulate}


@keras.saving.register_keras_serializable(package="tfgantl")
class ScaledConv2D(_Convolution):
    """A convolution of the discriminator, with a bias and √2 · leaky ReLU, or with neither.

    Args:
        filters: Output channels.
        kernel_size: Side of the kernel.
        down: Halves the side: the filter [1, 3, 3, 1], and a stride of 2.
        linear: Whether there is neither a bias nor an activation.
        clamp: Bound of the outputs; `None` for none.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        down: bool = False,
        linear: bool = False,
        clamp: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, **kwargs)
        self.down, self.linear, self.clamp = down, linear, clamp

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.add_kernel(int(shape[-1] or 0))
        if not self.linear:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", autocast=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, self.compute_dtype)
        kernel = tf.cast(tf.convert_to_tensor(self.kernel) * self.gain, x.dtype)
        if not self.down:
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        elif self.kernel_size == 1:  # the filter and the choice of every second place are one step
            x = tf.nn.conv2d(filtered(x, padding=1, stride=2), kernel, 1, "VALID")
        else:
            x = tf.nn.conv2d(filtered(x, padding=2), kernel, 2, "VALID")
        return x if self.linear else activated(x + tf.cast(self.bias, x.dtype), self.clamp)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return _shape(shape, 0.5 if self.down else 1, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "down": self.down, "linear": self.linear, "clamp": self.clamp}


@keras.saving.register_keras_serializable(package="tfgantl")
class LearntConstant(keras.layers.Layer):
    """The feature map (side, side, channels) that all images begin with; of its input only the batch size counts.

    Args:
        side: Height and width.
        channels: Its channels.
    """

    def __init__(self, side: int, channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.side, self.channels = side, channels

    def build(self, shape: tuple[int | None, ...]) -> None:
        shape = (self.side, self.side, self.channels)
        initializer = keras.initializers.RandomNormal(stddev=1.0)
        self.constant = self.add_weight(name="constant", shape=shape, initializer=initializer)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.repeat(tf.convert_to_tensor(self.constant)[None], tf.shape(x)[0], axis=0)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.side, self.side, self.channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "side": self.side, "channels": self.channels}


@keras.saving.register_keras_serializable(package="tfgantl")
class Bias(keras.layers.Layer):
    """Adds a number to each channel; then √2 · leaky ReLU, unless it is linear.

    Args:
        linear: Whether there is no activation.
        clamp: Bound of the outputs; `None` for none.
    """

    def __init__(self, linear: bool = False, clamp: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.linear, self.clamp = linear, clamp

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = x + self.bias
        if not self.linear:
            return activated(x, self.clamp)
        return x if self.clamp is None else tf.clip_by_value(x, -self.clamp, self.clamp)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "linear": self.linear, "clamp": self.clamp}
