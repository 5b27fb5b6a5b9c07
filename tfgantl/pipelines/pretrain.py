"""Trains a source GAN, generator and discriminator, on any data source.

`python -m tfgantl.pipelines.pretrain`, or `tfgantl pretrain`.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.data import SPLITS, RenderedDigits, Source
from tfgantl.data.examples import check_splits
from tfgantl.errors import ConfigError, check_at_least, check_seed
from tfgantl.files import check_name
from tfgantl.models import DCGAN, Networks
from tfgantl.training.optimization import Optimization, Precision, dtype_policy
from tfgantl.training.run_directory import RunDirectory
from tfgantl.transfer import Scratch

DEFAULTS = {"target": {"class_path": "RenderedDigits"}, "networks": {"class_path": "DCGAN"}}


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of a pretraining.

    Args:
        target: Images to learn.
        networks: Architecture of the pair; it is class-conditional if the images have labels.
        conditional: Whether labels are used if there are any.
        steps: Training steps.
        batch_size: Images a step.
        seed: Makes the run repeatable.
        precision: auto takes bfloat16 where the processor computes in it.
        name: Name in the run directory; that of the images if not given.
        run_dir: New directory for everything that the run writes; runs/NAME/NUMBER if not given.
        preset_dir: New directory for a preset of the result in half precision; none if not given.
        extractor: Features for the validation: auto, a shipped name, or a directory.
        samples: Generated images that are measured.
        classifier_steps: Training steps of each classifier that judges generated images by their use.
        validate_every: Steps between validations, which choose the best state.
        patience: Validations without a better cKID after which to stop; none to take all steps.
        mirror: Flip half of the training images left to right.
        optimization: Losses and optimizers.
        save_every: Steps between checkpoints; those of the validations if not given.
        resume: Directory of an interrupted run to go on with; it keeps its own settings.
        allow_changes: Go on also if its data or the versions of packages have changed.
        json: Print the result as the last line, one JSON object.
    """

    target: Source = field(default_factory=RenderedDigits)
    networks: Networks = field(default_factory=DCGAN)
    conditional: bool = True
    steps: int = 20000
    batch_size: int = 64
    seed: int = 0
    precision: Precision = "auto"
    name: str | None = None
    run_dir: str | None = None
    preset_dir: str | None = None
    extractor: str = "auto"
    samples: int = 4000
    classifier_steps: int = 500
    validate_every: int = 1000
    patience: int | None = None
    mirror: bool = False
    optimization: Optimization = field(default_factory=Optimization)
    save_every: int | None = None
    resume: str | None = None
    allow_changes: bool = False
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 1, "steps", "batch_size", "classifier_steps", "validate_every", "patience", "save_every")
        check_at_least(self, 10, "samples")
        check_seed("seed", self.seed)
        self.optimization.check(self.steps)
        if self.preset_dir and Path(self.preset_dir).exists() and not self.resume:
            raise ConfigError(f"`preset_dir` must not exist. Received: {self.preset_dir}")
        check_name(self.name or self.target.name)


def pretrain(config: PretrainConfig) -> dict:
    """Runs a pretraining.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.
    """
    import keras
    import numpy as np

    from tfgantl import report as reports
    from tfgantl.gan import GAN
    from tfgantl.images import grid, to_uint8
    from tfgantl.metrics.evaluation import Evaluator, labels_like
    from tfgantl.metrics.extractor_choice import choose_extractor
    from tfgantl.models.copies import float32_copy
    from tfgantl.models.presets import save_preset
    from tfgantl.random_streams import Stream
    from tfgantl.training.run import train

    start = time.perf_counter()
    name = check_name(config.name or config.target.name)
    target = config.target.sized(28, 1)
    examples = {split: target.load(split) for split in SPLITS}
    check_splits(examples)
    part = examples["train"]
    num_classes = part.num_classes if config.conditional else None
    config.optimization.check(config.steps, num_classes)

    extractor = choose_extractor(config.extractor, target.extractor, part, seed=config.seed)
    facts = {f"{split} data": p.fingerprint for split, p in examples.items()}

    with RunDirectory.open(config, name) as run:
        run.begin(to_yaml(config), {**facts, "extractor": extractor.id}, config.allow_changes)
        print(f"{name}: {part.size or 'endless'} training images, run directory {run.path}", file=sys.stderr)
        real, _ = part.subset(100)
        run.write_png("reals.png", grid(real, 10))

        keras.utils.set_random_seed(config.seed)
        dtype = dtype_policy(config.precision)
        pair = config.networks.build(part.image_size, part.channels, num_classes, dtype)
        gan = GAN(*pair, ema_decay=config.optimization.ema_decay, seed=config.seed)
        trained = train(
            gan, Scratch(), None, part, examples["validation"], extractor, config.optimization, config.steps,
            config.batch_size, config.seed, config.validate_every, config.mirror, run, "pretrain",
            config.patience, config.save_every,
        )  # fmt: skip

        test = examples["test"].subset(4000)
        labels = None if num_classes is None else labels_like(test[1], config.samples, config.seed)
        judge = Evaluator(extractor, part.subset(4000), test, num_classes, config.seed, config.classifier_steps)
        judged = judge(
            to_uint8(gan.generate(gan.latents(config.samples, config.seed, Stream.EVALUATION), labels)), labels
        )
        for network in (gan.ema_generator, float32_copy(gan.discriminator)):
            with run.replacing(f"{network.name}.keras") as temporary:
                network.save(temporary)
        sheet_labels = None if num_classes is None else np.repeat(np.arange(10), 10) % num_classes
        fakes = to_uint8(gan.generate(gan.latents(100, config.seed), sheet_labels))
        run.write_png("fakes_pretrain.png", grid(fakes, 10))
        if config.preset_dir and not Path(config.preset_dir).exists():  # a run that goes on may have written it
            metadata = {"recipe": to_yaml(config), "metrics": judged.metrics, "protocol": judged.protocol}
            save_preset(Path(config.preset_dir), gan.ema_generator, float32_copy(gan.discriminator), metadata)

        result = {
            "run_dir": str(run.path),
            "steps": trained.steps,
            "seconds": round(time.perf_counter() - start, 1),
            "images_per_second": round(trained.images_per_second, 1),
            "metrics": judged.metrics,
            "diversity": judged.diversity,
        }
        page = reports.Report(
            title=f"{name}: pretrained {type(config.networks).__name__}",
            summary=[
                f"{trained.steps} steps of {config.batch_size} in {trained.seconds:.0f} s "
                f"({trained.images_per_second:.0f} images/s); the state of step {trained.best_step} was kept."
            ],
            pictures={
                "Generated images, one class a row": reports.sheet(fakes),
                "Real training images": reports.sheet(real),
                "Learning curves": reports.curves({"pretrain": trained.history}, {"pretrain": trained.best_step}),
            },
            columns={"pretrained": {**judged.metrics, **judged.diversity}},
            protocol={**judged.protocol, **judged.diversity_protocol},
            tables={
                "Data": [
                    (split, f"{p.size or 'endless'} images", f"fingerprint {p.fingerprint}", *p.notes)
                    for split, p in examples.items()
                ]
            },
            config=to_yaml(config),
        )
        run.log({"run": "result", **result})
        run.write("report.html", page.html())  # last: what a run that has ended can be known by
    return result


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(PretrainConfig, "pretrain", pretrain, DEFAULTS, arguments)


if __name__ == "__main__":
    sys.exit(main())
