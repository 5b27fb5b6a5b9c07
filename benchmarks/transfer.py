"""Compares transfer methods over numbers of images and pairs of domains, with equal time: docs/benchmarks.md.

`python -m benchmarks.transfer`. It can be stopped and started again: finished jobs are read from
`work_dir`.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.jobs import (
    CLASSIFIER_STEPS,
    SAMPLES,
    extractor_of,
    measured_costs,
    result_path,
    run_job,
    start_worker,
)
from benchmarks.pairs import PAIRS, ROWS, write_archives, write_textures
from benchmarks.results import read_result
from benchmarks.tables import cell, machine, mean, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least

JOBS_A_PROCESS = 12
COLUMNS = {
    "cKID × 1000": ("ckid", 1000.0, 2), "coverage": ("coverage", 1.0, 3), "recall": ("recall", 1.0, 3),
    "intra-cluster": ("intra_cluster", 1.0, 3), "clusters": ("clusters", 1.0, 2), "GAN-train": ("gan_train", 1.0, 3),
    "NN ratio": ("nn_ratio", 1.0, 2), "steps": ("steps", 1.0, 0), "seconds": ("seconds", 1.0, 0),
}  # fmt: skip


@dataclass(frozen=True)
class TransferBenchmarkConfig:
    """Settings of the benchmark of transfer methods.

    Args:
        pairs: Names of pairs of source and target.
        rows: What is compared; none for what each pair names.
        images: Numbers of training images in all; none for those that each pair names.
        seeds: Each trains, chooses its shots, and is judged with its own seed.
        steps: Steps of FineTune; other methods get as many as they can take in the same time.
        mnist: Archive with images x and labels y of MNIST; pairs that need it are left out without it.
        workers: Jobs at a time, with as many processor cores each as there are for it.
        work_dir: Where the result of each job is kept.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    pairs: tuple[str, ...] = tuple(PAIRS)
    rows: tuple[str, ...] | None = None
    images: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 300
    mnist: str | None = None
    workers: int = 1
    work_dir: str = "runs/benchmark-transfer"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "steps", "workers")
        for name, allowed in (("pairs", PAIRS), ("rows", ROWS)):
            unknown = set(getattr(self, name) or ()) - set(allowed)
            if unknown:
                raise ConfigError(f"`{name}` must be of {'; '.join(allowed)}. Received: {', '.join(sorted(unknown))}")

    def jobs(self) -> list[tuple[str, int, str, int]]:
        """Pair, images, row and seed of every job: all that one seed needs before the next seed."""
        chosen = [name for name in self.pairs if self.mnist or not PAIRS[name].needs_mnist]
        return [
            (name, images, row, seed)
            for seed in self.seeds
            for name in chosen
            for images in self.images or PAIRS[name].images
            for row in self.rows or PAIRS[name].rows
        ]


def benchmark_transfer(config: TransferBenchmarkConfig) -> dict:
    """Runs all jobs that are not done yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: pair → number of images → row → means.

    Raises:
        TfgantlError: If a source, or an archive, cannot be used.
    """
    from tfgantl.progress import bar, log

    directory = Path(config.work_dir)
    directory.mkdir(parents=True, exist_ok=True)
    if config.mnist:
        write_archives(directory, config.mnist)
    if "textures" in config.pairs:
        write_textures(directory)
    jobs = config.jobs()
    for name in dict.fromkeys(job[0] for job in jobs):
        PAIRS[name].handle(directory)
        extractor_of(directory, name)
    costs = measured_costs(directory, sorted({job[2] for job in jobs}), config.steps)

    open_jobs = [job for job in jobs if not result_path(directory, *job, config.steps).is_file()]
    progress = bar(len(open_jobs), "jobs", "job")
    context = get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // config.workers)
    # Fresh processes now and then, because traced functions stay in memory. (Pools that renew their processes by
    # themselves can hang: https://github.com/python/cpython/issues/115634.)
    for start in range(0, len(open_jobs), config.workers * JOBS_A_PROCESS):
        some = open_jobs[start : start + config.workers * JOBS_A_PROCESS]
        with ProcessPoolExecutor(config.workers, context, start_worker, (threads,)) as pool:
            running = {pool.submit(run_job, directory, *job, config.steps, costs[job[2]]): job for job in some}
            for done in as_completed(running):
                name, images, row, seed = running[done]
                log(f"{name}, {images} images, {row}, seed {seed}: cKID {done.result()['ckid']:.4f}")
                progress.update()
    progress.close()

    found = {job: read_result(result_path(directory, *job, config.steps)) for job in jobs}
    lines = _heading(config)
    result: dict[str, dict] = {}
    for name in dict.fromkeys(job[0] for job in jobs):
        lines += [f"## {PAIRS[name].title}", ""]
        lines += _prospects([value for job, value in found.items() if job[0] == name and "transferability" in value])
        for images in dict.fromkeys(job[1] for job in jobs if job[0] == name):
            rows = {
                row: [found[name, images, row, seed] for seed in config.seeds]
                for row in dict.fromkeys(job[2] for job in jobs if job[:2] == (name, images))
            }
            lines += _table(images, rows)
            means = {row: {key: mean(done, key) for key, _, _ in COLUMNS.values()} for row, done in rows.items()}
            result.setdefault(name, {})[images] = means
    replace_part(Path(config.report), "# Transfer methods", [*lines, *_costs(costs), machine(), ""])
    print(f"tables: {config.report}", file=sys.stderr)
    return result


def _heading(config) -> list[str]:
    names = ", ".join(map(str, config.seeds))
    seeds = f"Mean ± sample standard deviation over seeds {names}" if len(config.seeds) > 1 else f"Only seed {names}"
    return [
        "# Transfer methods",
        "",
        f"Every method has the time of {config.steps} steps of FineTune: fewer steps if one costs more (last table).",
        f"{seeds}; each seed also draws its",
        f"own shots. {SAMPLES} generated images; held-out test images; the same validation images for all rows",
        f"choose the checkpoint. GAN-train: {CLASSIFIER_STEPS} steps. Settings, but where a row says so, are those of",
        "the default job; they were chosen on validation images of the first pair, and not changed for the others.",
        "Intra-cluster: mean distance of generated images that have the same nearest shot; clusters: share of shots",
        "that are the nearest of any. `Auto` is no row of its own: it chooses `FineTune` or `LoRA`. Regenerate with",
        "`python -m benchmarks.transfer --mnist FILE`; `Perceptual` needs the weights of VGG16 (style.md).",
        "",
    ]


def _prospects(found) -> list[str]:
    """What could be told before training, per number of images."""
    distance = cell([value["transferability"]["ckid"] for value in found], 1000.0, 1)
    separable = cell([value["transferability"]["separability"] for value in found], 1.0, 2)
    return [
        f"Before training: cKID × 1000 of source and shots {distance}, separability by the source discriminator "
        f"{separable}.",
        "",
    ]


def _table(images, rows) -> list[str]:
    lines = [f"### {images} images", "", "| method | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for name, found in rows.items():
        cells = [cell([one[key] for one in found], scale, digits) for key, scale, digits in COLUMNS.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _costs(costs) -> list[str]:
    how = (
        "Over that of FineTune, measured in turns with it; all stages together, median of five turns, 64 images a step."
    )
    lines = ["## Time of a step", "", how, "", "| method | time |", "|---|---|"]
    return [*lines, *(f"| {row} | {cost:.2f} |" for row, cost in costs.items() if "," not in row), ""]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(TransferBenchmarkConfig, "python -m benchmarks.transfer", benchmark_transfer, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
