"""Batch normalisation by TensorFlow's fused operation, which Keras composes of about thirty."""

from math import prod

import keras
import tensorflow as tf

from tfgantl import replicas

FUSED = (tf.float32, tf.bfloat16, tf.float16)


@keras.saving.register_keras_serializable(package="tfgantl")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, in training by one operation forward and one backward: oneDNN or Eigen on a CPU, cuDNN on a GPU.

    Weights, their names, configuration and results are those of Keras, to 1e-5 in float32. In half precision images
    stay in it, and statistics, scale and shift are float32.

    What the operation cannot do (another axis than the last, masks, synchronised statistics, renormalisation, float64)
    is left to Keras. In a step that several replicas share, statistics are those of the whole batch.

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
        # With moving statistics Keras needs few operations, and has gradients with respect to them.
        if not (training and self.trainable) or not fits or inputs.dtype not in FUSED:
            return super().call(inputs, training=training, mask=mask)
        if replicas.number() > 1:
            return self._of_whole_batch(inputs)
        channels = self.moving_mean.shape[0]
        images = inputs if rank == 4 else tf.reshape(inputs, (-1, 1, 1, channels))
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones((channels,))
        shift = tf.convert_to_tensor(self.beta) if self.center else tf.zeros((channels,))
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images, scale=scale, offset=shift, mean=tf.zeros((0,)), variance=tf.zeros((0,)), epsilon=self.epsilon,
            is_training=True,
        )  # fmt: skip
        self._update(mean, variance, images)
        outputs = outputs if rank == 4 else tf.reshape(outputs, tf.shape(inputs))
        return tf.cast(tf.ensure_shape(outputs, inputs.shape), self.compute_dtype)

    def _of_whole_batch(self, inputs: tf.Tensor) -> tf.Tensor:
        """The same where each replica sees a part of a batch. Twice as many passes, and as exact as on one device."""
        x = tf.cast(inputs, tf.float32)
        axes = list(range(len(x.shape) - 1))
        mean = replicas.mean(tf.reduce_mean(x, axes))
        centred = x - mean
        variance = replicas.mean(tf.reduce_mean(tf.square(centred), axes))
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        scale = tf.math.rsqrt(variance + self.epsilon)
        scale = scale * tf.convert_to_tensor(self.gamma) if self.scale else scale
        outputs = centred * scale + tf.convert_to_tensor(self.beta) if self.center else centred * scale
        return tf.cast(outputs, self.compute_dtype)

    def _update(self, mean: tf.Tensor, variance: tf.Tensor, images: tf.Tensor) -> None:
        """Moves the moving statistics. The operation divides the variance by n - 1, and Keras by n."""
        static, dynamic = images.shape[:-1], tf.shape(images)[:-1]
        n = float(prod(static)) if static.is_fully_defined() else tf.cast(tf.reduce_prod(dynamic), tf.float32)
        biased = variance * (tf.maximum(n - 1.0, 1.0) / n)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
