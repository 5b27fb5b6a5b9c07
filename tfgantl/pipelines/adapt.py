"""Adapts a GAN to a small target, judges it against training from scratch, and exports it.

`python -m tfgantl.pipelines.adapt`, or `tfgantl adapt`.
"""

import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.data import SPLITS, HandwrittenDigits, Source
from tfgantl.errors import ConfigError, DataError
from tfgantl.training.optimization import Optimization, Precision, dtype_policy
from tfgantl.training.run_directory import RunDirectory, check_name
from tfgantl.transfer import FreezeD, Scratch, Transfer

DEFAULTS = {"target": {"class_path": "HandwrittenDigits"}, "transfer": {"class_path": "FreezeD"}}


@dataclass(frozen=True)
class AdaptConfig:
    """Settings of an adaptation.

    Args:
        source: Handle of the trained pair: a preset name or a run directory.
        target: Images to adapt to.
        transfer: How to transfer.
        steps: Training steps.
        batch_size: Images a step.
        seed: Makes the run repeatable.
        precision: auto takes bfloat16 where the processor computes in it.
        name: Name in run and export directories; that of the target if not given.
        run_dir: New directory for everything that the run writes; runs/NAME/NUMBER if not given.
        export_dir: Where SavedModels land, as numbered versions; exported/NAME if not given.
        baseline: Whether the same networks are trained from scratch with the same budget, for the verdict.
        extractor: Features for the metrics: auto, a shipped name, or a directory.
        samples: Generated images that are measured.
        validate_every: Steps between validations, which choose the best state.
        mirror: Flip half of the training images left to right.
        optimization: Losses and optimizers.
        json: Print the result as the last line, one JSON object.
    """

    source: str = "rendered-digits"
    target: Source = field(default_factory=HandwrittenDigits)
    transfer: Transfer = field(default_factory=FreezeD)
    steps: int = 2000
    batch_size: int = 64
    seed: int = 0
    precision: Precision = "auto"
    name: str | None = None
    run_dir: str | None = None
    export_dir: str | None = None
    baseline: bool = True
    extractor: str = "auto"
    samples: int = 4000
    validate_every: int = 250
    mirror: bool = False
    optimization: Optimization = field(default_factory=Optimization)
    json: bool = False

    def __post_init__(self):
        for name in ("steps", "batch_size", "samples", "validate_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")
        if self.seed < 0:
            raise ConfigError(f"`seed` must be at least 0. Received: {self.seed}")
        check_name(self.name or self.target.name)


