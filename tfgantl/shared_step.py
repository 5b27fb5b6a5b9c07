"""Training steps that several replicas share, under a strategy of `tf.distribute`.

Reductions over replicas must not stand in a branch that is taken in some steps only: replicas of one machine wait for
each other outside of branches alone. So what is done in every so-many-th step has a graph of its own.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgantl import replicas


def shared(step: Callable[..., dict[str, tf.Tensor]]) -> Callable[..., dict[str, tf.Tensor]]:
    """A training step of arrays as a graph; in the scope of several replicas, each of them takes its rows.

    Args:
        step: Takes tensors (batch, …), scalars and `None`, and gives scalars by name, which are means over rows.
            What it minimises goes through `replicas.part`; what is about a whole batch, through `replicas`.

    Returns:
        The same of whole batches, which all workers must have.

    Example:
        >>> double_mean = shared(lambda numbers: {"mean": 2 * tf.reduce_mean(numbers)})
        >>> float(double_mean(tf.constant([1.0, 3.0]))["mean"])
        4.0
    """
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        return tf.function(step, autograph=False, reduce_retracing=True)

    def rows_of(whole: tf.Tensor | None) -> tf.Tensor | None:
        return whole if whole is None or not whole.shape.rank else replicas.rows(whole)

    def of_replica(*whole: Any) -> dict[str, tf.Tensor]:
        values = step(*[rows_of(batch) for batch in whole])
        means = replicas.mean(tf.stack([tf.cast(value, tf.float32) for value in values.values()]))
        return dict(zip(values, tf.unstack(means, num=len(values)), strict=True))

    def of_all(*whole: Any) -> dict[str, tf.Tensor]:
        outputs = strategy.run(of_replica, args=whole)
        return {name: strategy.experimental_local_results(value)[0] for name, value in outputs.items()}

    return tf.function(of_all, autograph=False, reduce_retracing=True)


class SharedStep:
    """Takes the place of Keras' train function for one pattern of freezing.

    Args:
        gan: A compiled `GAN`, made in the scope of a strategy of several replicas.
    """

    def __init__(self, gan: Any) -> None:
        self.gan, self.strategy = gan, gan.distribute_strategy
        # What is due in a step, period → whether, and the graph of such steps.
        self._graphs: list[tuple[dict[int, bool], Callable]] = []
        self._due: dict[int, bool] = {}
        self._number = 0

    def __call__(self, iterator: Any) -> dict[str, tf.Tensor]:
        """Takes a step, and gives the scalars of the whole batch, which are the same on all replicas."""
        gan, self._number = self.gan, self.gan.steps_taken
        self._due, graph = self._graph_of(self._number)
        gan.shared_step = self  # which is asked where the graph is made
        try:
            logs = graph(iterator, tf.constant(float(gan.asks_to_stop())))
        finally:
            gan.shared_step = None
        gan.stopping = float(logs.pop("asks_to_stop")) > 0.0
        return logs

    def is_due(self, period: int) -> bool:
        """Whether what is done in every `period`-th step is done in the one whose graph is being made."""
        return self._due.setdefault(period, self._number % period == 0)

    def _graph_of(self, step: int) -> tuple[dict[int, bool], Callable]:
        for due, graph in self._graphs:
            if all((step % period == 0) == is_due for period, is_due in due.items()):
                return due, graph
        self._graphs.append(({}, tf.function(self._step, autograph=False)))
        return self._graphs[-1]

    def _step(self, iterator: Any, asks: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self.strategy.run(self._of_replica, args=(next(iterator), asks))
        return {name: self.strategy.experimental_local_results(value)[0] for name, value in outputs.items()}

    def _of_replica(self, batch: Any, asks: tf.Tensor) -> dict[str, tf.Tensor]:
        logs = {**self.gan.train_step(batch), "asks_to_stop": asks}
        means = replicas.mean(tf.stack([tf.cast(value, tf.float32) for value in logs.values()]))
        return dict(zip(logs, tf.unstack(means, num=len(logs)), strict=True))
