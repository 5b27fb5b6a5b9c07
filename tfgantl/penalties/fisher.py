"""How much each weight matters for what the networks know: the diagonal of the Fisher information."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.models.adapters.base import run
from tfgantl.network_pair import NetworkPair
from tfgantl.random_streams import Stream


class Fisher(keras.layers.Layer):
    """Measures the mean squared gradient of the log-likelihood log sigmoid(D(G(z))), one sample at a time.

    The squares are taken sample by sample: the square of a mean, or the mean without a square, is another thing and,
    in the second case, may be below 0. Batch normalisation works with its moving statistics.

    Example:
        >>> information = Fisher()(gan, gan.generator.trainable_variables, count=256, seed=0)

    Reference:
        Kirkpatrick et al., 2017, https://arxiv.org/abs/1612.00796; Li et al., 2020, https://arxiv.org/abs/2012.02780
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._traced: dict[tuple, Callable] = {}  # a method that measures again and again should trace once
        self.built = True

    def __call__(self, gan: NetworkPair, variables: list[keras.Variable], count: int, seed: int) -> list[np.ndarray]:
        """Measures.

        Args:
            gan: The pair, with its adapters.
            variables: Weights of the generator, the discriminator, or their adapters.
            count: Number of generated images.
            seed: Chooses latents and labels.

        Returns:
            An array for each variable, of its shape, float32 and at least 0.
        """
        rng = Stream.FISHER.generator(seed)
        latents = tf.constant(rng.standard_normal((count, 1, gan.latent_dim), np.float32))
        labels = tf.constant(rng.integers(0, gan.num_classes or 1, (count, 1), dtype=np.int32))
        # Of a weight with a copy on each device, one.
        values = [gan.distribute_strategy.experimental_local_results(variable.value)[0] for variable in variables]
        key = (id(gan), *map(id, values))  # which the traced function keeps
        if key not in self._traced:
            self._traced[key] = _measure(gan, values)
        return [total.numpy() for total in self._traced[key](latents, labels)]


def _measure(gan: NetworkPair, values: list[tf.Tensor]) -> Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]]:
    @tf.function(jit_compile=False)
    def measure(latents: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        totals = [tf.zeros(value.shape) for value in values]
        for i in tf.range(len(latents)):
            label = None if gan.num_classes is None else labels[i]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                images = run(gan.generator, gan.inputs(latents[i], label), gan.g_adapters, training=False)
                logits = gan.discriminate(images, label, training=False)
                likelihood = -tf.reduce_sum(tf.nn.softplus(-logits))
            gradients = tape.gradient(likelihood, values, unconnected_gradients="zero")
            totals = [a + tf.square(tf.convert_to_tensor(b)) for a, b in zip(totals, gradients, strict=True)]
        return [total / tf.cast(len(latents), tf.float32) for total in totals]

    return measure


def ranks(scores: np.ndarray) -> np.ndarray:
    """Position of each score in ascending order, int (n,)."""
    return np.argsort(np.argsort(scores, kind="stable"), kind="stable")
