"""Means over the images of an evaluation."""

from collections.abc import Sequence

import tensorflow as tf


class RunningMeans:
    """Means of named scalars, in variables that neither Keras nor a checkpoint takes for a part of the model.

    Args:
        *names: Of the scalars.

    Attributes:
        count: Number of images seen, int64.
    """

    def __init__(self, *names: str):
        self.names = names
        self._sums = tf.Variable(tf.zeros(len(names)), trainable=False)
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def count(self) -> tf.Tensor:
        return self._count.read_value()

    def reset(self) -> None:
        """Forgets all."""
        self._sums.assign(tf.zeros_like(self._sums))
        self._count.assign(0)

    def update(self, values: Sequence[tf.Tensor], count: tf.Tensor | int) -> dict[str, tf.Tensor]:
        """Takes the means of a batch of `count` images in, and gives those of all: name → scalar."""
        sums = self._sums.assign_add(tf.stack(values) * tf.cast(count, tf.float32))
        means = sums / tf.cast(self._count.assign_add(tf.cast(count, tf.int64)), tf.float32)
        return dict(zip(self.names, tf.unstack(means), strict=True))
