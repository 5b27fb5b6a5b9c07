"""Times adversarial steps beside PyTorch and the classic TensorFlow step: a part of docs/benchmarks.md.

`python -m benchmarks.speed`. It needs torch: `pip install '.[bench]'`, or a Python that has it (`--torch_python`).
With `--growth true` it measures how time and memory grow instead, and with `--reading true` how fast pictures come.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.growth import measure_growth
from benchmarks.speed.peaks import PEAKS
from benchmarks.speed.reading import measure_reading
from benchmarks.speed.workers import Worker, race
from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import check_at_least
from tfgantl.training.precision import dtype_policy

BATCH = 64
TITLES = {"classic28": "TensorFlow's tutorial, 28 px, 1 channel", "tutorial64": "PyTorch's tutorial, 64 px, 3 channels"}
METHODS = ("FreezeD", "LoRA", "ScaleShift")


@dataclass(frozen=True)
class SpeedBenchmarkConfig:
    """Settings of the benchmark of speed.

    Args:
        pairs: Networks to time.
        rounds: Turns of each competitor; the median counts.
        steps: Steps of a turn.
        torch_python: Python with torch; the present one if not given.
        compile: Whether PyTorch's competitors are also timed with `torch.compile`.
        growth: Measure how steps grow with batches, sizes, widths, images and methods, and what commands take.
        reading: Measure how fast folders of photographs are read, beside Keras and PyTorch.
        work_dir: Where results of `growth` are kept, so that it goes on where it was.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    pairs: tuple[str, ...] = ("classic28", "tutorial64")
    rounds: int = 7
    steps: int = 6
    torch_python: str | None = None
    compile: bool = False
    growth: bool = False
    reading: bool = False
    work_dir: str = "runs/benchmark-speed"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "rounds", "steps")


def benchmark_speed(config: SpeedBenchmarkConfig) -> dict:
    """Races all competitors, pair by pair, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: pair → kind of step → competitor → images a second; or what `growth` or `reading` found.

    Raises:
        RunError: If a competitor does not answer.
    """
    if config.growth:
        return measure_growth(Path(config.work_dir), Path(config.report))
    if config.reading:
        return measure_reading(Path(config.report), config.torch_python)
    from benchmarks.scaling.cases import operations
    from benchmarks.speed.pairs import networks

    precisions = {"float32": "float32"}
    if dtype_policy("auto") != "float32":
        precisions["bfloat16"] = "mixed_bfloat16"
    lines, found = _heading(config, precisions), {}
    versions: set[str] = set()
    for pair in config.pairs:
        found[pair] = {}
        for kind in ("plain", "adapt"):
            workers = _workers(config, pair, kind, precisions)
            race(workers, config.rounds, config.steps)
            versions |= {worker.version for worker in workers}
            peaks, pace = _peaks(workers), {w.name: BATCH / w.median for w in workers if w.command[0] not in PEAKS}
            found[pair][kind] = {name: round(value, 1) for name, value in pace.items()}
            work = operations(networks(pair, "float32", batch_norm=kind == "plain"))
            lines += _table(pair, kind, pace, work, peaks)
            print("\n".join(lines[-len(pace) - 6 :]), file=sys.stderr)
    replace_part_lines = [*lines, f"{_processor()}; {', '.join(sorted(versions))}. {machine()}", ""]
    replace_part(Path(config.report), "# Speed of a step", replace_part_lines)
    return found


def _workers(config, pair, kind, precisions) -> list[Worker]:
    torch_python = config.torch_python or sys.executable
    workers = []
    for title, policy in precisions.items():
        ours = "ours" if kind == "plain" else "adapt"
        workers += [Worker(f"{peak}, {title}", [peak, pair, policy]) for peak in PEAKS]
        workers.append(Worker(f"tfgantl, {title}", [ours, pair, policy, "reuse_fakes=true"]))
        workers.append(Worker(f"tfgantl, fresh latents, {title}", [ours, pair, policy]))
        workers.append(Worker(f"tfgantl, simultaneous, {title}", [ours, pair, policy, "simultaneous=true"]))
        if kind == "plain":
            workers.append(Worker(f"tfgantl, GAN.fit, {title}", ["fit", pair, policy, "reuse_fakes=true"]))
            workers.append(Worker(f"tutorial, {title}", ["tutorial", pair, policy]))
        else:
            workers += [
                Worker(f"tfgantl, {name}, {title}", ["adapt", pair, policy, f"transfer={name}", "reuse_fakes=true"])
                for name in METHODS
            ]
        for options in ([], ["channels_last"]) + ((["channels_last", "compile"],) if config.compile else ()):
            name = ", ".join(["PyTorch", title, *(option.replace("_", " ") for option in options)])
            workers.append(Worker(name, [kind, pair, title, *options], torch_python))
    return workers


def _peaks(workers: list[Worker]) -> dict[str, float]:
    """Precision → operations a second of the faster of the large operations."""
    found: dict[str, float] = {}
    for worker in workers:
        kind, precision = worker.command[0], _precision(worker.name)
        if kind in PEAKS:
            found[precision] = max(found.get(precision, 0.0), PEAKS[kind][1] / worker.median)
    return found


def _precision(name: str) -> str:
    return "bfloat16" if "bfloat16" in name else "float32"


def _heading(config, precisions) -> list[str]:
    return [
        "# Speed of a step", "",
        f"Batches of {BATCH}, one competitor a process, in turns (A B C, A B C, …), {config.rounds} turns of "
        f"{config.steps} steps; the median counts. `plain` is the bare adversarial step: two updates by Adam. `adapt` "
        "adds DiffAugment, R1 every 16 steps and the average of the generator. *of the best* is the ratio to the best "
        "of PyTorch in the same precision, *of the peak* the share of the operations a second that one large matrix "
        "product or convolution reaches in TensorFlow, timed in the same turns: 3 passes of the generator and 8 of the "
        "discriminator are counted. *tfgantl* trains the generator on the images that the discriminator has just seen "
        "(`reuse_fakes`, as `adapt` has it for a DCGAN), as PyTorch's tutorial does, *fresh latents* on others, and "
        "*simultaneous*, as TensorFlow's tutorial, updates both networks from one pass, which takes one of the "
        "discriminator less. Regenerate with `python -m benchmarks.speed`.", "",
    ]  # fmt: skip


def _table(pair, kind, pace, work, peaks) -> list[str]:
    lines = [f"{TITLES[pair]}, `{kind}`:", "", "| | images/s | of the best of PyTorch | of the peak |"]
    lines.append("|---|---|---|---|")
    for name, value in pace.items():
        precision = _precision(name)
        best = max(v for n, v in pace.items() if n.startswith("PyTorch") and _precision(n) == precision)
        lines.append(f"| {name} | {value:.1f} | {value / best:.2f} | {value * work / peaks[precision]:.0%} |")
    told = ", ".join(f"{peak / 1e9:.0f} billion operations a second in {name}" for name, peak in peaks.items())
    return [*lines, "", f"The peak is {told}; a step is {work / 1e6:.0f} million operations an image.", ""]


def _processor() -> str:
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return f"{os.cpu_count()} cores"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(SpeedBenchmarkConfig, "python -m benchmarks.speed", benchmark_speed, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
