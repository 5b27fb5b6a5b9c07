"""Measures the default adaptation: the first part of docs/benchmarks.md.

`python -m benchmarks.adaptation`. It can be stopped and started again: finished jobs are
read from `work_dir`.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from benchmarks.results import keep, kept, shipped
from benchmarks.tables import cell, machine, mean, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.data import HandwrittenDigits
from tfgantl.errors import ConfigError, RunError
from tfgantl.pipelines.adapt import AdaptConfig

# From scratch a faster generator is better; chosen on validation images, as the rates of the default job were.
SCRATCH_RATES = ("--optimization.g_learning_rate", "4e-4", "--optimization.d_learning_rate", "1.6e-3")

COLUMNS = {
    "cKID × 1000": ("ckid", 1000.0), "cFID": ("cfid", 1.0), "precision": ("precision", 1.0),
    "recall": ("recall", 1.0), "density": ("density", 1.0), "coverage": ("coverage", 1.0),
    "GAN-train": ("gan_train", 1.0), "GAN-test": ("gan_test", 1.0), "NN ratio": ("nn_ratio", 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class BenchmarkConfig:
    """Settings of the benchmark of the default adaptation.

    Args:
        seeds: Each trains, chooses its shots, and is judged with its own seed.
        methods: Transfer methods, each a row; the runs of the first train the baseline.
        budgets: Numbers of training steps, each a table.
        work_dir: Where the result of each job is kept.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    methods: tuple[str, ...] = ("FineTune", "FreezeD")
    budgets: tuple[int, ...] = (600, 1500)
    work_dir: str = "runs/benchmark"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        if not (self.seeds and self.methods and self.budgets):
            raise ConfigError("`seeds`, `methods` and `budgets` must not be empty. Received: nothing")


def benchmark(config: BenchmarkConfig) -> dict:
    """Runs all jobs that are not done yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: the mean of each number for each row of each budget.

    Raises:
        RunError: If a job fails.
    """
    lines, result = _heading(config), {}
    for steps in config.budgets:
        jobs = {
            method: [_job(config, method, seed, steps, method == config.methods[0]) for seed in config.seeds]
            for method in config.methods
        }
        rows = {method: [job["metrics"] for job in done] for method, done in jobs.items()}
        rows["Scratch, same steps"] = [job["baseline"] for job in jobs[config.methods[0]]]
        tuned = [_job(config, "Scratch", seed, steps, False, SCRATCH_RATES) for seed in config.seeds]
        rows["Scratch, rates of its own"] = [job["metrics"] for job in tuned]
        rows["real images"] = _floor(config.seeds)
        lines += _section(config, steps, rows, jobs)
        result[steps] = {n: {k: mean(values, k) for k, _ in COLUMNS.values()} for n, values in rows.items()}
    replace_part(Path(config.report), "# The default job", [*lines, machine(), ""])
    print(f"tables: {config.report}", file=sys.stderr)
    return result


@cache
def _floor(seeds) -> list[dict]:
    """What real images reach in place of generated ones: those of the training part, a seventh of which are shots."""
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.metrics.extractors import Extractor

    real = HandwrittenDigits(shots=None).load("train").take()
    rows = []
    for seed in seeds:
        shots = HandwrittenDigits(seed=seed)
        train, test = shots.load("train"), shots.load("test")
        judge = Evaluator(Extractor.load("digits"), train.take(), test.take(), 10, seed, classes=train.classes)
        rows.append(judge(*real).metrics)
    return rows


def _job(config, method, seed, steps, baseline, options=()) -> dict:
    directory = Path(config.work_dir)
    kind = "with" if baseline else "no"
    rates = "-own-rates" if options else ""
    result = directory / f"{method}{rates}-{seed}-{steps}-{kind}-baseline-{shipped()}.json"
    known = kept(result)
    if known is not None:
        return known
    command = [sys.executable, "-m", "tfgantl.pipelines.adapt", "--transfer", method, "--seed", str(seed), "--json"]
    command += ["--steps", str(steps)]
    command += ["--target.seed", str(seed), "--baseline", str(baseline).lower(), "--name", f"benchmark-{method}-{seed}"]
    command += ["--export_dir", str(directory / "exported"), "--optimization.reuse_fakes", "false", *options]
    print(" ".join(command[1:]), file=sys.stderr)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RunError(f"every job must end with exit code 0. Received: {done.returncode} from {' '.join(command[1:])}")
    return keep(result, json.loads(done.stdout.splitlines()[-1]))


def _heading(config) -> list[str]:
    tests, samples = HandwrittenDigits().load("test").size, AdaptConfig().samples
    return [
        "# The default job",
        "",
        "Rendered → handwritten digits, 10 shots a class. Mean ± sample standard deviation over seeds "
        f"{', '.join(map(str, config.seeds))};",
        f"each seed also draws its own shots. All numbers are on the {tests} test images, which neither training nor",
        f"selection sees; {samples} generated images; the extractor is the shipped `digits`. Besides the shots, 100",
        "labelled validation images choose the checkpoint, and the extractor knows the training part of the data set;",
        "the baseline has both, too. `Scratch, same steps` has the settings of the default job; `rates of its own` are",
        "learning rates of 4e-4 and 1.6e-3, which suit it better. `real images` are those of the training part of the",
        "data set: what there is to reach. All learn from fresh images (`--optimization.reuse_fakes false`), as was",
        "the default when they were measured; [the present one](methods.md) differs by less than their spread.",
        "Regenerate with `python -m benchmarks.adaptation`.",
        "",
    ]


def _section(config, steps, rows, jobs) -> list[str]:
    first = jobs[config.methods[0]]
    lines = [
        f"## {steps} steps" + (" (the default job)" if steps == AdaptConfig().steps else ""),
        "",
        "| method | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for name, values in rows.items():
        cells = [cell([row[key] for row in values], scale, 2 if scale > 1 else 3) for key, scale in COLUMNS.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    ratio = cast(float, mean(rows[config.methods[0]], "ckid")) / cast(float, mean(rows["Scratch, same steps"], "ckid"))
    lines += [
        "",
        f"cKID of {config.methods[0]} over that of scratch: **{ratio:.2f}** (ratio of the means). "
        f"Verdicts by seed: {', '.join(job['verdict'] for job in first)}.",
        "",
        f"A classifier (the small CNN, same steps in every row) with the images of {config.methods[0]}; `augmented`",
        "means random shifts, turns and zooms of every training image:",
        "",
        "| trained on | accuracy on test images |",
        "|---|---|",
    ]
    for name in first[0]["classifiers"]:
        lines.append(f"| {name} | {cell([job['classifiers'][name] for job in first], digits=4)} |")
    lines += ["", "| | seconds in training steps | images/s | whole job, seconds |", "|---|---|---|---|"]
    for method, done in jobs.items():
        cells = [
            cell([job["training_seconds"]["adapted"] for job in done], digits=0),
            cell([job["images_per_second"] for job in done], digits=0),
            cell([job["seconds"] for job in done], digits=0) + (" with baseline" if done[0]["baseline"] else ""),
        ]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    lines.append(f"| Scratch | {cell([job['training_seconds']['baseline'] for job in first], digits=0)} | | |")
    return [*lines, ""]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(BenchmarkConfig, "python -m benchmarks.adaptation", benchmark, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
