"""Kernels as matrices: what low-rank adapters and importance by filter have in common."""

from dataclasses import dataclass

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Kernel:
    """One kernel of a network, and which of its axes counts the filters.

    Args:
        path: Path of the variable.
        shape: Its shape.
        filter_axis: The output channels: the last axis, but the last but one of a transposed convolution.
    """

    path: str
    shape: tuple[int, ...]
    filter_axis: int

    @property
    def filters(self) -> int:
        return self.shape[self.filter_axis]

    @property
    def inputs(self) -> int:
        """Number of weights of one filter."""
        return int(tf.TensorShape(self.shape).num_elements()) // self.filters

    def matrix(self, tensor):
        """Tensor of the kernel's shape → (filters, inputs): one filter a row."""
        return tf.reshape(tf.transpose(tensor, self._filters_first), (self.filters, self.inputs))

    def tensor(self, matrix):
        """(filters, inputs) → tensor of the kernel's shape."""
        shape = [self.shape[axis] for axis in self._filters_first]
        return tf.transpose(tf.reshape(matrix, shape), tf.math.invert_permutation(self._filters_first))

    @property
    def _filters_first(self):
        others = [axis for axis in range(len(self.shape)) if axis != self.filter_axis]
        return [self.filter_axis, *others]

    @property
    def short_name(self) -> str:
        return self.path.replace("/", "_")


def kernels(network: keras.Model, but: tuple[str, ...] = ()) -> list[Kernel]:
    """All kernels of the dense and convolution layers of a network, but those of the layers named, in their order."""
    found = []
    for layer in network._flatten_layers(include_self=False):
        if layer.name in but:
            continue
        if isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            shape = tuple(layer.kernel.shape)
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            found.append(Kernel(layer.kernel.path, shape, len(shape) - (2 if transposed else 1)))
    return found
