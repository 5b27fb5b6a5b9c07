"""Resizing that is a product with two constant matrices, so that penalties of gradients can pass through it."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgantl")
class LinearResizing(keras.layers.Layer):
    """Bilinear resizing of maps (batch, height, width, channels), with antialiasing where they become smaller.

    The operations of TensorFlow have no second gradients, and those with antialiasing none in half precision.

    Args:
        height: In pixels.
        width: In pixels.

    Example:
        >>> LinearResizing(1, 1)(np.arange(4.0, dtype=np.float32).reshape(1, 2, 2, 1)).numpy().ravel().tolist()
        [1.5]
    """

    def __init__(self, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        rows, columns = (
            tf.constant(triangle_weights(old, new), inputs.dtype)
            for old, new in zip(inputs.shape[1:3], (self.height, self.width), strict=True)
        )
        return tf.einsum("oh,nhwc,pw->nopc", rows, inputs, columns)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


def triangle_weights(old: int, new: int) -> np.ndarray:
    """Weights (new, old) of the old pixels in each new one; rows sum to 1.

    Args:
        old: Pixels of a side.
        new: The same, wanted.
    """
    support = max(1.0, old / new)
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - np.arange(old)) / support)
    return weights / weights.sum(1, keepdims=True)
