"""Layers of StyleGAN2 on vectors: latents, labels, and the styles that they become. All compute in float32.

Weights are stored with a deviation of 1 (or 1 / `rate`), and multiplied by a gain when the network runs, so that all of
them learn at the same pace (an equalised learning rate). Gains are Python floats: NumPy's would make float64 of them.

Reference:
    Karras et al., 2020, https://arxiv.org/abs/1912.04958; equalised learning rates: 2018,
    https://arxiv.org/abs/1710.10196
"""

from typing import Any

import keras
import tensorflow as tf

SLOPE = 0.2
ROOT_2 = 2.0**0.5


def activated(x: tf.Tensor, clamp: float | None = None) -> tf.Tensor:
    """√2 · leaky ReLU, within ±`clamp` if there is one."""
    x = tf.nn.leaky_relu(x, SLOPE) * ROOT_2
    return x if clamp is None else tf.clip_by_value(x, -clamp, clamp)


@keras.saving.register_keras_serializable(package="tfgantl")
class UnitRMS(keras.layers.Layer):
    """Vectors (batch, units) with a mean square of 1: x / sqrt(mean x² + 1e-8)."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + 1e-8)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


@keras.saving.register_keras_serializable(package="tfgantl")
class ScaledDense(keras.layers.Layer):
    """x · kernel · rate / √inputs + bias · rate, then √2 · leaky ReLU unless it is linear.

    Args:
        units: Length of the output.
        rate: How fast it learns, relative to other layers; the stored kernel starts with a deviation of 1 / rate.
        linear: Whether there is no activation.
    """

    def __init__(self, units: int, rate: float = 1.0, linear: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.rate, self.linear = units, rate, linear

    def build(self, shape: tuple[int | None, ...]) -> None:
        inputs = int(shape[-1] or 0)
        self.gain = self.rate / inputs**0.5
        initializer = keras.initializers.RandomNormal(stddev=1.0 / self.rate)
        self.kernel = self.add_weight(name="kernel", shape=(inputs, self.units), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.matmul(x, self.kernel * self.gain) + self.bias * self.rate
        return x if self.linear else activated(x)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "rate": self.rate, "linear": self.linear}


@keras.saving.register_keras_serializable(package="tfgantl")
class LabelTable(keras.layers.Layer):
    """Labels (batch,) → vectors (batch, units): a row / √classes + bias, as a dense layer gives of a one-hot vector.

    Args:
        classes: Number of labels.
        units: Length of the vectors.
    """

    def __init__(self, classes: int, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.classes, self.units = classes, units
        self.gain = classes**-0.5

    def build(self, shape: tuple[int | None, ...]) -> None:
        initializer = keras.initializers.RandomNormal(stddev=1.0)
        self.embeddings = self.add_weight(name="embeddings", shape=(self.classes, self.units), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, labels: tf.Tensor) -> tf.Tensor:
        # Not a lookup, whose sparse gradients have no gradients of their own.
        return tf.matmul(tf.one_hot(labels, self.classes), self.embeddings * self.gain) + self.bias

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape, self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes, "units": self.units}


@keras.saving.register_keras_serializable(package="tfgantl")
class Style(keras.layers.Layer):
    """Styles (batch, units) of one convolution, from the vectors (batch, layers, style_dim) of all: w · kernel + bias.

    Args:
        units: Input channels of the convolution.
        index: Which of the vectors is read.
    """

    def __init__(self, units: int, index: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.index = units, index

    def build(self, shape: tuple[int | None, ...]) -> None:
        inputs = int(shape[-1] or 0)
        self.gain = inputs**-0.5
        initializer = keras.initializers.RandomNormal(stddev=1.0)
        self.kernel = self.add_weight(name="kernel", shape=(inputs, self.units), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="ones")

    def call(self, styles: tf.Tensor) -> tf.Tensor:
        return tf.matmul(styles[:, self.index], self.kernel * self.gain) + self.bias

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "index": self.index}


@keras.saving.register_keras_serializable(package="tfgantl")
class LabelProjection(keras.layers.Layer):
    """Logits (batch, 1) from features and label vectors, both (batch, units): Σ features · vector / √units."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        features, vectors = inputs
        return tf.reduce_sum(features * vectors, axis=-1, keepdims=True) * float(features.shape[-1]) ** -0.5

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return (shapes[0][0], 1)