def adapt(config: AdaptConfig, text: str) -> dict:
    """Runs an adaptation.

    Args:
        config: The settings.
        text: The same as YAML, for the run directory.

    Returns:
        What `--json` prints.
    """
    import keras
    import numpy as np

    from tfgantl import report as reports
    from tfgantl.export.publish import publish
    from tfgantl.gan import GAN
    from tfgantl.images import grid, to_uint8
    from tfgantl.metrics.extractors import choose_extractor
    from tfgantl.metrics.judging import Judge
    from tfgantl.metrics.verdict import judge_transfer
    from tfgantl.models.copies import fresh_copy
    from tfgantl.training.run import train
    from tfgantl.transfer.weights import load_source

    start = time.perf_counter()
    say = lambda message: print(message, file=sys.stderr)  # noqa: E731
    name = check_name(config.name or config.target.name)
    source = load_source(config.source)
    _, size, _, channels = source.generator.output_shape
    target = config.target.sized(size, channels)
    examples = {split: target.load(split) for split in SPLITS}
    check_fit(source, examples["train"], config.batch_size)

    path = Path(config.run_dir) if config.run_dir else None
    with RunDirectory(path) if path else RunDirectory.next(Path("runs") / name) as run:
        run.write("config.yaml", text)
        say(f"{name}: {examples['train'].size or 'endless'} training images, run directory {run.path}")
        for split, part in examples.items():
            for note in part.notes if split == "train" else ():
                say(note)

        # Look before anything is trained.
        train_images, train_labels = examples["train"].some(10_000)
        test_images, test_labels = examples["test"].some(10_000)
        order = np.argsort(train_labels, kind="stable") if train_labels is not None else np.arange(len(train_images))
        shown = order[np.linspace(0, len(order) - 1, min(100, len(order))).astype(int)]
        run.write_png("reals.png", grid(train_images[shown], 10))
        sheet_labels = None if source.num_classes is None else np.repeat(np.arange(10), 10) % source.num_classes
        sheet_latents = source.latents(100, seed=config.seed)
        before = to_uint8(source.generate(sheet_latents, sheet_labels))
        run.write_png("fakes_source.png", grid(before, 10))

        # All candidates are measured on the same latents, with the labels of the test images.
        latents = source.latents(config.samples, seed=config.seed + 1000)
        labels = None if source.num_classes is None else np.resize(test_labels, config.samples)
        source_images = to_uint8(source.generate(latents, labels))
        extractor = choose_extractor(
            config.extractor, target.extractor, examples["train"], (source_images, labels), config.seed
        )
        judge = Judge(
            extractor, (train_images, train_labels), (test_images, test_labels), source.num_classes, config.seed
        )

        def train_one(transfer, title):
            keras.utils.set_random_seed(config.seed)
            dtype = dtype_policy(config.precision)
            pair = fresh_copy(source.generator, dtype), fresh_copy(source.discriminator, dtype)
            gan = GAN(*pair, ema_decay=config.optimization.ema_decay, seed=config.seed)
            return train(
                gan, transfer, source, examples["train"], examples["validation"], extractor, config.optimization,
                config.steps, config.batch_size, config.seed, config.validate_every, config.mirror, run, title,
            )  # fmt: skip

        adapted = train_one(config.transfer, "adapted")
        trained = {"adapted": adapted}
        if config.baseline:
            trained["baseline"] = train_one(Scratch(), "baseline")
        judged = {"source, as it is": judge(source_images, labels, "source")}
        for title, result in trained.items():
            judged[title] = judge(to_uint8(result.gan.generate(latents, labels)), labels, title)
        useful = judge.usefulness(judged["adapted"]) if labels is not None else {}

        verdict = None
        if config.baseline:
            known = None if labels is None else test_labels
            features = judged["adapted"].features, judged["baseline"].features
            verdict = judge_transfer(judge.test_features, *features, known, labels, seed=config.seed)

        # Keep the result.
        generator, discriminator = adapted.gan.ema_generator, fresh_copy(adapted.gan.discriminator, "float32")
        discriminator.set_weights(adapted.gan.discriminator.get_weights())
        for network in (generator, discriminator):
            with run.replacing(f"{network.name}.keras") as temporary:
                network.save(temporary)
        after = {title: to_uint8(r.gan.generate(sheet_latents, sheet_labels)) for title, r in trained.items()}
        for title, images in after.items():
            run.write_png(f"fakes_{title}.png", grid(images, 10))
        export_dir = publish(generator, Path(config.export_dir or Path("exported") / name))

        seconds = time.perf_counter() - start
        result = {
            "run_dir": str(run.path),
            "export_dir": str(export_dir),
            "steps": adapted.steps,
            "seconds": round(seconds, 1),
            "images_per_second": round(adapted.images_per_second, 1),
            "metrics": judged["adapted"].metrics,
            "baseline": judged["baseline"].metrics if config.baseline else None,
            "verdict": None if verdict is None else verdict.outcome,
            "classifiers": useful,
        }
        pictures = {
            "Before: the source, one class a row": reports.sheet(before),
            "After: adapted, for the same latents and labels": reports.sheet(after["adapted"]),
            "Real training images": reports.sheet(train_images[shown]),
        }
        if config.baseline:
            pictures["Baseline: trained from scratch, same budget, same latents"] = reports.sheet(after["baseline"])
        near = judged["adapted"].nearest_train
        pictures["Memorisation: each generated image (left) beside the nearest training image (right)"] = (
            reports.memorisation_sheet(judged["adapted"].images, train_images[near])
        )
        pictures["Learning curves"] = reports.curves(
            {title: r.history for title, r in trained.items()}, {title: r.best_step for title, r in trained.items()}
        )
        page = reports.Report(
            title=f"{name}: {config.source} adapted with {type(config.transfer).__name__}",
            summary=[
                str(verdict) if verdict else "No baseline was trained, so there is no verdict.",
                f"{adapted.steps} steps of {config.batch_size} in {adapted.seconds:.0f} s "
                f"({adapted.images_per_second:.0f} images/s); the state of step {adapted.best_step} was kept.",
                "The interval covers the choice of images, not of the training seed.",
            ],
            pictures=pictures,
            columns={title: entry.metrics for title, entry in judged.items()},
            protocol=judged["adapted"].protocol,
            tables={
                "Does it help a classifier? Accuracy on held-out images": [
                    (f"trained on {what}", f"{value:.4f}") for what, value in useful.items()
                ],
                "Schedule": [(title, line) for title, r in trained.items() for line in r.stages],
                "Data": [
                    (split, f"{part.size or 'endless'} images", f"fingerprint {part.fingerprint}", *part.notes)
                    for split, part in examples.items()
                ],
            },
            config=text,
        )
        run.write("report.html", page.html())
        run.log({"run": "result", **result, "verdict_detail": asdict(verdict) if verdict else None})
        say(str(verdict) if verdict else "no baseline, no verdict")
        say(f"report {run.path / 'report.html'}, SavedModel {export_dir}, {seconds:.0f} s")
    return result


def check_fit(source, train, batch_size: int) -> None:
    """Refuses a target whose images or classes the source cannot make.

    Raises:
        DataError: If size, channels or classes differ, or there are fewer images than a batch.
    """
    made = tuple(source.generator.output_shape[1:])
    if (train.image_size, train.image_size, train.channels) != made:
        raise DataError(
            f"`target` must have images of the size of the source, {made}. "
            f"Received: {(train.image_size, train.image_size, train.channels)}"
        )
    if train.num_classes != source.num_classes:
        raise DataError(
            f"`target` must have the classes of the source, {source.num_classes or 'none'}. "
            f"Received: {train.num_classes or 'no labels'}"
        )
    if train.size is not None and batch_size > train.size:
        raise DataError(f"`batch_size` must be at most {train.size}, the number of images. Received: {batch_size}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(AdaptConfig, "adapt", adapt, DEFAULTS, arguments)


if __name__ == "__main__":
    sys.exit(main())
