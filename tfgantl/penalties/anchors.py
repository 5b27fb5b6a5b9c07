"""Remembers weights, and measures how far others are from them."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.models.variable_names import named_variables, names_of


class Anchors(keras.layers.Layer):
    """Copies of the trainable weights of some networks, and how much each of them matters.

    Args:
        networks: Where the copies are taken, now.
        importance: Name of a weight, as by `named_variables` → array of its shape, at least 0; `None` for 1 everywhere.
    """

    def __init__(self, networks: list[keras.Model], importance: dict[str, np.ndarray] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.anchors, self.importance = {}, {}
        for network in networks:
            variables = network.trainable_variables
            for name, variable in zip(names_of(network, variables), variables, strict=True):
                key = (id(network), name)
                self.anchors[key] = self._keep(f"anchor_{name}", variable.numpy())
                if importance is not None:
                    self.importance[key] = self._keep(f"importance_{name}", importance[name])
        self.built = True

    def _keep(self, name: str, value: np.ndarray) -> keras.Variable:
        copy = self.add_weight(name=name.replace("/", "_"), shape=value.shape, trainable=False)
        copy.assign(value)
        return copy

    def distance(self, network: keras.Model) -> tf.Tensor:
        """Scalar Σ importance · (weight - anchor)² over all anchored weights of a network; 0 where they were taken."""
        total = 0.0
        for name, variable in named_variables(network).items():
            key = (id(network), name)
            if key in self.anchors:
                squares = tf.square(tf.convert_to_tensor(variable) - self.anchors[key])
                total += tf.reduce_sum(squares * self.importance[key] if self.importance else squares)
        return total
