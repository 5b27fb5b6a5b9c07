"""Compares recognition methods over pairs of domains, ranks sources, and measures a peer: docs/benchmarks.md.

`python -m benchmarks.recognition`. It can be stopped and started again: finished trainings are read
from `work_dir`.
"""

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from benchmarks.jobs import start_worker
from benchmarks.photograph_tiles import photograph_lines
from benchmarks.recognition_tables import domains, tables
from benchmarks.results import keep, read_result, shipped
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.recognition import Recognizer

DEFAULTS: dict[str, list] = {"method": []}
MEASURES = {"leep": 1, "log_me": 1, "h_score": 1, "a_distance": -1, "mmd": -1}  # the sign of what is better


@dataclass(frozen=True)
class RecognitionBenchmarkConfig:
    """Settings of the benchmark of recognition methods.

    Args:
        method: A method, once for each, in place of those that each table names.
        seeds: Each trains, and chooses the labelled images, with its own seed.
        steps: Training steps of each classifier.
        mnist: Archive with images x and labels y of MNIST; tables that need it are left out without it.
        peer: Whether to measure adapt 0.4.5 on the same task (`pip install 'tfgantl[bench]'`).
        workers: Pairs and seeds at a time.
        work_dir: Where the result of each training is kept.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    method: list[Recognizer] = field(default_factory=list)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 400
    mnist: str | None = None
    peer: bool = True
    workers: int = 1
    work_dir: str = "runs/benchmark-recognition"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "steps", "workers")
        if not self.seeds:
            raise ConfigError("`seeds` must name at least one. Received: none")


def result_path(config: RecognitionBenchmarkConfig, source: str, target: str, row: str, seed: int) -> Path:
    """Where the result of one training is kept."""
    short = f"{source}-{target}-{row}-{seed}-{config.steps}-{shipped()}".replace(", ", "-").replace(" ", "_")
    return Path(config.work_dir) / "jobs" / (short.replace(":", "-") + ".json")


def missing(config: RecognitionBenchmarkConfig, source: str, target: str, seed: int) -> list:
    """Trainings of a pair and a seed that have no result yet."""
    found = tables(config.mnist, source, target)
    todo = {trial.row: trial for table in found for trial in table.trials(config.method, [seed])}
    return [trial for row, trial in todo.items() if not result_path(config, source, target, row, seed).is_file()]


def run_pair(config: RecognitionBenchmarkConfig, source: str, target: str, seed: int, threads: int) -> None:
    """`train_pair` in a process of its own."""
    start_worker(threads)
    train_pair(config, source, target, seed)


def train_pair(config: RecognitionBenchmarkConfig, source: str, target: str, seed: int) -> None:
    """Trains and tests what is missing of all tables of a pair, for one seed; measures the source before."""
    import numpy as np

    from tfgantl.recognition.comparison import run
    from tfgantl.recognition.domains import Domains
    from tfgantl.recognition.trainer import Trainer
    from tfgantl.recognition.transferability import classifier_transferability

    known = domains(config.mnist)
    pair = Domains.load(known[source], known[target], 28, 1)
    labels = pair.test()[1]
    ranked, trainer = (
        result_path(config, source, target, "rank", seed),
        Trainer(pair.task(10, seed, steps=config.steps)),
    )
    if not ranked.is_file():
        keep(ranked, asdict(classifier_transferability(trainer)))
    todo = missing(config, source, target, seed)
    for result in run(pair, todo, {"steps": config.steps}, titled=False, trainers={seed: trainer}):
        accuracy = float(np.mean(result.predicted == labels))
        path = result_path(config, source, target, result.trial.row, seed)
        keep(path, {"accuracy": accuracy, "seconds": result.seconds, "score": result.score})


def benchmark_recognition(config: RecognitionBenchmarkConfig) -> dict:
    """Runs what is missing, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.
    """
    import os

    from tfgantl.progress import bar

    threads = max(1, (os.cpu_count() or 1) // config.workers)
    found = tables(config.mnist)
    pairs = list(dict.fromkeys((table.source, table.target) for table in found))
    calls = [
        (config, *pair, seed, threads)
        for seed in config.seeds
        for pair in pairs
        if missing(config, *pair, seed) or not result_path(config, *pair, "rank", seed).is_file()
    ]
    progress = bar(len(calls), "recognition", "pair")
    with ProcessPoolExecutor(config.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        for future in as_completed([pool.submit(run_pair, *call) for call in calls]):
            future.result()
            progress.update()
    progress.close()
    lines = ["# Recognition methods", "", *_preface(config)]
    result = {}
    for table in found:
        rows = _rows(config, table)
        result[table.name] = {row: entry["accuracy"] for row, entry in rows.items()}
        lines += _table(table.name, rows)
    lines += _ranks(config, pairs)
    lines += photograph_lines(config)
    if config.peer:
        from benchmarks.peer import peer_lines

        lines += peer_lines(config)
    replace_part(Path(config.report), lines[0], lines)
    return result


def _preface(config) -> list[str]:
    command = f"`python -m benchmarks.recognition{' --mnist mnist.npz' if config.mnist else ''}`"
    return [
        f"{command}. {machine()}",
        "",
        f"Accuracy on test images of the target, mean ± sd of {len(config.seeds)} seeds, {config.steps} steps of 64 "
        "images of each domain; states are selected by `im`, without labels of the target. Recovered gap: "
        "(method - source-only) / (oracle - source-only); the oracle is trained on all labels of the target's training "
        "images. Seconds were measured beside other jobs, and are orders of magnitude only. Aimed at, of "
        "handwritten digits from rendered ones: 0.95 without labels, 0.90 by a GAN, 0.97 with 10 labels a "
        "class; between MNIST and handwritten digits, both ways, 0.90 without labels.",
        "",
    ]


def _rows(config, table) -> dict[str, dict]:
    found: dict[str, list[dict]] = {}
    for trial in table.trials(config.method, config.seeds):
        value = read_result(result_path(config, table.source, table.target, trial.row, trial.seed))
        found.setdefault(trial.row, []).append(value)
    return {row: {key: [v[key] for v in values] for key in ("accuracy", "seconds")} for row, values in found.items()}


def _table(name, rows) -> list[str]:
    def mean(row):
        return fmean(rows[row]["accuracy"])

    floor, ceiling = mean("source-only"), mean("oracle")
    lines = [f"## {name}", "", "| method | accuracy | recovered gap | seconds |", "|---|---|---|---|"]
    for row in sorted(rows, key=mean, reverse=True):
        gap = f"{100 * (mean(row) - floor) / (ceiling - floor):.0f} %"
        lines.append(
            f"| {row.split(',')[0]} | {cell(rows[row]['accuracy'])} | {gap} | {cell(rows[row]['seconds'], 1.0, 0)} |"
        )
    return [*lines, ""]


def _ranks(config: RecognitionBenchmarkConfig, pairs: list[tuple[str, str]]) -> list[str]:
    from scipy.stats import kendalltau

    values = {}
    for pair in pairs:
        rows = {
            "rank": "rank",
            "tuned": "FineTuneClassifier, 10 labels a class",
            "alone": "target-only, 10 labels a class",
        }
        found = {
            name: [read_result(result_path(config, *pair, row, seed)) for seed in config.seeds]
            for name, row in rows.items()
        }
        values[pair] = {key: fmean(v[key] for v in found["rank"]) for key in (*MEASURES, "label_shift")}
        values[pair] |= {name: fmean(v["accuracy"] for v in found[name]) for name in ("tuned", "alone")}
    lines = [
        "## Ranks of sources before training",
        "",
        "`--rank` with 10 labels a class, mean of seeds; gap: accuracy of `FineTuneClassifier` minus that of labels "
        "alone.",
        "",
        "| source → target | LEEP | LogME | H-score | A-distance | MMD | label shift | gap |",
        "|---|---|---|---|---|---|---|---|",
    ]
    gaps = [v["tuned"] - v["alone"] for v in values.values()]
    for (source, target), v in values.items():
        cells = [f"{v[key]:.3f}" for key in (*MEASURES, "label_shift")]
        lines.append(f"| {source} → {target} | {' | '.join(cells)} | {v['tuned'] - v['alone']:+.4f} |")
    signed = ([sign * v[key] for v in values.values()] for key, sign in MEASURES.items())
    taus = [f"{kendalltau(one, gaps).statistic:+.2f}" for one in signed]
    lines.append(f"| Kendall τ with the gaps, {len(gaps)} pairs | {' | '.join(taus)} | – | – |")
    return [*lines, ""]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    verb = "python -m benchmarks.recognition"
    return run_cli(RecognitionBenchmarkConfig, verb, benchmark_recognition, DEFAULTS, arguments)


if __name__ == "__main__":
    sys.exit(main())
