"""Losses of style transfer, on features (batch, height, width, channels) of any float type; results are float32.

Reference:
    Gatys et al., 2016, https://arxiv.org/abs/1508.06576
"""

from collections.abc import Callable

import tensorflow as tf

CONTENT_LAYER = "block4_conv2"
STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")


def gram(features: tf.Tensor, count: tf.Tensor | None = None) -> tf.Tensor:
    """Mean product of each pair of channels: the Gram matrix over positions.

    Args:
        features: (batch, height, width, channels).
        count: Number of positions to divide by, where features are zero outside of a region; all if not given.

    Returns:
        float32 (batch, channels, channels).
    """
    flat, count = _flat(features, count)
    flat = tf.cast(flat, tf.float32)
    return tf.matmul(flat, flat, transpose_a=True) / count


def style_loss(features: tf.Tensor, target: tf.Tensor, count: tf.Tensor | None = None) -> tf.Tensor:
    """Mean squared difference of Gram matrices.

    Args:
        features: (batch, height, width, channels).
        target: Gram matrices float32 (batch or 1, channels, channels).
        count: As for `gram`.

    Returns:
        float32 (batch,).
    """

    # Gram matrices are symmetric, so that the gradient is one product of matrices where automatic differentiation
    # finds two; and it needs no more precision than the features have.
    @tf.custom_gradient
    def loss(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        difference = gram(features, count) - target

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            flat, positions = _flat(features, count)
            size = tf.cast(tf.size(difference) / tf.shape(difference)[0], tf.float32)
            weighted = difference * (4.0 * upstream[:, None, None] / (size * positions))
            return tf.reshape(tf.matmul(flat, tf.cast(weighted, flat.dtype)), tf.shape(features))

        return tf.reduce_mean(tf.square(difference), axis=(1, 2)), gradient

    return loss(features)


def content_loss(features: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of features, float32 (batch,)."""
    return tf.reduce_mean(tf.square(tf.cast(features, tf.float32) - tf.cast(target, tf.float32)), axis=(1, 2, 3))


def total_variation(images: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of neighbouring pixels, float32 (batch,)."""
    down = tf.square(images[:, 1:] - images[:, :-1])
    right = tf.square(images[:, :, 1:] - images[:, :, :-1])
    return tf.reduce_mean(down, axis=(1, 2, 3)) + tf.reduce_mean(right, axis=(1, 2, 3))


def _flat(features: tf.Tensor, count: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(features)
    positions = tf.cast(shape[1] * shape[2], tf.float32) if count is None else count
    return tf.reshape(features, (shape[0], -1, features.shape[-1])), positions
