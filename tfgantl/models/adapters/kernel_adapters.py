"""Adapters that change kernels: by a low-rank sum, by singular values, by modulation, and by filter."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import Adapter
from tfgantl.models.kernels import Kernel
from tfgantl.models.structure import structure_of
from tfgantl.models.variable_names import names_of


class _KernelAdapter(Adapter, ABC):
    """Base: makes weights for each kernel, and changes its matrix (filters, inputs).

    Args:
        network: Network whose kernels are adapted.
        outputs: Whether those of the output layers are, too.

    Attributes:
        kernels: Name of a kernel in the network → the kernel.
        parts: The same name → weights made for it.

    Raises:
        ConfigError: If the network has no kernel that could be adapted, and the method would do nothing.
    """

    def __init__(self, network: keras.Model, outputs: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        structure = structure_of(network)
        kernels = structure.kernels if outputs else structure.inner_kernels
        if not kernels:
            raise ConfigError(
                f"`transfer` must be a method that adapts no kernels, such as FineTune, since the {network.name} has "
                f"none that are known. Received: one that does, for {type(network).__name__}"
            )
        names = names_of(network, [kernel.variable for kernel in kernels])
        self.kernels = dict(zip(names, kernels, strict=True))
        self.parts = {name: self.make(kernel) for name, kernel in self.kernels.items()}
        self.built = True

    def weight(self, kernel: Kernel, name: str, value: np.ndarray, trainable: bool = True) -> keras.Variable:
        """Makes a weight with an initial value."""
        value = np.asarray(value, np.float32)
        variable = self.add_weight(name=f"{kernel.short_name}_{name}", shape=value.shape, trainable=trainable)
        variable.assign(value)
        return variable

    @abstractmethod
    def make(self, kernel: Kernel) -> tuple[keras.Variable, ...]:
        """Makes the weights for one kernel."""

    @abstractmethod
    def change(self, matrix: tf.Tensor, *parts: keras.Variable) -> tf.Tensor:
        """Gives the matrix to compute with, from that of the network and what `make` made."""

    def adapt(self, weights: dict[str, Any]) -> dict[str, tf.Tensor]:
        return {
            name: kernel.tensor(self.change(kernel.matrix(tf.convert_to_tensor(weights[name])), *self.parts[name]))
            for name, kernel in self.kernels.items()
        }


class LowRank(_KernelAdapter):
    """W' = W + B A; A (rank, inputs) is random, B (filters, rank) starts at 0."""

    def __init__(self, network: keras.Model, rank: int, seed: int, **kwargs: Any):
        self.rank, self.rng = rank, np.random.default_rng([seed, 31])
        super().__init__(network, **kwargs)

    def make(self, kernel: Kernel) -> tuple[keras.Variable, ...]:
        rank = min(self.rank, kernel.filters, kernel.inputs)
        down = self.rng.standard_normal((rank, kernel.inputs)) / np.sqrt(kernel.inputs)
        return self.weight(kernel, "down", down), self.weight(kernel, "up", np.zeros((kernel.filters, rank)))

    def change(self, matrix: tf.Tensor, down: keras.Variable, up: keras.Variable) -> tf.Tensor:
        return matrix + tf.matmul(up, down)


class SingularValues(_KernelAdapter):
    """W' = W + U diag(d) V^T with the singular vectors of W; d starts at 0."""

    def make(self, kernel: Kernel) -> tuple[keras.Variable, ...]:
        matrix = kernel.matrix(kernel.variable.numpy()).numpy()
        left, singular, right = np.linalg.svd(matrix, full_matrices=False)
        return (
            self.weight(kernel, "left", left, trainable=False),
            self.weight(kernel, "right", right, trainable=False),
            self.weight(kernel, "change", np.zeros_like(singular)),
        )

    def change(
        self, matrix: tf.Tensor, left: keras.Variable, right: keras.Variable, change: keras.Variable
    ) -> tf.Tensor:
        return matrix + tf.matmul(left * change, tf.convert_to_tensor(right))


class Modulation(_KernelAdapter):
    """W' = W * (1 + v u^T); u (inputs,) is random, v (filters,) starts at 0.

    `chosen` (filters,) is 1 for filters that are modulated, and whose own weights then get no gradient, and 0 for
    those that are trained as they are.
    """

    def __init__(self, network: keras.Model, seed: int, **kwargs: Any):
        self.rng = np.random.default_rng([seed, 37])
        super().__init__(network, **kwargs)

    def make(self, kernel: Kernel) -> tuple[keras.Variable, ...]:
        return (
            self.weight(kernel, "u", self.rng.standard_normal(kernel.inputs)),
            self.weight(kernel, "v", np.zeros(kernel.filters)),
            self.weight(kernel, "chosen", np.ones(kernel.filters), trainable=False),
        )

    def change(self, matrix: tf.Tensor, u: keras.Variable, v: keras.Variable, chosen: keras.Variable) -> tf.Tensor:
        u, v, chosen = (tf.convert_to_tensor(part) for part in (u, v, chosen))
        modulated = tf.stop_gradient(matrix) * (1.0 + v[:, None] * u[None])
        return chosen[:, None] * modulated + (1.0 - chosen[:, None]) * matrix


class FilterStates(_KernelAdapter):
    """Each filter is tuned, frozen as it was when it was chosen, or pruned to 0.

    Frozen values are stored apart, because the moments of an optimizer move a weight also when its gradient is 0.
    """

    def make(self, kernel: Kernel) -> tuple[keras.Variable, ...]:
        return (
            self.weight(kernel, "tuned", np.ones(kernel.filters), trainable=False),
            self.weight(kernel, "frozen", np.zeros(kernel.filters), trainable=False),
            self.weight(kernel, "kept", kernel.matrix(kernel.variable.numpy()), trainable=False),
        )

    def change(
        self, matrix: tf.Tensor, tuned: keras.Variable, frozen: keras.Variable, frozen_values: keras.Variable
    ) -> tf.Tensor:
        tuned, frozen, frozen_values = (tf.convert_to_tensor(x) for x in (tuned, frozen, frozen_values))
        return tuned[:, None] * matrix + frozen[:, None] * frozen_values
