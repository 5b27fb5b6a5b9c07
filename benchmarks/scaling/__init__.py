"""Times steps of one worker and of two, fits a model of what they cost, and says what follows for more of them.

`python -m benchmarks.scaling` writes a part of docs/scale.md.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import RunError, check_at_least
from tfgantl.progress import log

CLONE = Path(__file__).parents[2]
PART = "# What more workers bring"
IMAGES = {"DCGAN, 28 px": 32, "DCGAN, 64 px": 16, "StyleGAN2 `tiny`, 64 px": 8}  # a worker


@dataclass(frozen=True)
class ScalingBenchmarkConfig:
    """Settings of the benchmark of scaling.

    Args:
        pairs: Networks to time.
        rounds: Turns of each number of images, threads and workers.
        steps: Steps of a turn.
        noise_batches: Batches of 16 whose gradients tell how large a batch is of use.
        report: The page whose part is written.
        json: Print the result as the last line, one JSON object.
    """

    pairs: tuple[str, ...] = tuple(IMAGES)
    rounds: int = 2
    steps: int = 20
    noise_batches: int = 48
    report: str = "docs/scale.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "rounds", "steps")
        check_at_least(self, 2, "noise_batches")


@dataclass
class Way:
    """One way to take steps, with what was measured of it.

    Args:
        images: A batch, of all workers together.
        threads: Of each worker.
        workers: Their number.
        seconds: Of each step.
        sums: Of each turn, bytes → seconds of a sum over two workers.
        sums_a_step: Sums over workers in the graph of a step.
        operations: All that a processor or GPU has to start in it.
    """

    images: int
    threads: int = 1
    workers: int = 1
    seconds: list[float] = field(default_factory=list)
    sums: list[dict[str, float]] = field(default_factory=list)
    sums_a_step: int = 0
    operations: int = 0

    def take(self, pair: str, steps: int) -> None:
        """Starts the processes, and waits until they have taken their steps.

        Raises:
            RunError: If they do not end well.
        """
        threads = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(threads, str(self.threads))}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(CLONE)}
        launcher = ["-m", "tfgantl.launch", "--workers", str(self.workers)] if self.workers > 1 else []
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "measured.json"
            worker = ["-m", "benchmarks.scaling.worker", pair, str(self.images), str(steps), str(file)]
            done = subprocess.run(
                [sys.executable, *launcher, *worker], env=environment, cwd=CLONE, capture_output=True, text=True
            )
            if done.returncode:
                raise RunError(
                    f"{pair}: workers must end with code 0. Received: {done.returncode}, {done.stderr[-400:]}"
                )
            measured = json.loads(file.read_text())
        self.seconds += measured["seconds"]
        self.sums += [measured["sums"]] if measured["sums"] else []
        self.sums_a_step, self.operations = measured["sums_a_step"], measured["operations"]

    @property
    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self.seconds)


def ways_of(pair: str) -> dict[str, Way]:
    """The ways in which the steps of a pair are timed."""
    images = IMAGES[pair]
    return {
        "one": Way(images), "double": Way(2 * images), "threads": Way(2 * images, threads=2),
        "two": Way(2 * images, workers=2),
    }  # fmt: skip


def benchmark_scaling(config: ScalingBenchmarkConfig) -> dict:
    """Times all pairs in turns, fits the model, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: pair → seconds a step, measured and by the model.

    Raises:
        RunError: If a worker fails.
    """
    from benchmarks.scaling.noise import noise_lines
    from benchmarks.scaling.tables import fitted, measured_lines, predicted_lines

    ways = {pair: ways_of(pair) for pair in config.pairs}
    for turn in range(config.rounds):
        for pair, of_pair in ways.items():
            for name, way in of_pair.items():
                way.take(pair, config.steps)
                log(f"turn {turn + 1}: {pair}, {name}: {way.median * 1e3:.0f} ms a step")
    wire, models = fitted(ways)
    lines = [
        PART, "",
        *measured_lines(ways, wire, models), *predicted_lines(ways, models), *noise_lines(config.noise_batches),
        f"Regenerate with `python -m benchmarks.scaling`. {machine()}", "",
    ]  # fmt: skip
    replace_part(Path(config.report), PART, lines)
    return {
        pair: {name: way.median for name, way in ways[pair].items()} | {"model": model.seconds(2, IMAGES[pair])}
        for pair, model in models.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ScalingBenchmarkConfig, "python -m benchmarks.scaling", benchmark_scaling, {}, arguments)
