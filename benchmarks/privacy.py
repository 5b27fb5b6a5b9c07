"""What lowers what a generator gives away: methods, steps, augmentation and numbers of pictures, on pairs of domains.

`python -m benchmarks.privacy`. It can be stopped and started again: finished jobs are read from `work_dir`, and the
table is of those that are finished.
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.jobs import SAMPLES, prepared_for, start_worker
from benchmarks.pairs import PAIRS, write_archives, write_textures
from benchmarks.privacy_tables import HEADING, lines
from benchmarks.results import keep, kept, shipped
from benchmarks.tables import replace_part
from tfgantl import transfer
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least

IMAGES = 100


@dataclass(frozen=True)
class Row:
    """What is compared.

    Args:
        method: How to transfer.
        share: Of the steps of the benchmark.
        images: Training images in all.
        changes: Settings of the optimization that differ.
        batch_size: Images a step; `None` for that of the benchmark.
        noise: Of differential privacy, over the norm that gradients are clipped to; 0 for none.
    """

    method: transfer.Transfer = field(default_factory=transfer.FineTune)
    share: float = 1.0
    images: int = IMAGES
    changes: dict[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    noise: float = 0.0


ROWS = {
    "FineTune": Row(),
    "LoRA": Row(transfer.LoRA()),
    "FineTune, no DiffAugment": Row(changes={"augment": ""}),
    "FineTune, 20 pictures": Row(images=20),
    "FineTune, 500 pictures": Row(images=500),
    "FineTune, a third of the steps": Row(share=1 / 3),
    "FineTune, default job": Row(share=3.0, batch_size=64),
    "DP-SGD, noise 1, 500 pictures": Row(images=500, changes={"r1": 0.0}, noise=1.0),
    "DP-SGD, noise 4, 500 pictures": Row(images=500, changes={"r1": 0.0}, noise=4.0),
    "FineTune, ADA": Row(changes={"augment": "ada"}),
}  # fmt: skip


@dataclass(frozen=True)
class PrivacyBenchmarkConfig:
    """Settings of the benchmark of privacy.

    Args:
        pairs: Names of pairs of source and target.
        rows: What is compared; none for all.
        seeds: Each trains, chooses its shots, and is audited with its own seed.
        steps: Steps of most rows.
        batch_size: Images a step, of as many training images at most.
        mnist: Archive with images x and labels y of MNIST; pairs that need it are left out without it.
        threads: Processor cores of a job.
        work_dir: Where the result of each job is kept.
        report: The page to write the table to.
        json: Print the result as the last line, one JSON object.
    """

    pairs: tuple[str, ...] = ("digits", "mnist")
    rows: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (0, 1)
    steps: int = 200
    batch_size: int = 32
    mnist: str | None = None
    threads: int = 1
    work_dir: str = "runs/benchmark-privacy"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 3, "steps", "batch_size")
        check_at_least(self, 1, "threads")
        for name, allowed in (("pairs", PAIRS), ("rows", ROWS)):
            unknown = set(getattr(self, name) or ()) - set(allowed)
            if unknown:
                raise ConfigError(f"`{name}` must be of {'; '.join(allowed)}. Received: {', '.join(sorted(unknown))}")

    def jobs(self) -> list[tuple[str, str, int]]:
        """Pair, row and seed of every job: all that one seed needs before the next seed."""
        chosen = [name for name in self.pairs if self.mnist or not PAIRS[name].needs_mnist]
        return [(name, row, seed) for seed in self.seeds for row in self.rows or ROWS for name in chosen]


def benchmark_privacy(config: PrivacyBenchmarkConfig) -> dict:
    """Runs all jobs that are not done yet, and writes the table.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: pair → row → one result a seed.

    Raises:
        TfgantlError: If a source, or an archive, cannot be used.
    """
    from tfgantl.progress import log

    start_worker(config.threads)
    directory = Path(config.work_dir)
    directory.mkdir(parents=True, exist_ok=True)
    if config.mnist:
        write_archives(directory, config.mnist)
    if "textures" in config.pairs:
        write_textures(directory)
    path = directory / "jobs" / f"copies-in-spaces-{shipped()}.json"
    copies = kept(path) or keep(path, changed_digits())
    found: dict[str, dict[str, list[dict]]] = {}
    replace_part(Path(config.report), HEADING, lines(copies, found, config.steps, config.batch_size, IMAGES))
    for name, row, seed in config.jobs():
        short = row.replace(", ", "-").replace(" ", "-")
        path = directory / "jobs" / f"{name}-{short}-{seed}-{config.steps}-{config.batch_size}-{shipped()}.json"
        result = kept(path) or keep(path, audited(config, name, ROWS[row], seed))
        log(f"{name}, {row}, seed {seed}: privacy risk {result['level']}, cKID {result['ckid']:.4f}")
        found.setdefault(name, {}).setdefault(row, []).append(result)
        replace_part(Path(config.report), HEADING, lines(copies, found, config.steps, config.batch_size, IMAGES))
    return found


def changed_digits() -> dict[str, dict[str, Any]]:
    """Copies among handwritten digits that a generator might have made, of training images and of others.

    Returns:
        What was made → share of copies, of copies in each space, and what is due to chance in a space.
    """
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from tfgantl.data import HandwrittenDigits
    from tfgantl.metrics.extractors import Extractor
    from tfgantl.privacy.copies import find_copies
    from tfgantl.privacy.spaces import spaces_for

    digits = HandwrittenDigits(validation_shots=None)
    train, held_out, new = (digits.load(split).take() for split in ("train", "test", "validation"))
    spaces, rng = spaces_for(Extractor.load("digits")), np.random.default_rng(0)
    in_order = [images[np.argsort(labels, kind="stable")] for images, labels in (train, new)]

    def noisy(images: np.ndarray, deviation: float) -> np.ndarray:
        return np.clip(images + rng.normal(0, deviation, images.shape), 0, 255).astype(np.uint8)

    def blurred(images: np.ndarray) -> np.ndarray:
        return gaussian_filter(images, (0, 1.5, 1.5, 0))

    def mixed(images: np.ndarray) -> np.ndarray:
        return ((images.astype(float) + np.roll(images, 1, axis=0)) / 2).astype(np.uint8)

    made = {
        "training pictures": train[0],
        "with noise (standard deviation 30 of 255)": noisy(train[0], 30),
        "with noise (60 of 255)": noisy(train[0], 60),
        "mirrored": train[0][:, :, ::-1],
        "shifted by 2 pixels and 1": np.roll(train[0], (2, 1), (1, 2)),
        "blurred (standard deviation of 1.5 pixels)": blurred(train[0]),
        "means of two of one class": mixed(in_order[0]),
        "new pictures": new[0],
        "new pictures, blurred": blurred(new[0]),
        "new pictures, means of two of one class": mixed(in_order[1]),
    }
    found = {name: find_copies(images, train[0], held_out[0], spaces) for name, images in made.items()}
    return {
        name: {"share": one.share, "by_space": one.by_space, "chance": one.chance, "found": one.found}
        for name, one in found.items()
    }


def audited(settings: PrivacyBenchmarkConfig, name: str, row: Row, seed: int) -> dict:
    """Trains one cell with one seed, and audits what came of it."""
    import keras

    from tfgantl.images import to_uint8
    from tfgantl.metrics.evaluation import labels_like
    from tfgantl.pipelines.adapt.training import train_pair
    from tfgantl.privacy.audit import audit_privacy

    config, prepared, judge = prepared_for(Path(settings.work_dir), name, row.images, seed)
    privacy = replace(config.privacy, noise=row.noise)
    config = replace(config, optimization=replace(config.optimization, **row.changes), privacy=privacy)
    steps = max(1, round(settings.steps * row.share))
    batch_size = min(row.batch_size or settings.batch_size, row.images)
    training = config.training_settings(steps=steps, batch_size=batch_size)
    trained = train_pair(prepared, config, row.method, "audited", training)
    gan = trained.gan
    labels = None if gan.num_classes is None else labels_like(judge.test_labels, SAMPLES, seed)
    fakes = to_uint8(gan.generate(gan.latents(SAMPLES, seed + 1000), labels))
    train, test = (judge.train_images, judge.train_labels), (judge.test_images, judge.test_labels)
    audit = audit_privacy(fakes, train, test, prepared.extractor, gan.ema_generator, gan.score, seed)
    record = audit.record()
    metrics = judge(fakes, None, "audited").metrics
    keras.backend.clear_session()
    return {
        **{key: record[key] for key in ("level", "copies", "attacks")},
        "differential": privacy.record(row.images, batch_size, trained.steps),
        "ckid": metrics["ckid"], "nn_ratio": metrics["nn_ratio"], "coverage": metrics["coverage"],
        "steps": trained.steps, "best_step": trained.best_step, "seconds": trained.seconds,
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(PrivacyBenchmarkConfig, "python -m benchmarks.privacy", benchmark_privacy, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
