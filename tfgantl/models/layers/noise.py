"""Noise on feature maps, which makes details that the latents do not say."""

from typing import Any

import keras
import tensorflow as tf

from tfgantl.replicas import drawn


@keras.saving.register_keras_serializable(package="tfgantl")
class Noise(keras.layers.Layer):
    """Adds strength · noise, one value a place for all channels: random in training, else the same map for all images.

    Args:
        seed: Of the noise in training.

    Attributes:
        strength: One number.
        map: What is added outside of training, (side, side). It is never trained, and stays what it is.
    """

    def __init__(self, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed, name=f"{self.name}_seeds")

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.strength = self.add_weight(name="strength", shape=(), initializer="zeros")
        initializer = keras.initializers.RandomNormal(stddev=1.0)
        self.map = self.add_weight(name="map", shape=shape[1:3], initializer=initializer, trainable=False)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training:
            shape = (tf.shape(x)[0], x.shape[1], x.shape[2], 1)
            noise = drawn(keras.random.normal, shape, dtype=self.compute_dtype, seed=self.seeds)
        else:
            noise = tf.convert_to_tensor(self.map)[None, :, :, None]
        return x + noise * self.strength

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
