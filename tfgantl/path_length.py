"""Path length regularisation: equal steps of the latents of a StyleGAN2 change its images equally."""

from typing import Any

import keras
import tensorflow as tf

from tfgantl import replicas
from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import run
from tfgantl.models.structure import structure_of
from tfgantl.random_streams import StepStream
from tfgantl.regularizers import Regularizer


@keras.saving.register_keras_serializable(package="tfgantl")
class PathLength(Regularizer):
    """Holds the length of the gradient of images, with respect to the vectors w, near its own running mean.

    y is Σ G(w) · noise / side; the length of an image is sqrt(mean over the layers of Σ (∂y/∂w)²). weight · mean
    (length - running mean)² is added to the loss of the generator, for half of a batch of every `every`-th step, times
    `every` to make up for the others.

    As the penalty is a part of that step, and no step of its own as in the published program, learning rates need no
    correction for it.

    Args:
        weight: Strength; 2 in the paper.
        every: Steps between two penalties.
        decay: Share of the new length in the running mean.

    Attributes:
        mean: The running mean, a weight.

    Raises:
        ConfigError: If `weight` is not above 0, `every` below 1, or `decay` not in (0, 1].

    Example:
        >>> gan.compile(g_optimizer, d_optimizer, regularizers=[PathLength()])

    Reference:
        Karras et al., 2020, https://arxiv.org/abs/1912.04958, section 3.2
    """

    def __init__(self, weight: float = 2.0, every: int = 4, decay: float = 0.01, **kwargs: Any):
        super().__init__(**kwargs)
        if not weight > 0:
            raise ConfigError(f"`weight` must be above 0. Received: {weight}")
        if not every >= 1:
            raise ConfigError(f"`every` must be at least 1. Received: {every}")
        if not 0 < decay <= 1:
            raise ConfigError(f"`decay` must be in (0, 1]. Received: {decay}")
        self.weight, self.every, self.decay = weight, every, decay
        self.mean = self.state("mean")

    def generator_penalty(self, gan: Any, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        return gan.in_every(self.every, lambda: self._penalty(gan, latents, labels), lambda: 0.0)

    def _penalty(self, gan: Any, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        lengths = path_lengths(gan, latents, labels)
        mean = (1.0 - self.decay) * self.mean + self.decay * replicas.mean(tf.reduce_mean(lengths))
        mean = tf.stop_gradient(mean)
        self.mean.assign(mean)
        return self.weight * self.every * tf.reduce_mean(tf.square(lengths - mean))

    def update(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"path": tf.convert_to_tensor(self.mean.value)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight, "every": self.every, "decay": self.decay}


def path_lengths(gan: Any, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
    """Lengths (batch / 2,) for the first half of a batch of latents.

    Args:
        gan: The pair, with a step.
        latents: float32 (batch, latent_dim).
        labels: int (batch,), or `None`.
    """
    check_styles(gan.generator)
    count = tf.maximum(tf.shape(latents)[0] // 2, 1)
    inputs = gan.inputs(latents[:count], None if labels is None else labels[:count])
    network = keras.Model(gan.generator.inputs, [structure_of(gan.generator).styles, gan.generator.outputs[0]])
    with tf.GradientTape() as tape:
        styles, images = run(network, inputs, gan.g_adapters, keep_statistics=True)
        side = float(images.shape[1] * images.shape[2]) ** 0.5
        shape = (tf.shape(images)[0], *images.shape[1:])
        noise = replicas.drawn(tf.random.stateless_normal, shape, gan.seeds(StepStream.PATH_NOISE))
        projected = tf.reduce_sum(images * noise) / side
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(tape.gradient(projected, styles)), 2), 1))


def check_styles(generator: keras.Model) -> None:
    """Refuses a generator that maps latents to no vectors that its layers read.

    Raises:
        ConfigError: If it does not.
    """
    if structure_of(generator).styles is None:
        raise ConfigError(
            "`path_length` must be 0 for a generator whose layers do not read a vector w each, or one behind a miner. "
            f"Received: {type(generator).__name__}"
        )
