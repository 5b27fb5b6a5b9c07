"""From one vector w for an image to one for each of its layers: style mixing, truncation, and the average of w."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfgantl import replicas

DECAY = 0.995  # share of the old average of w that a training step keeps


@keras.saving.register_keras_serializable(package="tfgantl")
class StyleVectors(keras.layers.Layer):
    """w (batch, style_dim) → a vector for each layer (batch, layers, style_dim).

    In training the average of w follows the batch, and, with probability `mixing`, all layers from a random one on read
    the w of another image: of the next latents of the batch, with the label of the image. The paper draws other
    latents; those of the batch are as independent, and are what a transfer method has made of them.

    Outside of training w is truncated: average + truncation · (w - average).

    Args:
        layers: Number of vectors.
        mixing: Probability that a batch is mixed.
        truncation: What is left of the distance from the average; 1 changes nothing, less gives better and less diverse
            images.
        cutoff: How many vectors, from the first, are truncated; `None` for all.
        seed: Of the choices in training.
        mapping: What maps `[latents]`, or `[latents, labels]`, to w; needed for mixing, and known only in a network.

    Attributes:
        average: Moving average of w, (style_dim,).

    Reference:
        Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """

    def __init__(
        self,
        layers: int,
        mixing: float = 0.0,
        truncation: float = 1.0,
        cutoff: int | None = None,
        seed: int = 0,
        mapping: Callable | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.layers, self.mixing, self.truncation, self.cutoff, self.seed = layers, mixing, truncation, cutoff, seed
        self.mapping: Any = mapping
        self.seeds: Any = keras.random.SeedGenerator(seed, name=f"{self.name}_seeds") if mixing else None

    def build(self, shapes: list[tuple[int | None, ...]]) -> None:
        self.average = self.add_weight(name="average", shape=(shapes[0][-1],), initializer="zeros", trainable=False)

    @property
    def buffers(self) -> list[keras.Variable]:
        """What an average of the network takes over as it is: it is an average already."""
        return [self.average]

    def call(self, inputs: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        w, *latents = inputs
        vectors = tf.repeat(w[:, None], self.layers, axis=1)
        if not training:
            return self._truncated(vectors)
        if self.trainable:
            self.average.assign(DECAY * self.average + (1.0 - DECAY) * replicas.mean(tf.reduce_mean(w, axis=0)))
        return self._mixed(vectors, latents) if self.mixing and self.mapping is not None else vectors

    def _truncated(self, vectors: tf.Tensor) -> tf.Tensor:
        if self.truncation == 1.0:
            return vectors
        shares = [self.truncation if self.cutoff is None or i < self.cutoff else 1.0 for i in range(self.layers)]
        average = tf.convert_to_tensor(self.average)
        return average + tf.constant(shares)[:, None] * (vectors - average)

    def _mixed(self, vectors: tf.Tensor, latents: list[tf.Tensor]) -> tf.Tensor:
        other = self.mapping([replicas.rolled(latents[0]), *latents[1:]])
        chance, place = tf.unstack(keras.random.uniform((2,), dtype="float32", seed=self.seeds))
        first = 1 + tf.cast(place * (self.layers - 1), tf.int32)
        first = tf.where(chance < self.mixing, first, self.layers)
        return tf.where((tf.range(self.layers) >= first)[:, None], other[:, None], vectors)

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return (shapes[0][0], self.layers, shapes[0][1])

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("layers", "mixing", "truncation", "cutoff", "seed")}
        return {**super().get_config(), **own}
