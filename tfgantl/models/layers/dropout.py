"""Dropout that several replicas of a step draw as one device would."""

import keras
import tensorflow as tf

from tfgantl import replicas


@keras.saving.register_keras_serializable(package="tfgantl")
class Dropout(keras.layers.Dropout):
    """Keras' layer; in a step that several replicas share, what it drops is drawn for the whole batch.

    Example:
        >>> Dropout(0.5, seed=1)(keras.ops.ones((2, 3)), training=False).numpy().tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]

    Reference:
        Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self.rate == 0 or replicas.number() == 1:
            return super().call(inputs, training=training)

        def factors(shape: tuple) -> tf.Tensor:
            return keras.random.dropout(tf.ones(shape, inputs.dtype), self.rate, seed=self.seed_generator)

        return inputs * replicas.drawn(factors, (tf.shape(inputs)[0], *inputs.shape[1:]))
