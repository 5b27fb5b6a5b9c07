"""Networks applied to many inputs, batch by batch. Each is traced once, whatever the number of inputs."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.images import to_unit

BATCH_SIZE = 256
MAX_PIXELS = BATCH_SIZE * 128**2  # of what comes in or out at one time: fewer rows of larger images,
MAX_ACTIVATION = 2**28  # and of what a layer gives for all rows: fewer rows of wide networks


class _Traces:
    """Graphs of one network by the shapes and types of its inputs; an object, so that Keras does not export them."""

    def __init__(self) -> None:
        self.graphs: dict[tuple, Callable] = {}
        self.rows: int | None = None  # that the network is given at one time


def predict(network: keras.Model, inputs: np.ndarray | list[np.ndarray], batch_size: int | None = None) -> Any:
    """Outputs of a network outside of training.

    In place of `keras.Model.predict`, which traces anew for the last batch, and whose traces of many small networks
    TensorFlow takes for one function that is traced too often, and warns of.

    Args:
        network: Any Keras model or layer.
        inputs: Array (n, …), or a list of such arrays. Floats are taken as float32, integers as int32, and arrays of
            objects as strings.
        batch_size: Rows at a time, at most; does not change the result beyond rounding. 256 if not given, and always
            fewer of images of more than 128 px, and in wide networks.

    Returns:
        Array (n, …), in the structure of the network's outputs.
    """
    arrays = [_plain(x) for x in (inputs if isinstance(inputs, list | tuple) else [inputs])]
    rows = min(batch_size or BATCH_SIZE, rows_of(*(x.shape for x in arrays)), rows_at_a_time(network))
    if not isinstance(inputs, list | tuple):
        return in_batches(_graph(network, arrays), arrays, rows)
    return in_batches(_graph(network, arrays, many=True), arrays, rows)


def predict_pixels(network: keras.Model, images: np.ndarray, batch_size: int = BATCH_SIZE) -> Any:
    """Outputs of a network for uint8 images (n, height, width, channels), which as floats take four times the memory.

    Args:
        network: Takes images in [-1, 1].
        images: The images.
        batch_size: As for `predict`.

    Returns:
        As `predict`.
    """
    rows = min(batch_size, rows_of(images.shape), rows_at_a_time(network))
    starts = range(0, max(len(images), 1), rows)
    parts = [predict(network, to_unit(images[start : start + rows])) for start in starts]
    return tf.nest.map_structure(lambda *x: np.concatenate(x), *parts)


def rows_at_a_time(network: keras.Model) -> int:
    """Rows that a network is given at one time, by the images that go in or come out, and its widest layer.

    Example:
        >>> inputs = keras.Input((64, 64, 3))
        >>> rows_at_a_time(keras.Model(inputs, keras.layers.Conv2D(1024, 3, padding="same")(inputs)))
        64
    """
    traces = _traces_of(network)
    if traces.rows is None or not network.built:
        ends = [
            x.shape for x in (*(getattr(network, "inputs", None) or ()), *(getattr(network, "outputs", None) or ()))
        ]
        traces.rows = min(rows_of(*ends), max(1, MAX_ACTIVATION // max(1, _widest(network))))
    return traces.rows


def _widest(network: keras.layers.Layer) -> int:
    """Numbers that the widest layer gives for one row; networks of open sides count as far as these are known."""
    by_depth = getattr(getattr(network, "_functional", None) or network, "_nodes_by_depth", None)
    if by_depth is None:  # of a network that is no graph of layers
        inner = network._flatten_layers(include_self=False, recursive=False)
        return max((_widest(one) for one in inner if isinstance(one, keras.Model)), default=0)
    nodes = [node for some in by_depth.values() for node in some]
    outputs = [math.prod(side or 1 for side in x.shape[1:]) for node in nodes for x in node.output_tensors]
    inside = {id(node.operation): node.operation for node in nodes if isinstance(node.operation, keras.Model)}
    return max([*outputs, *map(_widest, inside.values())], default=0)


def rows_of(*shapes: Sequence[int | None]) -> int:
    """Rows at a time, by the sides of images that go in or come out.

    Example:
        >>> rows_of((10, 64, 64, 3)), rows_of((None, 16), (None, 1024, 1024, 3))
        (256, 4)
    """
    images = [shape for shape in shapes if len(shape) == 4]
    pixels = max((height * width for _, height, width, _ in images if height and width), default=1)
    return min(BATCH_SIZE, max(1, MAX_PIXELS // pixels))


def in_batches(function: Callable, arrays: Sequence[np.ndarray | None], batch_size: int = BATCH_SIZE) -> Any:
    """Calls a function of tensors on some rows at a time.

    Args:
        function: Tensors (batch, …) → tensor (batch, …), or a structure of such.
        arrays: Arrays (n, …), one for each argument; `None` is handed on as it is.
        batch_size: Rows at a time.

    Returns:
        Array (n, …), in the structure that the function gives.
    """
    count = next(len(x) for x in arrays if x is not None)
    if not count:  # convolutions by oneDNN give no rows another shape than some
        one = [None if x is None else _row_of_nothing(x) for x in arrays]
        return tf.nest.map_structure(lambda x: x[:0], in_batches(function, one))
    parts = []
    for start in range(0, count, batch_size):
        rows = slice(start, start + batch_size)
        outputs = function(*(None if x is None else tf.constant(x[rows]) for x in arrays))
        parts.append(tf.nest.map_structure(lambda x: x.numpy(), outputs))
    return tf.nest.map_structure(lambda *x: np.concatenate(x), *parts)


def _traces_of(network: keras.Model) -> _Traces:
    return network.__dict__.get("_inference") or network.__dict__.setdefault("_inference", _Traces())


def _graph(network: keras.Model, arrays: list[np.ndarray], many: bool = False) -> Callable:
    traces = _traces_of(network)
    key = (many, *((x.shape[1:], x.dtype.str) for x in arrays))
    if key not in traces.graphs:

        def forward(*tensors: tf.Tensor) -> Any:
            return network(list(tensors) if many else tensors[0], training=False)

        if tf.config.functions_run_eagerly():  # as whoever debugs a network asks for; this holds for the call alone
            return forward
        specs = [tf.TensorSpec([None, *x.shape[1:]], tf.as_dtype(x.dtype)) for x in arrays]
        # A concrete function: calls of it are not counted as calls of a function that is traced again and again.
        traces.graphs[key] = tf.function(forward, autograph=False, jit_compile=False).get_concrete_function(*specs)
    return traces.graphs[key]


def _row_of_nothing(x: np.ndarray) -> np.ndarray:
    return np.full((1, *x.shape[1:]), b"" if x.dtype.kind == "O" else 0, x.dtype)


def _plain(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype.kind == "O":
        return x
    return x.astype(np.float32 if x.dtype.kind == "f" else np.int32, copy=False)
