"""What layers of a network take and give for one image, from shapes alone; `tracing` looks inside of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.ops.function import Function

from tfgantl.errors import ArtifactError

RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)  # whose loops take their time, whatever they need
MAX_TURNS = 4096  # of one
OPEN_SIDE = 128  # of the image, where a network takes any


def largest(network: keras.Model, path: Path) -> int:
    """Bytes of what the greediest layer takes and gives for one image; 0 for a network that is not made of layers.

    Args:
        network: As it was built from its configuration, in a graph.
        path: Where it is from, for messages.

    Raises:
        ArtifactError: If they do not follow from the sides of the image.
    """
    function = function_of(network)
    if function is None:
        return max((largest(inner, path) for inner in networks_in(network)), default=0)
    needed = [0]
    function._run_through_graph([one(tensor) for tensor in function.inputs], lambda part: _noted(part, needed, path))
    return max(needed)


def bytes_of(tensor: Any) -> int:
    """Bytes of a weight, or of an activation."""
    return int(np.prod(tensor.shape, dtype=object)) * tf.as_dtype(tensor.dtype).size


def _noted(part: Any, needed: list[int], path: Path) -> Callable[..., Any]:
    """A function that computes the shapes that a layer gives, as Keras does, and notes what it needs.

    A network inside is followed with the shapes that it is called with, as its own may be open.
    """
    function = function_of(part)
    if function is not None:
        return lambda inputs, *_, **__: function._run_through_graph(inputs, lambda inner: _noted(inner, needed, path))
    for network in networks_in(part):
        inner = function_of(network)
        if inner is not None and any(None in tensor.shape[1:] for tensor in inner.inputs):
            raise ArtifactError(
                f"{path}: a network in a {type(part).__name__} must have fixed sides. Received: {network.name}"
            )
        needed.append(largest(network, path))

    def call(*arguments: Any, **options: Any) -> Any:
        outputs = part.compute_output_spec(*arguments, **options)
        given, made = _tensors((arguments, options)), _tensors(outputs)
        if unknown := [tensor.shape for tensor in made if None in tensor.shape]:
            raise ArtifactError(f"{path}: shapes must follow from those of the inputs. Received: {unknown[0]}")
        needed.append(sum(map(bytes_of, [*given, *made])))
        turns = max((tensor.shape[1] for tensor in given if len(tensor.shape) > 2), default=0)
        if isinstance(part, RECURRENT) and turns > MAX_TURNS:
            raise ArtifactError(f"{path}: a recurrent layer must take at most {MAX_TURNS} steps. Received: {turns}")
        return outputs

    return call


def function_of(part: Any) -> Function | None:
    """The graph of layers of a network; `None` for anything else."""
    part = getattr(part, "_functional", None) or part  # that of a `Sequential`
    return part if isinstance(part, Function) else None


def networks_in(layer: Any) -> list[keras.Model]:
    """The networks that a layer, which is none of layers itself, calls in its own way."""
    inner = layer._flatten_layers(include_self=False) if isinstance(layer, keras.layers.Layer) else ()
    return [part for part in inner if isinstance(part, keras.Model)]


def _tensors(structure: Any) -> list[keras.KerasTensor]:
    return [part for part in keras.tree.flatten(structure) if isinstance(part, keras.KerasTensor)]


def one(tensor: Any) -> keras.KerasTensor:
    """The input for one image, of a usual size if it may have any."""
    sides = [side or 1 for side in tensor.shape[:1]] + [side or OPEN_SIDE for side in tensor.shape[1:]]
    return keras.KerasTensor(sides, dtype=tensor.dtype)
