"""One case of the growth of steps: `python -m benchmarks.speed.growth_worker '{"batch": 64, …}'`; answers in JSON."""

import json
import sys
import time
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from benchmarks.memory import memory
from benchmarks.pairs import ROWS
from tfgantl.data import Examples, WebDataset
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.models import DCGAN, MLP
from tfgantl.training.optimization import ADAPTATION
from tfgantl.training.precision import dtype_policy
from tfgantl.transfer import Scratch, Transfer

WARM_UP = 3
MARKS = 5  # of a long training, at which memory is looked at


def pair_of(case: dict[str, Any]) -> GAN:
    """The networks of a case: a DCGAN, or an MLP for so many steps that only memory counts."""
    if case["steps"] > 1000:
        return GAN(*MLP(units=16).build(case["side"], 1, None))
    usual = DCGAN.for_size(case["side"])
    networks = replace(usual, filters=tuple(case["width"] * filters for filters in usual.filters))
    return GAN(*networks.build(case["side"], 1, None, dtype_policy("auto")))


def examples_of(case: dict[str, Any]) -> Examples:
    """Noise, from shards or from memory."""
    side = case["side"]
    if "shards" in case:
        source = WebDataset(case["shards"], side, 1, validation=0.0, test=0.0, max_bytes=case["memory"])
        return source.load("train")
    images = np.random.default_rng(0).integers(0, 256, (case["images"], side, side, 1), dtype=np.uint8)
    return Examples.from_arrays(images, None)


def seconds_of(gan: GAN, examples: Examples, case: dict[str, Any], resident: dict[int, float]) -> float:
    """Median seconds of a step of `GAN.fit`, from the end of one to the end of the next."""
    ends: list[float] = []

    def on_end(batch: int, logs: object) -> None:
        ends.append(time.perf_counter())
        if len(ends) % max(1, case["steps"] // MARKS) == 0:
            resident[len(ends)] = memory("VmRSS")

    clock = keras.callbacks.LambdaCallback(on_train_batch_end=on_end)
    data = batches(examples, case["batch"], 0, int(gan.step))
    gan.fit(data, steps_per_epoch=case["steps"] + WARM_UP, verbose=0, shuffle=False, callbacks=[clock])
    return float(np.median(np.diff(ends[WARM_UP - 1 :])))


def main() -> None:
    """Measures, and answers."""
    case = json.loads(sys.argv[1])
    keras.utils.set_random_seed(0)
    source, resident = pair_of(case), {}
    known = {type(method).__name__: method for method, _ in ROWS.values()}
    transfer: Transfer = known[case["method"]] if case["method"] else Scratch()
    gan = GAN(*transfer.networks(source, dtype_policy("auto"))) if case["method"] else source
    if case["method"]:
        transfer.prepare(gan, source)
    ADAPTATION.settled(DCGAN()).compile(gan, 500, transfer)
    start = time.perf_counter()
    examples = examples_of(case)
    loaded = time.perf_counter() - start
    stage = next(transfer.schedule(500))
    stage.begin(gan)
    seconds = seconds_of(gan, examples, case, resident)
    print(json.dumps({
        "seconds": seconds, "peak_mib": memory("VmHWM"), "resident_mib": resident, "loading_seconds": loaded,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
