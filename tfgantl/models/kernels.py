"""Kernels as matrices: what low-rank adapters and importance by filter have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True, eq=False)  # variables compare their values
class Kernel:
    """One kernel of a network, and which of its axes counts the filters.

    Args:
        variable: The stored kernel.
        filter_axis: The output channels: the last axis, but the last but one of a transposed convolution.
        gain: What the network multiplies the stored kernel by when it runs, as networks with an equalised learning
            rate do. Matrices are of the effective kernel, after the gain.
    """

    variable: keras.Variable
    filter_axis: int
    gain: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stored kernel."""
        return tuple(self.variable.shape)

    @property
    def filters(self) -> int:
        """Number of filters."""
        return self.shape[self.filter_axis]

    @property
    def inputs(self) -> int:
        """Number of weights of one filter."""
        return prod(self.shape) // self.filters

    def matrix(self, tensor: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Stored kernel, of the kernel's shape → effective kernel (filters, inputs): one filter a row."""
        tensor = tensor if self.gain == 1.0 else tensor * self.gain
        return tf.reshape(tf.transpose(tensor, self._filters_first), (self.filters, self.inputs))

    def tensor(self, matrix: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Effective kernel (filters, inputs) → stored kernel, of the kernel's shape."""
        shape = [self.shape[axis] for axis in self._filters_first]
        tensor = tf.transpose(tf.reshape(matrix, shape), tf.math.invert_permutation(self._filters_first))
        return tensor if self.gain == 1.0 else tensor / self.gain

    @property
    def _filters_first(self) -> list[int]:
        others = [axis for axis in range(len(self.shape)) if axis != self.filter_axis]
        return [self.filter_axis, *others]

    @property
    def short_name(self) -> str:
        """Name of the layer and of the variable, without slashes."""
        return self.variable.path.replace("/", "_")


def is_kernel_layer(layer: keras.layers.Layer) -> bool:
    """Whether a layer is one of Keras' own dense or two-dimensional convolution layers."""
    return isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose))


def keras_kernels(network: keras.Model) -> Iterator[Kernel]:
    """Kernels of all dense and convolution layers of Keras in a network, however deep, in the order of the layers."""
    for layer in network._flatten_layers(include_self=False):
        if is_kernel_layer(layer):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            yield Kernel(layer.kernel, len(layer.kernel.shape) - (2 if transposed else 1))
