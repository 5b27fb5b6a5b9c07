"""A training step on one of several devices, each of which has a part of the batch: what is about the whole batch.

Row i of a batch is on replica i modulo their number. So the first half of what a replica has is its part of the first
half of the batch, and groups of images that lie at equal distances are on one replica.

A loss is a mean over the rows of a replica, and the gradient of the step the mean over replicas; what depends on a
whole batch is computed from all of its rows on every replica. On one device all functions are the plain ones, and add
no operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

_here = threading.local()  # replicas of one machine are traced in threads


def number() -> int:
    """How many replicas the step that is being traced is shared among; 1 outside of any."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 1 if context is None or getattr(_here, "whole", False) else context.num_replicas_in_sync


@contextmanager
def whole_batch() -> Iterator[None]:
    """Within it, this replica computes by itself what all of them compute, from rows that it has gathered."""
    before = getattr(_here, "whole", False)
    _here.whole = True
    try:
        yield
    finally:
        _here.whole = before


def rows(batch: tf.Tensor) -> tf.Tensor:
    """The rows of a whole batch that are on this replica."""
    count = number()
    return batch if count == 1 else batch[_index() :: count]


def drawn(draw: Callable[..., tf.Tensor], shape: tuple[Any, ...], *arguments: Any, **options: Any) -> tf.Tensor:
    """Random numbers for the rows of this replica: those that one device would give them.

    Args:
        draw: A random function of a shape and what follows, such as `tf.random.stateless_normal`.
        shape: What is wanted, with the rows first.
        *arguments: For `draw`.
        **options: For `draw`.

    Example:
        >>> drawn(tf.random.stateless_normal, (2, 3), seed=(0, 5)).shape
        TensorShape([2, 3])
    """
    count = number()
    if count == 1:
        return draw(shape, *arguments, **options)
    return rows(draw((shape[0] * count, *shape[1:]), *arguments, **options))


def mean(value: tf.Tensor) -> tf.Tensor:
    """Mean over replicas, which has a gradient; of means of rows, that of the batch."""
    return value if number() == 1 else _reduced("MEAN", value)


def total(value: tf.Tensor) -> tf.Tensor:
    """Sum over replicas, which has a gradient."""
    return value if number() == 1 else _reduced("SUM", value)


def part(loss: tf.Tensor) -> tf.Tensor:
    """The part of a replica in a loss, whose gradients Keras' optimizers add up over replicas."""
    count = number()
    return loss if count == 1 else loss / count


def gathered(batch: tf.Tensor) -> tf.Tensor:
    """All rows of a batch, in their order, from those of each replica; it has a gradient."""
    import tensorflow as tf

    count = number()
    if count == 1:
        return batch
    # A sum with zeros: an operation that gathers would give the rows of one replica after those of another.
    mine = tf.one_hot(_index(), count, dtype=batch.dtype)
    spread = batch[:, None] * tf.reshape(mine, (1, count, *[1] * (len(batch.shape) - 1)))
    return tf.reshape(_reduced("SUM", spread), tf.concat([[tf.shape(batch)[0] * count], tf.shape(batch)[1:]], 0))


def rolled(batch: tf.Tensor) -> tf.Tensor:
    """The row before, in the whole batch, for each row of this replica; the last one for the first."""
    import tensorflow as tf

    return rows(tf.roll(gathered(batch), 1, 0))


def rows_in_all(batch: tf.Tensor) -> tf.Tensor:
    """Number of rows of the whole batch, of which this replica has some; int32."""
    import tensorflow as tf

    count = tf.shape(batch)[0]
    return count if number() == 1 else count * number()


def _index() -> Any:
    import tensorflow as tf

    return tf.distribute.get_replica_context().replica_id_in_sync_group


def _reduced(how: str, value: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce(how, value)
