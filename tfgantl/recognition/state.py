"""State that a method carries from step to step, where the traced step reads it."""

import keras
import numpy as np
import tensorflow as tf


class Buffers(keras.layers.Layer):
    """Named arrays that are not trained.

    Args:
        **shapes: Name → shape.

    Example:
        >>> buffers = Buffers(centroids=(10, 128))
        >>> buffers.set(centroids=np.ones((10, 128)))
        >>> buffers["centroids"].shape
        TensorShape([10, 128])
    """

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__(name="memory")
        self.parts = {
            name: self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)
            for name, shape in shapes.items()
        }
        self.built = True

    def __getitem__(self, name: str) -> tf.Tensor:
        return self.parts[name].value

    def set(self, **values: np.ndarray) -> None:
        """Replaces arrays by others of the same shapes."""
        for name, value in values.items():
            self.parts[name].assign(value)


class TrainableVector(keras.layers.Layer):
    """One vector of weights to train that belongs to no network, such as weights of losses; starts as 0.

    Args:
        count: Its length.
    """

    def __init__(self, count: int) -> None:
        super().__init__(name="trainable")
        self.vector = self.add_weight(name="vector", shape=(count,), initializer="zeros")
        self.built = True
