"""Adapters: small layers that make a network compute with other weights than its own.

An adapter maps the weights of a network to the weights that it computes with, so that one mechanism serves every
architecture, and merging is assigning: the result is the plain network again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfgantl.errors import ConfigError
from tfgantl.models.structure import structure_of
from tfgantl.models.variable_names import named_variables, names_of


class Adapter(keras.layers.Layer):
    """A layer that is trained together with a network, and acts through `adapt`. The base class changes nothing.

    Subclasses make their weights in `__init__`, and must be the identity until they are trained.
    """

    def adapt(self, weights: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Gives the weights that the network computes with.

        Args:
            weights: Name of each weight of the network, as by `named_variables` → float32 tensor or variable.

        Returns:
            Those that differ, name → float32 tensor of the same shape.
        """
        return {}


class LabelRamp(Adapter):
    """Takes an unconditional pair over to a conditional one, to keep conditioning on few images from collapsing it.

    Every row of an embedding of labels, and so of a projection, is t · row + (1 - t) · mean of all rows, where t goes
    from 0 at step `start` to 1 at step `end`. At the end the network is exactly plain.

    Args:
        network: Conditional network; all its embeddings of labels take part.
        step: Gives the current step. A function, because a variable would be tracked as one of this layer.
        start: Last step at which labels make no difference.
        end: First step at which they make all of it.

    Raises:
        ConfigError: If the network has no embeddings, or not 0 ≤ `start` < `end`.

    Reference:
        Shahbazi et al., 2022, https://arxiv.org/abs/2201.06578
    """

    def __init__(self, network: keras.Model, step: Callable, start: int, end: int, **kwargs: Any):
        super().__init__(**kwargs)
        tables = structure_of(network).label_tables
        if not tables:
            raise ConfigError(f"`label_ramp` must be left out for a pair without labels. Received: {network.name}")
        if not 0 <= start < end:
            raise ConfigError(f"`label_ramp` must be a start of at least 0 and a later end. Received: {start}, {end}")
        self.names = tuple(names_of(network, tables))
        self.step, self.start, self.end = step, start, end
        self.built = True

    def adapt(self, weights: dict[str, Any]) -> dict[str, tf.Tensor]:
        t = ops.clip((ops.cast(self.step(), "float32") - self.start) / (self.end - self.start), 0.0, 1.0)
        changed = {}
        for name in self.names:
            if name not in weights:  # a part of the network, such as the maps that patches are judged by
                continue
            rows = ops.convert_to_tensor(weights[name])
            changed[name] = t * rows + (1.0 - t) * ops.mean(rows, axis=0, keepdims=True)
        return changed


def effective_weights(network: keras.Model, adapters: Sequence[Adapter]) -> dict[str, tf.Tensor]:
    """Weights, name → tensor, that adapters give a network in place of its own; each sees what those before it did."""
    weights = named_variables(network)
    changed: dict = {}
    for adapter in adapters:
        changed |= adapter.adapt({**weights, **changed})
    return changed


def run(
    network: keras.Model,
    inputs: Any,
    adapters: Sequence[Adapter] = (),
    training: bool = True,
    keep_statistics: bool = False,
) -> Any:
    """Calls a network with the weights that its adapters give it.

    Args:
        network: Any Keras model.
        inputs: What it is called with.
        adapters: Applied in this order.
        training: As for any Keras layer.
        keep_statistics: Whether moving statistics and seeds stay as they are.
    """
    changed = effective_weights(network, adapters)
    if not changed and not keep_statistics:
        return network(inputs, training=training)
    variables = named_variables(network)
    with keras.StatelessScope(state_mapping=[(variables[name], value) for name, value in changed.items()]) as scope:
        outputs = network(inputs, training=training)
    if not keep_statistics:  # within the scope, assignments were only noted
        for name, variable in variables.items():
            noted = scope.get_current_value(variable)
            if noted is not None and name not in changed:
                variable.assign(noted)
    return outputs


def merge(network: keras.Model, adapters: Sequence[Adapter]) -> None:
    """Writes the weights that adapters give into the network, which then computes the same without them."""
    variables = named_variables(network)
    for name, value in effective_weights(network, adapters).items():
        variables[name].assign(value)
