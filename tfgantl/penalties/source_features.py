"""Compares the features of a network with those of the source for the same inputs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl import replicas
from tfgantl.gan import GAN
from tfgantl.models.adapters.base import Adapter, run
from tfgantl.models.blocks import block_features
from tfgantl.models.copies import assign_weights, fresh_copy
from tfgantl.random_streams import StepStream


class SourceFeatures(keras.layers.Layer):
    """Keeps a frozen copy of a network as it is now, and says how its features differ from the present ones.

    Generators are looked at as in training, with the statistics of the batch; there is no difference at the start.

    Args:
        network: The generator or the discriminator, with the weights of the source.
        largest_map: As for `block_features`.
        anchors: float32 (n, latent_dim), latents near which the discriminator sees whole images, or `None`.
    """

    def __init__(
        self, network: keras.Model, largest_map: int | None = None, anchors: np.ndarray | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.source = fresh_copy(network)
        assign_weights(self.source, network.get_weights())
        source_features = block_features(self.source, largest_map)
        self.source_features = lambda: source_features
        features = block_features(network, largest_map)
        self.features = lambda: features  # it shares the layers of the network, which are not this layer's own
        self.anchors: Any = None  # a weight, if there are any
        if anchors is not None:
            self.anchors = self.add_weight(name="anchors", shape=anchors.shape, trainable=False)
            self.anchors.assign(anchors)
        self.built = True

    def near_anchors(self, gan: GAN, noise: tf.Tensor, spread: float, every: int) -> tf.Tensor:
        """The noise itself; in every `every`-th step, latents near random anchors."""
        seeds, count = gan.seeds(StepStream.PENALTY), self.anchors.shape[0]
        pick = replicas.drawn(tf.random.stateless_uniform, (tf.shape(noise)[0],), seeds, 0, count, dtype=tf.int32)
        near = tf.gather(tf.convert_to_tensor(self.anchors), pick) + spread * noise
        return tf.where(gan.step % every == 0, near, noise)

    def pairs(
        self, inputs: Any, adapters: Sequence[Adapter], training: bool = True
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Features of the source and of the present network: pairs of float32 tensors, one for each block.

        Both draw the same random numbers, such as noise on feature maps, which would otherwise count as a difference.
        """
        for mine, its in zip(self.source_features().variables, self.features().variables, strict=True):
            if its.dtype != "float32":  # states of random generators
                mine.assign(its)
        old = tf.nest.flatten(run(self.source_features(), inputs, (), training, keep_statistics=True))
        new = tf.nest.flatten(run(self.features(), inputs, adapters, training, keep_statistics=True))
        return [(tf.cast(a, tf.float32), tf.cast(b, tf.float32)) for a, b in zip(old, new, strict=True)]

    def some_pairs(
        self, gan: GAN, latents: tf.Tensor, labels: tf.Tensor | None, samples: int
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Features of the source and of the present generator, for the first latents of the whole batch."""
        latents, labels = replicas.gathered(latents), None if labels is None else replicas.gathered(labels)
        inputs = gan.inputs(latents[:samples], None if labels is None else labels[:samples])
        with replicas.whole_batch():  # they are few, and each is compared with each
            return self.pairs(inputs, gan.g_adapters)

    def feature_distance(self, gan: GAN, images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Mean over blocks of the squared distance of features, relative to their size; 0 at the source."""
        pairs = self.pairs(gan.inputs(images, labels), gan.d_adapters, training=False)  # without dropout
        sizes = [[replicas.total(tf.reduce_sum(tf.square(x))) for x in (a - b, a)] for a, b in pairs]
        gaps = [gap / (size + 1e-8) for gap, size in sizes]
        return tf.add_n(gaps) / len(gaps)

    def distance_inconsistency(self, gan: GAN, latents: tf.Tensor, labels: tf.Tensor | None, samples: int) -> tf.Tensor:
        """Mean KL divergence of similarity distributions at one random layer (CDC, equation 2); 0 at the source."""
        divergences = []
        for old, new in self.some_pairs(gan, latents, labels, samples):
            p, q = _log_similarities(old), _log_similarities(new)
            divergences.append(tf.reduce_mean(tf.reduce_sum(tf.exp(p) * (p - q), axis=1)))
        layer = tf.random.stateless_uniform((), gan.seeds(StepStream.PENALTY), 0, len(divergences), dtype=tf.int32)
        return tf.gather(tf.stack(divergences), layer)

    def structure_inconsistency(
        self, gan: GAN, latents: tf.Tensor, labels: tf.Tensor | None, samples: int
    ) -> tf.Tensor:
        """Mean smooth L1 distance of self-correlations over all layers (RSSA, equation 5); 0 at the source."""
        losses = [
            _smooth_l1(_self_correlation(old), _self_correlation(new))
            for old, new in self.some_pairs(gan, latents, labels, samples)
        ]
        return tf.add_n(losses) / len(losses)


def _log_similarities(features: tf.Tensor) -> tf.Tensor:
    """(n, …) → (n, n - 1): log softmax over all others of the cosine similarity."""
    flat = tf.math.l2_normalize(tf.reshape(features, (tf.shape(features)[0], -1)), axis=1)
    count = tf.shape(flat)[0]
    cosine = tf.matmul(flat, flat, transpose_b=True)
    others = tf.reshape(tf.boolean_mask(cosine, ~tf.eye(count, dtype=tf.bool)), (count, count - 1))
    return tf.nn.log_softmax(others, axis=1)


def _self_correlation(maps: tf.Tensor) -> tf.Tensor:
    """(n, h, w, c) → (n, h w, h w): cosine similarity of all pairs of positions."""
    shape = tf.shape(maps)
    pixels = tf.math.l2_normalize(tf.reshape(maps, (shape[0], shape[1] * shape[2], shape[3])), axis=2)
    return tf.matmul(pixels, pixels, transpose_b=True)


def _smooth_l1(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    gap = tf.abs(a - b)
    return tf.reduce_mean(tf.where(gap < 1.0, 0.5 * tf.square(gap), gap - 0.5))
