"""A network that paints in many styles, in one pass: everything is shared but the rows of its normalisations."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tfgantl.errors import ConfigError
from tfgantl.printing import printable

SMALLEST = 16  # pixels a side
MAX_NAME, MAX_BYTES = (
    100,
    200,
)  # characters, and bytes, of the name of a style, which file systems take less than 256 of


def checked_styles(styles: Sequence[str], count: int) -> list[str]:
    """Names of styles, which are the names of folders, too: a network may come from anywhere.

    Raises:
        ConfigError: If they are not one for each style, all different, and fit to name a folder.
    """
    wrong = [
        style for style in styles
        if not isinstance(style, str) or not style.strip() or style.startswith(".") or len(style) > MAX_NAME
        or len(os.fsencode(style)) > MAX_BYTES or printable(style) != style or set(style) & {"/", "\\", ",", ":"}
    ]  # fmt: skip
    if wrong or len(styles) != count or len(set(styles)) < count:
        raise ConfigError(
            f"`styles` must be {count} different names without /, \\, commas, colons and what cannot be seen, "
            f"of at most {MAX_BYTES} bytes, that do not begin with a dot. "
            f"Received: {', '.join(printable(str(style)) for style in wrong or styles)}"
        )
    return list(styles)


@keras.saving.register_keras_serializable(package="tfgantl")
class ConditionalInstanceNorm(layers.Layer):
    """Normalises each channel of each image, then scales and shifts it by a mix of rows, one for each style.

    Args:
        num_styles: Number of rows.
        epsilon: Added to the variance.

    Reference:
        Dumoulin et al., 2017, https://arxiv.org/abs/1610.07629
    """

    def __init__(self, num_styles: int, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_styles, self.epsilon = num_styles, epsilon

    def build(self, input_shape: Sequence[tuple[int | None, ...]]) -> None:
        shape = (self.num_styles, input_shape[0][-1])
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        x, mix = inputs
        mix = ops.cast(mix, "float32")
        values = ops.cast(x, "float32")  # the variance of a large map needs it
        mean, variance = ops.moments(values, axes=(1, 2), keepdims=True)
        scale = ops.matmul(mix, ops.cast(self.gamma, "float32"))[:, None, None] * ops.rsqrt(variance + self.epsilon)
        shift = ops.matmul(mix, ops.cast(self.beta, "float32"))[:, None, None] - mean * scale
        return x * ops.cast(scale, x.dtype) + ops.cast(shift, x.dtype)

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_styles": self.num_styles, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="tfgantl")
class ReflectionPadding(layers.Layer):
    """Continues an image beyond its border by mirroring it, so that convolutions draw no frame.

    Args:
        width: Pixels on each side.
    """

    def __init__(self, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.width = width

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        sides = (self.width, self.width)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        grown = (None if side is None else side + 2 * self.width for side in (height, width))
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="tfgantl")
class Stylizer(keras.Model):
    """Images and a mix of styles → painted images of the same size.

    Two halvings, residual blocks, two enlargements by nearest neighbours (transposed convolutions leave
    checkerboards). Sides must be multiples of 4.

    Args:
        num_styles: Number of styles.
        width: Channels at full size; doubled at each halving.
        blocks: Number of residual blocks.
        styles: Names of the styles; numbers if not given.
        dtype: Keras dtype policy of the hidden layers; images are always float32.

    Raises:
        ConfigError: If `styles` are not one name for each style, all different, and fit to name a folder.

    Reference:
        Johnson et al., 2016, https://arxiv.org/abs/1603.08155; Dumoulin et al., 2017,
        https://arxiv.org/abs/1610.07629
    """

    def __init__(
        self,
        num_styles: int,
        width: int = 16,
        blocks: int = 5,
        styles: Sequence[str] | None = None,
        dtype: str = "float32",
        name: str = "stylizer",
        **kwargs: Any,
    ):
        named = checked_styles(styles or [str(number) for number in range(num_styles)], num_styles)
        images = keras.Input((None, None, 3), name="images")
        mix = keras.Input((num_styles,), name="mix")

        def conv(
            x: keras.KerasTensor, filters: int, kernel: int, stride: int, block: str, relu: bool = True
        ) -> keras.KerasTensor:
            x = ReflectionPadding(kernel // 2, dtype=dtype, name=f"{block}_pad")(x)
            x = layers.Conv2D(filters, kernel, stride, use_bias=False, dtype=dtype, name=f"{block}_conv")(x)
            x = ConditionalInstanceNorm(num_styles, dtype=dtype, name=f"{block}_norm")([x, mix])
            return layers.ReLU(dtype=dtype, name=f"{block}_relu")(x) if relu else x

        x = conv(images, width, 9, 1, "down0")
        x = conv(x, 2 * width, 3, 2, "down1")
        x = conv(x, 4 * width, 3, 2, "down2")
        for block in range(blocks):
            y = conv(x, 4 * width, 3, 1, f"residual{block}a")
            y = conv(y, 4 * width, 3, 1, f"residual{block}b", relu=False)
            x = layers.Add(dtype=dtype, name=f"residual{block}")([x, y])
        for number, filters in enumerate((2 * width, width)):
            x = layers.UpSampling2D(dtype=dtype, name=f"up{number}")(x)
            x = conv(x, filters, 3, 1, f"up{number}")
        x = conv(x, 3, 9, 1, "image", relu=False)
        painted = layers.Activation("tanh", dtype="float32", name="tanh")(x)
        super().__init__([images, mix], painted, name=name, **kwargs)
        self.num_styles, self.width, self.blocks = num_styles, width, blocks
        self.styles = named
        self.hidden_dtype = dtype

    @property
    def num_classes(self) -> int:
        """The number of styles, by the name that exported examples know."""
        return self.num_styles

    def norms(self) -> list[ConditionalInstanceNorm]:
        """The layers that hold a row for each style."""
        return [layer for layer in self.layers if isinstance(layer, ConditionalInstanceNorm)]

    def get_config(self) -> dict[str, Any]:
        return {
            "num_styles": self.num_styles, "width": self.width, "blocks": self.blocks, "styles": self.styles,
            "dtype": self.hidden_dtype, "name": self.name,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Stylizer":
        return cls(**config)


def paint(network: Stylizer, image: tf.Tensor, mix: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Paints one image of any size.

    Args:
        network: Trained.
        image: Float32 (height, width, 3) in [-1, 1], at least 16 pixels a side.
        mix: Share of each style, float32 (styles,).
        strength: From 0 for the image itself to 1 for the painting.

    Returns:
        Of the shape of `image`.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    padded = tf.pad(image, [[0, -height % 4], [0, -width % 4], [0, 0]], "REFLECT")  # the network halves twice
    painted = network([padded[None], tf.convert_to_tensor(mix)[None]], training=False)[0, :height, :width]
    return image + strength * (painted - image)
