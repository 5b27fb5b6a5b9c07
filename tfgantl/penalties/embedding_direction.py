"""How far a generator has moved its images along a direction in the space of an image encoder, and past it."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.models.adapters.base import run
from tfgantl.models.copies import assign_weights, fresh_copy


class EmbeddingDirection(keras.layers.Layer):
    """Keeps a frozen copy of a generator as it is now, and compares its images with the present ones.

    Args:
        generator: With the weights of the source.
        encoder: Images (batch, side, side, channels) in [-1, 1] → vectors (batch, dimension); images of another size
            are resized.
        direction: float (dimension,), of unit length.
        amount: Length of a change that counts as one.
    """

    def __init__(
        self, generator: keras.Model, encoder: keras.Model, direction: np.ndarray, amount: float, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.source = fresh_copy(generator)
        assign_weights(self.source, generator.get_weights())
        self.encoder = encoder
        self.encoder.never_changes = True
        self.direction = tf.constant(direction, tf.float32)
        self.amount = amount
        self.built = True

    def changes(self, inputs: Any, fakes: tf.Tensor) -> tf.Tensor:
        """What has become of images in the space of the encoder, float32 (batch, dimension).

        Args:
            inputs: What the generator has made them of.
            fakes: The images.
        """
        before = run(self.source, inputs, (), True, keep_statistics=True)
        return self._embedded(fakes) - tf.stop_gradient(self._embedded(before))

    def loss(self, inputs: Any, fakes: tf.Tensor, keep: float) -> tf.Tensor:
        """1 - cosine of the change and the direction, which is 1 without any change; and what goes astray.

        Args:
            inputs: What the generator has made the images of.
            fakes: The images.
            keep: Weight of the squared length of the part of the change that is not along the direction.
        """
        changes = self.changes(inputs, fakes)
        along = tf.linalg.matvec(changes, self.direction)
        astray = tf.reduce_sum(tf.square(changes), axis=1) - tf.square(along)
        cosine = along / tf.sqrt(tf.square(along) + astray + self.amount**2)
        return tf.reduce_mean(1.0 - cosine + keep * astray)

    def _embedded(self, images: tf.Tensor) -> tf.Tensor:
        side, channels = self.encoder.input_shape[1], self.encoder.input_shape[-1]
        images = tf.cast(images, tf.float32)
        if images.shape[1] != side:
            images = tf.image.resize(images, (side, side), antialias=True)
        if images.shape[-1] != channels:
            images = tf.image.rgb_to_grayscale(images) if channels == 1 else tf.image.grayscale_to_rgb(images)
        return self.encoder(images, training=False)
