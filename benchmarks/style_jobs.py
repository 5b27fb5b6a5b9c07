"""One optimisation of a benchmark in a process of its own, and what PyTorch needs to do the same.

`python -m benchmarks.style_jobs PRECISION SIZE STEPS OUT.npz` optimises;
with PRECISION `task` it writes the task for PyTorch; with `judge`, OUT.npz is judged in float32.
"""

import json
import sys
import time
from typing import TYPE_CHECKING, cast

import numpy as np

from benchmarks.memory import memory
from tfgantl.cli import quiet_tensorflow

if TYPE_CHECKING:
    from tfgantl.training.precision import UnscaledPrecision

CONTENT, STYLE = "astronaut", "ihc"
STYLE_WEIGHT, LEARNING_RATE = 20.0, 0.05


def main(precision: str, size: str, steps: str, output: str) -> dict:
    """Does one job; returns what the last line shows."""
    quiet_tensorflow()
    import tensorflow as tf

    framework = memory("VmRSS")
    from tfgantl.images import to_unit
    from tfgantl.models.vgg import LAYERS, vgg16
    from tfgantl.pipelines.stylize.preparation import style_policy
    from tfgantl.style.losses import CONTENT_LAYER, STYLE_LAYERS
    from tfgantl.style.objective import Objective, Weights
    from tfgantl.style.optimizing import PixelOptimizer
    from tfgantl.style.pictures import read_picture, resized

    content, style = (
        to_unit(resized(read_picture(name, name), (int(size), int(size))))[None] for name in (CONTENT, STYLE)
    )
    asked = "float32" if precision in ("task", "judge") else cast("UnscaledPrecision", precision)
    dtype = style_policy(asked, int(size))
    network = vgg16((CONTENT_LAYER, *STYLE_LAYERS), dtype=dtype)
    objective = Objective(network, content, content, [style], [1.0], Weights(1.0, STYLE_WEIGHT))
    if precision == "task":
        used = LAYERS[: LAYERS.index(STYLE_LAYERS[-1]) + 1]
        weights = {
            f"{name}/{part}": getattr(network.get_layer(name), part).numpy()
            for name in used
            if not name.endswith("pool")
            for part in ("kernel", "bias")
        }
        scales = np.array([float(scale) for scale in objective.regions[0].scales])
        content_scale = float(cast(tuple, objective.content)[1])
        np.savez(
            output, content=content, style=style, steps=int(steps), layers=np.array(used), content_layer=CONTENT_LAYER,
            style_layers=np.array(STYLE_LAYERS), style_scales=scales, content_scale=content_scale,
            style_weight=STYLE_WEIGHT, learning_rate=LEARNING_RATE, **weights,
        )  # fmt: skip
        return {}
    if precision == "judge":
        terms = objective(tf.constant(np.load(output)["image"]))
        return {name: float(terms[name]) for name in ("content", "style")}
    optimizer, seconds, last = PixelOptimizer(objective, content, "adam", LEARNING_RATE), [], time.perf_counter()

    def on_step(terms):
        nonlocal last
        seconds.append(time.perf_counter() - last)
        last = time.perf_counter()
        return False

    optimizer.run(int(steps), on_step)
    np.savez(output, image=optimizer.image)
    pace, peak = float(np.median(seconds[1:])), memory("VmHWM")
    return {"seconds": pace, "peak_mib": peak, "framework_mib": framework, "precision": dtype}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
