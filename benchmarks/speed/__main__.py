"""Times adversarial steps beside PyTorch and the classic TensorFlow step: a part of docs/benchmarks.md.

`python -m benchmarks.speed`. It needs torch: `pip install '.[bench]'`, or a Python that has it (`--torch_python`).
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

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
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    pairs: tuple[str, ...] = ("classic28", "tutorial64")
    rounds: int = 7
    steps: int = 6
    torch_python: str | None = None
    compile: bool = False
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "rounds", "steps")


def benchmark_speed(config: SpeedBenchmarkConfig) -> dict:
    """Races all competitors, pair by pair, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: pair → kind of step → competitor → images a second.

    Raises:
        RunError: If a competitor does not answer.
    """
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
            pace = {worker.name: BATCH / worker.median for worker in workers}
            found[pair][kind] = {name: round(value, 1) for name, value in pace.items()}
            lines += _table(pair, kind, pace)
            print("\n".join(lines[-len(pace) - 6 :]), file=sys.stderr)
    replace_part_lines = [*lines, f"{_processor()}; {', '.join(sorted(versions))}. {machine()}", ""]
    replace_part(Path(config.report), "# Speed of a step", replace_part_lines)
    return found


def _workers(config, pair, kind, precisions) -> list[Worker]:
    torch_python = config.torch_python or sys.executable
    workers = []
    for title, policy in precisions.items():
        ours = "ours" if kind == "plain" else "adapt"
        workers.append(Worker(f"tfgantl, {title}", [ours, pair, policy, "reuse_fakes=true"]))
        workers.append(Worker(f"tfgantl, fresh latents, {title}", [ours, pair, policy, "reuse_fakes=false"]))
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


def _heading(config, precisions) -> list[str]:
    return [
        "# Speed of a step", "",
        f"Batches of {BATCH}, one competitor a process, in turns (A B C, A B C, …), {config.rounds} turns of "
        f"{config.steps} steps; the median counts. `plain` is the bare adversarial step: two updates by Adam. `adapt` "
        "adds DiffAugment, R1 every 16 steps and the average of the generator. *of the best* is the ratio to the best "
        "of PyTorch in the same precision. Regenerate with `python -m benchmarks.speed`.", "",
    ]  # fmt: skip


def _table(pair, kind, pace) -> list[str]:
    lines = [f"{TITLES[pair]}, `{kind}`:", "", "| | images/s | of the best of PyTorch |", "|---|---|---|"]
    for name, value in pace.items():
        precision = "bfloat16" if "bfloat16" in name else "float32"
        best = max(v for n, v in pace.items() if n.startswith("PyTorch") and precision in n)
        lines.append(f"| {name} | {value:.1f} | {value / best:.2f} |")
    return [*lines, ""]


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
