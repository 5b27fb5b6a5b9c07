"""How many rows one request may have, and how many of them the graph works on at a time, which bounds its memory."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import tensorflow as tf

MAX_ROWS = 256  # of one request; a server without batching has no other limit
MAX_ANSWER = 2**24  # of an answer: 64 MB as floats, and about the 256 MB of text that clients take


def most_rows(*shapes: Sequence[int | None]) -> int:
    """Rows that a request may have by the numbers of its answer.

    Args:
        shapes: (None, …) of each output; files are one.

    Example:
        >>> most_rows((None, 512, 512, 3)), most_rows((None,))
        (21, 16777216)
    """
    numbers = max((prod(side or 1 for side in shape[1:]) for shape in shapes), default=1)
    return max(1, MAX_ANSWER // numbers)


def in_parts(function: Callable[..., Any], rows: Sequence[tf.Tensor], size: int) -> Any:
    """What a function makes of rows, called with some at a time.

    Args:
        function: Tensors (batch, …), one for each of `rows` → tensors (batch, …); a row depends on its own row alone.
        rows: Tensors (batch, …), with as many rows.
        size: Rows at a time, as `rows_at_a_time` gives them for a network.

    Returns:
        Tensors (batch, …), in the structure that the function gives.
    """
    if size >= MAX_ROWS:
        return function(*rows)
    specs = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in rows]
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    outputs = tf.nest.flatten(traced.structured_outputs)
    count = tf.shape(rows[0])[0]

    def one(start: tf.Tensor, found: list[tf.TensorArray]) -> tuple[tf.Tensor, list[tf.TensorArray]]:
        parts = tf.nest.flatten(traced(*(x[start : start + size] for x in rows)))
        return start + size, [part.write(start // size, value) for part, value in zip(found, parts, strict=True)]

    empty = [
        tf.TensorArray(x.dtype, 0, dynamic_size=True, infer_shape=False, element_shape=[None, *x.shape[1:]])
        for x in outputs
    ]
    # No rows are a part, too, as outputs have a shape then.
    _, found = tf.while_loop(
        lambda start, _: (start < count) | (start < 1), one, (tf.constant(0), empty), parallel_iterations=1
    )
    return tf.nest.pack_sequence_as(traced.structured_outputs, [part.concat() for part in found])
