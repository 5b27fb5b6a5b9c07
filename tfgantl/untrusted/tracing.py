"""What a network needs in memory for one image inside of its layers, from the operations that it is made of.

A layer may make more than it takes and gives: all pairs of places, a square around a long picture, many maps for each
channel. It is traced in a graph, where nothing is computed, and what would be there at one time is added up.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.activations import function_of, networks_in, one

MAX_OPERATIONS = 50_000  # of a network; large ones have ten thousand, and tracing this many takes a minute
VIEWS = {"ExpandDims", "Identity", "Reshape", "Squeeze", "StopGradient"}  # of what their first input holds
VARIABLES = {"ReadVariableOp", "VarHandleOp"}  # whose bytes are in the file


class CountingGraph(tf.Graph):
    """A graph that, while a network is traced in it, has an end.

    Attributes:
        refusal: What was too much; Keras would raise an error of its own for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.traced: list[tf.Operation] | None = None
        self.refusal: str | None = None

    def _create_op_internal(self, *arguments: Any, **options: Any) -> tf.Operation:
        operation = super()._create_op_internal(*arguments, **options)
        if self.traced is not None:
            self.traced.append(operation)
            if len(self.traced) > MAX_OPERATIONS:
                self.refusal = f"must have at most {MAX_OPERATIONS} operations. Received: more"
                raise OverflowError(self.refusal)
        return operation


def peak(network: keras.Model, graph: CountingGraph, path: Path) -> int:
    """Bytes that are there at one time, for one image, in training or not.

    Operations are taken to run in the order in which layers name them; gradients are not among them.

    Args:
        network: As it was built in `graph`, which is the default graph.
        graph: Where to trace it.
        path: Where it is from, for messages.

    Raises:
        ArtifactError: If it is made of too many operations.
    """
    function = function_of(network)
    if function is None:
        return max((peak(inner, graph, path) for inner in networks_in(network)), default=0)
    inputs = [tf.zeros(spec.shape, spec.dtype) for spec in map(one, function.inputs)]
    graph.traced, most = [], 0
    try:
        for training in (False, True):  # some layers only do something in training
            graph.traced.clear()
            function(keras.tree.pack_sequence_as(function._inputs_struct, inputs), training=training)
            most = max(most, _peak(graph.traced, {}, path))
        return most
    except Exception as error:
        if graph.refusal is not None:
            raise ArtifactError(f"{path}: a network {graph.refusal}") from error
        raise
    finally:
        graph.traced = None


def _peak(operations: Sequence[tf.Operation], bodies: dict[str, int], path: Path) -> int:
    """The most that is live at one time: what an operation gives is, until the last one that takes it has run.

    Args:
        operations: In their order.
        bodies: Name of a function → what it needs, as far as that is known.
        path: Where the network is from, for messages.
    """
    holders: dict[str, str] = {}  # a view → what it is a view of
    last: dict[str, int] = {}
    for number, operation in enumerate(operations):
        taken = [holders.get(tensor.name, tensor.name) for tensor in operation.inputs]
        if operation.type in VIEWS and taken:
            holders |= {tensor.name: taken[0] for tensor in operation.outputs}
        last |= dict.fromkeys(taken, number)
    longest: dict[str, int] = {}  # side of each tensor
    ends: dict[int, int] = {}  # number of an operation → bytes of which it is the last that takes them
    live = most = 0
    for number, operation in enumerate(operations):
        side_of_inputs = max((longest.get(tensor.name, 1) for tensor in operation.inputs), default=1)
        for tensor in operation.outputs:
            sides = _sides(tensor, side_of_inputs)
            longest[tensor.name] = max(sides, default=1)
            if operation.type not in VARIABLES | VIEWS:
                size = int(np.prod(sides, dtype=object)) * tensor.dtype.size
                end = max(last.get(tensor.name, number), number)
                ends[end] = ends.get(end, 0) + size
                live += size
        most = max(most, live + _bodies(operation, bodies, path))
        live -= ends.pop(number, 0)
    return most


def _sides(tensor: tf.Tensor, longest: int) -> list[int]:
    """Those of a tensor for one image; one that only running would tell is taken for the longest that is near.

    Layers that pad a picture to a square do not say how large that is.
    """
    known = tensor.shape.as_list() if tensor.shape.rank is not None else []
    longest = max([longest, *(side for side in known if side is not None)])
    return [(longest if place else 1) if side is None else side for place, side in enumerate(known)]


def _bodies(operation: tf.Operation, bodies: dict[str, int], path: Path) -> int:
    """What the functions need that an operation calls, such as the body of a loop."""
    needed = 0
    for attribute in operation.op_def.attr if operation.op_def else ():
        if attribute.type not in ("func", "list(func)"):
            continue
        value = operation.get_attr(attribute.name)
        for called in value if isinstance(value, list) else [value]:
            if called.name not in bodies:
                inner = getattr(operation.graph._get_function(called.name), "graph", None)
                operations = inner.get_operations() if inner is not None else []
                if len(operations) > MAX_OPERATIONS:
                    raise ArtifactError(
                        f"{path}: a loop must have at most {MAX_OPERATIONS} operations. Received: {len(operations)}"
                    )
                bodies[called.name] = 0
                bodies[called.name] = _peak(operations, bodies, path)
            needed = max(needed, bodies[called.name])
    return needed
