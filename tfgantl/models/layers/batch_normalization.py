"""Batch normalisation by TensorFlow's fused operation, which Keras composes of about thirty."""

from math import prod

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgantl")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, computed by one operation forward and one backward: oneDNN or Eigen on a CPU, cuDNN on a GPU.

    Weights, their names, configuration and results are those of Keras, to 1e-5 in float32. In half precision images
    stay in it, and statistics, scale and shift are float32.

    What the operation cannot do (another axis than the last, masks, synchronised statistics, renormalisation, float64)
    is left to Keras.

    Example:
        >>> layer = BatchNormalization()
        >>> layer(np.array([[1.0], [3.0]], np.float32), training=True).numpy().round(2).ravel().tolist()
        [-1.0, 1.0]

    Reference:
        Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        rank = len(inputs.shape)
        fits = self.axis in (-1, rank - 1) and mask is None and not self.synchronized and not self.renorm
        if not fits or inputs.dtype not in (tf.float32, tf.bfloat16, tf.float16):
            return super().call(inputs, training=training, mask=mask)
        channels = self.moving_mean.shape[0]
        images = inputs if rank == 4 else tf.reshape(inputs, (-1, 1, 1, channels))
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones((channels,))
        shift = tf.convert_to_tensor(self.beta) if self.center else tf.zeros((channels,))
        if training and self.trainable:
            outputs, mean, variance = self._normalized(images, scale, shift, (tf.zeros((0,)), tf.zeros((0,))), True)
            self._update(mean, variance, images)
        else:
            moving = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
            outputs, _, _ = self._normalized(images, scale, shift, moving, False)
        outputs = outputs if rank == 4 else tf.reshape(outputs, tf.shape(inputs))
        return tf.cast(tf.ensure_shape(outputs, inputs.shape), self.compute_dtype)

    def _normalized(
        self, images: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, moments: tuple[tf.Tensor, tf.Tensor], batch: bool
    ) -> tuple[tf.Tensor, ...]:
        """Normalised images, and the mean and variance of each channel."""
        return tf.raw_ops.FusedBatchNormV3(
            x=images, scale=scale, offset=shift, mean=moments[0], variance=moments[1], epsilon=self.epsilon,
            is_training=batch,
        )[:3]  # fmt: skip

    def _update(self, mean: tf.Tensor, variance: tf.Tensor, images: tf.Tensor) -> None:
        """Moves the moving statistics. The operation divides the variance by n - 1, and Keras by n."""
        static, dynamic = images.shape[:-1], tf.shape(images)[:-1]
        n = float(prod(static)) if static.is_fully_defined() else tf.cast(tf.reduce_prod(dynamic), tf.float32)
        biased = variance * (tf.maximum(n - 1.0, 1.0) / n)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
