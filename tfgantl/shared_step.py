"""A training step that several replicas share, under a strategy of `tf.distribute`.

Reductions over replicas must not stand in a branch that is taken in some steps only: replicas of one machine wait for
each other outside of branches alone. So what is done in every so-many-th step has a graph of its own.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgantl import replicas


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
