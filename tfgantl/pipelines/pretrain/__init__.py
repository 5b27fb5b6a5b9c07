"""Trains a source GAN, generator and discriminator, on any data source.

`python -m tfgantl.pipelines.pretrain`, or `tfgantl pretrain`.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.data import RenderedDigits, Source
from tfgantl.errors import ConfigError
from tfgantl.models import Discriminators, Networks, Own
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import GANTrainingConfig

if TYPE_CHECKING:
    from tfgantl.pipelines.pretrain.results import PretrainResult

DEFAULTS = {"target": {"class_path": "RenderedDigits"}, "networks": None, "discriminator": None}


@dataclass(frozen=True)
class PretrainConfig(GANTrainingConfig):
    """Settings of a pretraining.

    Args:
        target: Images to learn.
        networks: Architecture of the pair, which is class-conditional if the images have labels. If not given, a
            FastGAN for colour images whose side is a power of 2 from 32 px, and else a DCGAN that fits their size.
        discriminator: Own, that of the pair, also if not given; Projected, on features of VGG16; or Ensemble, both
            (docs/methods.md).
        conditional: Whether labels are used if there are any.
        steps: Training steps; 20000 if neither these nor a budget are given.
        validate_every: Steps between validations, which choose the best state; a twentieth of the steps that a budget
            allows for, and 1000 without one.
        budget: Time for the training, such as 90s, 10m or 1h30m, in place of steps: a few steps are measured on this
            machine, and set their number. Evaluation comes on top.
        preset_dir: New directory for a preset of the result in half precision; none if not given.
    """

    target: Source = field(default_factory=RenderedDigits)
    networks: Networks | None = None
    discriminator: Discriminators | None = None
    conditional: bool = True
    preset_dir: str | None = None

    default_steps: ClassVar[int] = 20000
    default_validate_every: ClassVar[int] = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.discriminator, Own):  # as in `adapt`, where it may not be what is chosen
            object.__setattr__(self, "discriminator", None)
        if self.preset_dir and Path(self.preset_dir).exists() and not self.resume:
            raise ConfigError(f"`preset_dir` must not exist. Received: {self.preset_dir}")


def pretrain(config: PretrainConfig) -> "PretrainResult":
    """Runs a pretraining.

    Args:
        config: The settings.

    Returns:
        The generator, its metrics and the report; `None` on workers other than the chief.

    Raises:
        TfgantlError: If the images or the run directory cannot be used, or training diverges.
    """
    from tfgantl.pipelines.budget import with_steps
    from tfgantl.pipelines.measurement import EvaluationSet
    from tfgantl.pipelines.pretrain.preparation import MAX_IMAGES, prepare
    from tfgantl.pipelines.pretrain.publishing import publish_pair
    from tfgantl.pipelines.pretrain.results import PretrainResult, pretraining_report
    from tfgantl.pipelines.pretrain.training import measure, train

    session, prepared = Session(config), prepare(config)
    config = replace(config, **prepared.settings)  # what a resumed run must find
    config = session.config = with_steps(config, partial(measure, config, prepared))
    with session.open(config.run_name, prepared.facts(), prepared.opening()) as run:
        trained = train(config, prepared, run)

        def judged() -> PretrainResult:
            evaluation_set = EvaluationSet.draw(
                trained.gan, prepared.examples, config.samples, config.seed, max_images=MAX_IMAGES
            )
            evaluator = evaluation_set.evaluator(prepared.extractor, config.seed, config.classifier_steps)
            evaluation = evaluator(evaluation_set.generate(trained.gan), evaluation_set.labels)
            privacy = evaluation_set.audit(trained.gan, evaluation.images, evaluator.extractor, config.seed)
            sheet = publish_pair(config, trained.gan, evaluation, prepared.examples["train"].classes, run)
            report = pretraining_report(config, prepared, trained, evaluation, sheet, privacy, evaluation_set.train[0])
            result = PretrainResult.of(run.path, session.seconds, trained, evaluation, report, privacy)
            return session.finish(result, prepared.examples["train"].classes)

        return session.by_chief(judged)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(PretrainConfig, "pretrain", pretrain, DEFAULTS, arguments)
