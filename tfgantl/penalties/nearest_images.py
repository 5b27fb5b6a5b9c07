"""Pulls to each real image the generated one that looks most like it."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgantl import replicas
from tfgantl.metrics.perceptual import normalised
from tfgantl.models.vgg import vgg16

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3")  # the others are blind to where a line is
APART = 1e3  # distance of images of different classes


class NearestImages(keras.layers.Layer):
    """Distances of real to generated images by VGG16, which is no part of the state.

    Args:
        shape: Height, width and channels.
        weights: As for `tfgantl.models.vgg.vgg16`.
        pixel: Weight of the mean absolute difference of pixels.
    """

    def __init__(self, shape: tuple[int, int, int], weights: str | Path | None, pixel: float, **kwargs: Any):
        super().__init__(**kwargs)
        network = vgg16(LAYERS, weights, shape)
        self.network = lambda: network  # in a closure: checkpoints need not hold what never changes
        self.pixel = pixel
        self.built = True

    def loss(self, images: tf.Tensor, labels: tf.Tensor | None, fakes: tf.Tensor) -> tf.Tensor:
        """Mean over real images of the distance to the nearest generated image of their class.

        Args:
            images: float32 (batch, height, width, channels) in [-1, 1].
            labels: Of both, int (batch,), or `None`.
            fakes: float32 of the same shape.
        """
        real = self.network()(images, training=False)
        fakes = replicas.gathered(fakes)
        made = self.network()(fakes, training=False)
        distances = 0.0
        for a, b in zip(real, made, strict=True):
            # Both have length 1, so that the squared distance is 2 - 2 cos.
            distances += 2.0 - 2.0 * tf.matmul(normalised(a), normalised(b), transpose_b=True)
        gaps = tf.abs(images[:, None] - fakes[None])
        distances = distances / len(LAYERS) + self.pixel * tf.reduce_mean(gaps, axis=(2, 3, 4))
        if labels is not None:
            distances += APART * tf.cast(labels[:, None] != replicas.gathered(labels)[None], tf.float32)
        return tf.reduce_mean(tf.reduce_min(distances, axis=1))
