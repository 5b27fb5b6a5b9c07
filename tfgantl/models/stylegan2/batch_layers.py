"""Layers of StyleGAN2 on images and on whole batches, all in float32: colours, their range, and the deviation."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.models.stylegan2.image_layers import TAPS


@keras.saving.register_keras_serializable(package="tfgantl")
class DoubledImage(keras.layers.Layer):
    """Images of twice the side: zeros inserted, then the filter [1, 3, 3, 1], which is linear interpolation."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        side, channels = 2 * x.shape[1], x.shape[-1]
        kernel = tf.constant(4.0 * TAPS[:, :, None, None] * np.eye(channels, dtype=np.float32), x.dtype)
        doubled = tf.nn.conv2d_transpose(x, kernel, [tf.shape(x)[0], side, side, channels], 2, "SAME")
        return tf.ensure_shape(doubled, (None, side, side, channels))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], 2 * (shape[1] or 0), 2 * (shape[2] or 0), shape[3])


@keras.saving.register_keras_serializable(package="tfgantl")
class ImageRange(keras.layers.Layer):
    """Clips images to [-1, 1], but in training, when a discriminator must see by how much they are beyond it.

    Gradients pass as if nothing was clipped, so that what is measured of a network outside of training counts all
    pixels.
    """

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return x if training else tf.stop_gradient(tf.clip_by_value(x, -1.0, 1.0)) + (x - tf.stop_gradient(x))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


@keras.saving.register_keras_serializable(package="tfgantl")
class MinibatchDeviation(keras.layers.Layer):
    """Adds a channel: how much images of a group differ from each other, on average over places and channels.

    Image i is in the group of i, i + n / g, i + 2 n / g …, where g is the largest divisor of the batch size n that is
    at most `group`. Logits thus depend on the other images of a batch.

    Args:
        group: Largest number of images in a group.

    Reference:
        Karras et al., 2018, https://arxiv.org/abs/1710.10196
    """

    mixes_rows = True

    def __init__(self, group: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.group = group

    def call(self, x: tf.Tensor) -> tf.Tensor:
        count, (side, width, channels) = tf.shape(x)[0], x.shape[1:]
        sizes = tf.range(1, tf.minimum(self.group, count) + 1)
        size = tf.reduce_max(tf.where(count % sizes == 0, sizes, 1))
        groups = tf.reshape(x, (size, count // size, side, width, channels))
        deviations = tf.sqrt(tf.math.reduce_variance(groups, axis=0) + 1e-8)
        mean = tf.reduce_mean(deviations, axis=(1, 2, 3), keepdims=True)
        channel = tf.ensure_shape(tf.tile(mean, (size, side, width, 1)), (None, side, width, 1))
        return tf.concat([x, channel], axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], (shape[-1] or 0) + 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group}
