"""Dropout from half of the random numbers, which several replicas of a step draw as one device would."""

import keras
import tensorflow as tf

from tfgantl import replicas

CHANCES = 2**16  # of 16 random bits


@keras.saving.register_keras_serializable(package="tfgantl")
class Dropout(keras.layers.Dropout):
    """Keras' layer, but that each unit takes 16 random bits, and not a float of 32.

    Drawing is most of its work on a CPU: in a DCGAN of 28 px in bfloat16, it was a sixth of the step. The rate is a
    multiple of 2**-16. In a step that several replicas share, bits are drawn for the whole batch. Keras draws for a
    `noise_shape`, and where sides are not known beforehand.

    Example:
        >>> Dropout(0.5, seed=1)(keras.ops.ones((2, 3)), training=False).numpy().tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]

    Reference:
        Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        dropped = round(self.rate * CHANCES)
        sides = inputs.shape[1:] if inputs.shape.rank else [None]
        if not training or self.noise_shape is not None or dropped in (0, CHANCES) or None in sides:
            return super().call(inputs, training=training)

        def stays(shape: tuple, seed: tf.Tensor) -> tf.Tensor:
            count = tf.reduce_prod(shape)
            pairs = tf.random.stateless_uniform([(count + 1) // 2], seed, None, None, tf.uint32)
            bits = tf.reshape(tf.bitcast(pairs, tf.uint16), [-1])[:count]
            return tf.reshape(bits, shape) >= tf.constant(dropped, tf.uint16)

        shape = (tf.shape(inputs)[0], *sides)
        stay = replicas.drawn(stays, shape, tf.cast(self.seed_generator.next(), tf.int32))
        return tf.where(stay, inputs * (CHANCES / (CHANCES - dropped)), tf.zeros((), inputs.dtype))
