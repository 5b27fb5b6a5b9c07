"""Times steps on one worker, or on each of several: `python -m benchmarks.scaling.worker PAIR BATCH STEPS FILE`.

With `TF_CONFIG`, the batch is that of all workers together, and sums over workers of several sizes are timed as well.
The chief writes what was measured, as JSON.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.scaling.cases import MEASURED
from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.optimizers import Adam
from tfgantl.training.team import Team, form

WARM_UP = 3
TURNS = 9
FREE = {"Const", "Identity", "IdentityN", "NoOp", "Placeholder", "ReadVariableOp", "Reshape", "Shape", "StopGradient"}
SIZES = tuple(4**power for power in range(4, 13))  # float32 numbers: 1 KiB to 64 MiB


def step_seconds(team: Team, pair: str, batch: int, steps: int) -> tuple[GAN, list[float]]:
    """Seconds of each of some steps of `GAN.fit`, from the end of one to the end of the next."""
    keras.utils.set_random_seed(0)
    with team.strategy.scope():
        gan = GAN(*MEASURED[pair]())
        gan.compile(Adam(1e-4, beta_1=0.5), Adam(1e-4, beta_1=0.5), reuse_fakes=True)
    shape = gan.discriminator.input_shape[1:]
    images = np.random.default_rng(0).integers(0, 256, (4 * batch, *shape), dtype=np.uint8)
    examples, ends = Examples.from_arrays(images, None), []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter()))
    data = team.shared(lambda start, **shares: batches(examples, batch, 0, start, **shares))(0)
    gan.fit(data, steps_per_epoch=steps + WARM_UP, verbose=0, shuffle=False, callbacks=[clock])
    return gan, np.diff(ends[WARM_UP - 1 :]).tolist()


def sum_seconds(strategy: tf.distribute.Strategy) -> dict[int, float]:
    """Bytes → seconds of a sum over all workers, the median of some turns."""

    @tf.function
    def total(x: tf.Tensor) -> tf.Tensor:
        def of_replica(part: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(part))

        return strategy.run(of_replica, args=(x,))

    found = {}
    for size in SIZES:
        numbers, times = tf.zeros(size), []
        for _ in range(TURNS + 1):
            start = time.perf_counter()
            strategy.experimental_local_results(total(numbers))[0].numpy()
            times.append(time.perf_counter() - start)
        found[4 * size] = float(np.median(times[1:]))
    return found


def counted(gan: GAN) -> dict[str, int]:
    """How many sums over workers, and how many operations that compute something, the graph of a step has."""
    if not gan.is_shared:
        return {"sums_a_step": 0, "operations": 0}
    (step,) = gan.traces.values()
    traced = step._graphs[0][1]._list_all_concrete_functions()[0]  # type: ignore[attr-defined]
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {
        "sums_a_step": sum(node.op.startswith(("CollectiveReduce", "CollectiveGather")) for node in nodes),
        "operations": sum(node.op not in FREE for node in nodes),
    }


def main() -> None:
    """Measures, and writes."""
    pair, batch, steps, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    team = form(1, batch)
    gan, seconds = step_seconds(team, pair, batch, steps)
    sums = sum_seconds(team.strategy) if team.cluster is not None else {}
    if team.is_chief:
        file.write_text(json.dumps({"seconds": seconds, "sums": sums, **counted(gan)}))
    team.meet()


if __name__ == "__main__":
    main()
