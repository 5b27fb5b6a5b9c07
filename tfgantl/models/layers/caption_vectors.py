"""What the labels of a text-conditional network stand for: vectors of captions, which a text encoder has made."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

MOST = 46_340  # captions of which each pair has a number of its own in int32


@keras.saving.register_keras_serializable(package="tfgantl")
class CaptionVectors(keras.layers.Layer):
    """Labels (batch,) → unit vectors of captions (batch, dimension), out of a table that nothing trains.

    A label below `captions` is a caption. A larger one, of `blend`, is what lies half way between two: their mean,
    brought to unit length.

    Args:
        captions: Number of captions, at most 46,340.
        dimension: Length of a vector.

    Attributes:
        vectors: Variable (captions, dimension), zeros until they are assigned.

    Example:
        >>> table = CaptionVectors(3, 2)
        >>> table.set_weights([np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])])
        >>> table(np.array([1, blend(0, 1, captions=3)])).numpy()
        array([[0.        , 1.        ],
               [0.70710677, 0.70710677]], dtype=float32)

    Reference:
        Reed et al., 2016, https://arxiv.org/abs/1605.05396 (GAN-INT)
    """

    never_changes = True

    def __init__(self, captions: int, dimension: int, dtype: str = "float32", **kwargs: Any):
        super().__init__(dtype=dtype, trainable=False, **kwargs)
        self.captions = captions
        self.dimension = dimension
        self.vectors = self.add_weight(
            name="vectors", shape=(captions, dimension), initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, labels: tf.Tensor) -> tf.Tensor:
        labels = ops.cast(labels, "int32")
        pairs = ops.maximum(labels - self.captions, 0)
        blended = labels >= self.captions
        first = ops.where(blended, pairs // self.captions, labels)
        second = ops.where(blended, pairs % self.captions, labels)
        mean = (ops.take(self.vectors, first, axis=0) + ops.take(self.vectors, second, axis=0)) / 2
        return ops.where(blended[:, None], ops.normalize(mean, axis=-1), mean)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, self.dimension)

    def get_config(self) -> dict[str, Any]:
        return {"captions": self.captions, "dimension": self.dimension, "dtype": "float32", "name": self.name}


def blend(first: Any, second: Any, captions: int) -> Any:
    """The label of what lies half way between two captions of a table of so many."""
    return captions + first * captions + second
