"""What trains best from nothing in a given time: networks and settings on pictures of one's own, docs/benchmarks.md.

`python -m benchmarks.pretraining --images FILE.npz`. The speed of all rows is measured first, one after the other, and
sets how many steps each has. It can be stopped and started again: trainings go on where they were, and finished ones
are read from `work_dir`.
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import begun, keep, kept
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.models import DCGAN, SNGAN, FastGAN, Networks, StyleGAN2
from tfgantl.models.specifications.discriminators import Discriminators, Ensemble, Projected
from tfgantl.training.durations import seconds_of

if TYPE_CHECKING:
    from tfgantl.pipelines.pretrain import PretrainConfig

HEADING = "# What trains best from nothing in"  # a given time
COLUMNS = {"KID × 1000": ("ckid", 1000.0, 1), "coverage": ("coverage", 1.0, 3), "NN ratio": ("nn_ratio", 1.0, 2)}
MEASURED, VALIDATIONS = 2000, 4


@dataclass(frozen=True)
class Row:
    """One way to train.

    Args:
        networks: The pair.
        optimization: What differs from the defaults, or from what its authors set if `theirs`.
        theirs: Whether settings are those of the authors of the networks.
        batch_size: Images a step.
        discriminator: What takes the place of that of the pair.
    """

    networks: Networks
    optimization: dict[str, Any] = field(default_factory=dict)
    theirs: bool = False
    batch_size: int = 64
    discriminator: Discriminators | None = None


def deep(width: int) -> DCGAN:
    """A DCGAN that halves 64 px four times."""
    return DCGAN(filters=(8 * width, 4 * width, 2 * width, width), strides=(2, 2, 2, 2))


LIGHT = {"augment": "translation"}
HINGE = {"loss": "hinge", "r1": 0.0}
ROWS = {
    "DCGAN": Row(DCGAN()),
    "DCGAN, four halvings": Row(deep(32)),
    "DCGAN, four halvings, translation only": Row(deep(32), LIGHT),
    "DCGAN, four halvings, translation only, faster discriminator": Row(
        deep(32), {**LIGHT, "d_learning_rate": 8e-4, "g_learning_rate": 4e-4}
    ),
    "DCGAN of PyTorch's tutorial": Row(DCGAN.pytorch_tutorial(32), {**LIGHT, "r1": 0.0}),
    "SNGAN": Row(SNGAN(), LIGHT, theirs=True, batch_size=32),
    "FastGAN": Row(FastGAN(), LIGHT, theirs=True, batch_size=16),
    "StyleGAN2, tiny": Row(StyleGAN2(), LIGHT, theirs=True, batch_size=16),
    "DCGAN, four halvings, Projected": Row(deep(32), {**LIGHT, **HINGE}, batch_size=16, discriminator=Projected()),
    "FastGAN, Projected": Row(FastGAN(), {**LIGHT, **HINGE}, batch_size=16, discriminator=Projected()),
    "DCGAN, four halvings, Ensemble": Row(deep(32), LIGHT, batch_size=16, discriminator=Ensemble()),
}


@dataclass(frozen=True)
class PretrainingBenchmarkConfig:
    """Settings of the benchmark of networks.

    Args:
        images: Archive with color images x, as for the data source Arrays.
        image_size: Height and width in pixels.
        rows: What is compared.
        seeds: Each trains with its own seed.
        budget: Time of each training, such as 15m.
        work_dir: Where trainings and results are kept.
        report: The page to write the table to.
        json: Print the result as the last line, one JSON object.
    """

    images: str
    image_size: int = 64
    rows: tuple[str, ...] = tuple(ROWS)
    seeds: tuple[int, ...] = (0,)
    budget: str = "15m"
    work_dir: str = "runs/benchmark-pretraining"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 8, "image_size")
        seconds_of(self.budget, "budget")
        unknown = set(self.rows) - set(ROWS)
        if unknown:
            raise ConfigError(f"`rows` must be of {'; '.join(ROWS)}. Received: {'; '.join(sorted(unknown))}")


def benchmark_pretraining(config: PretrainingBenchmarkConfig) -> dict:
    """Trains whatever is not trained yet, and writes the table.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: row → results of all seeds.
    """
    steps = {row: steps_of(config, row) for row in config.rows}
    found = {row: [trained(config, row, seed, steps[row]) for seed in config.seeds] for row in config.rows}
    replace_part(Path(config.report), f"{HEADING} {config.budget}", lines(config, found))
    return found


def steps_of(config: PretrainingBenchmarkConfig, row: str) -> int:
    """Steps that the budget allows for, by the speed on this machine, which is measured once."""
    import keras

    from tfgantl.pipelines.pretrain.preparation import prepare
    from tfgantl.pipelines.pretrain.training import measure

    path = Path(config.work_dir) / f"{file_name(row)}.speed.json"
    speed, seconds = kept(path), seconds_of(config.budget, "budget")
    if speed is None:
        settings = settings_of(config, ROWS[row], seed=0)
        measured = measure(settings, prepare(settings), settings.training_settings(), seconds)
        speed = keep(path, {"step": measured.step, "validation": measured.validation})
        keras.backend.clear_session()
    return max(VALIDATIONS, round((seconds - VALIDATIONS * speed["validation"]) / speed["step"]))


def file_name(row: str) -> str:
    """The row in letters that names of files may have."""
    return row.replace(", ", "-").replace(" ", "-").replace("'", "")


def trained(config: PretrainingBenchmarkConfig, row: str, seed: int, steps: int) -> dict:
    """The result of one training, which is made or finished where it is not there."""
    import keras

    from tfgantl.pipelines.pretrain import pretrain

    name = f"{file_name(row)}-{seed}-{steps}"
    path = Path(config.work_dir) / f"{name}.json"
    result = kept(path)
    if result is not None:
        return result
    directory = Path(config.work_dir) / name
    settings = replace(settings_of(config, ROWS[row], seed), steps=steps, validate_every=-(-steps // VALIDATIONS))
    done = pretrain(replace(settings, **begun(directory)))
    keras.backend.clear_session()
    return keep(
        path,
        {**done.metrics, **done.diversity, "steps": done.steps},
    )


def settings_of(config: PretrainingBenchmarkConfig, row: Row, seed: int) -> "PretrainConfig":
    """The pretraining that a row stands for."""
    from tfgantl.data import Arrays
    from tfgantl.pipelines.pretrain import PretrainConfig
    from tfgantl.training.optimization import Optimization

    theirs = row.networks.training(config.image_size, row.batch_size) if row.theirs else {}
    changes = {**theirs, "reuse_fakes": False, **row.optimization}  # as when the table was made
    return PretrainConfig(
        target=Arrays(
            config.images, image_size=config.image_size, channels=3, labels=None, validation=0.05, test=0.2
        ),
        networks=row.networks, discriminator=row.discriminator, optimization=Optimization(**changes),
        batch_size=row.batch_size, seed=seed, extractor="vgg16", samples=MEASURED,
    )  # fmt: skip


def lines(config: PretrainingBenchmarkConfig, found: dict[str, list[dict]]) -> list[str]:
    """The part of the page."""
    table = ["| networks | " + " | ".join(COLUMNS) + " | steps | batch |", "|---" * (len(COLUMNS) + 3) + "|"]
    for row, results in found.items():
        cells = [cell([one[key] for one in results], scale, digits) for key, scale, digits in COLUMNS.values()]
        cells += [cell([one["steps"] for one in results], 1.0, 0), str(ROWS[row].batch_size)]
        table.append(f"| {row} | {' | '.join(cells)} |")
    return [
        f"{HEADING} {config.budget}", "",
        f"{config.budget} of training each, at {config.image_size} px, on {Path(config.images).name}; "
        f"{MEASURED} generated images against held-out ones, by features of VGG16; the state is the one that validates "
        f"best. Seeds {', '.join(map(str, config.seeds))}. Regenerate with `python -m benchmarks.pretraining --images "
        f"FILE`, with VGG16 weights (style.md).", "",
        *table, "", machine(), "",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(PretrainingBenchmarkConfig, "python -m benchmarks.pretraining", benchmark_pretraining, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
