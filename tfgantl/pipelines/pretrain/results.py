"""What a pretraining returns, and its report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np

from tfgantl.configuration import to_yaml
from tfgantl.metrics.evaluation import Evaluation
from tfgantl.pipelines.measurement import SHEET
from tfgantl.pipelines.pretrain.preparation import PreparedPretraining
from tfgantl.pipelines.results import RunResult, python_only
from tfgantl.privacy.audit import Audit
from tfgantl.report import PRIVACY, Report, class_rows, copies_shown, curves, data_rows, sheet
from tfgantl.training.run import Trained

if TYPE_CHECKING:
    from tfgantl.pipelines.pretrain import PretrainConfig


@dataclass(frozen=True, kw_only=True)
class PretrainResult(RunResult):
    """What came of a pretraining.

    Args:
        steps: Steps taken.
        seconds: Of the whole job.
        images_per_second: Real images seen, over the time spent in training steps.
        metrics: Name → value, or `None` where labels would be needed.
        diversity: How generated images spread around the training images, name → value.
        privacy: What the generator gives away of its training images: level, rule, copies, attacks.
        generator: Trained generator, which maps latents, or [latents, labels], to images in [-1, 1].
    """

    steps: int
    seconds: float
    images_per_second: float
    metrics: dict[str, float | None]
    diversity: dict[str, float | None]
    privacy: dict[str, Any]
    generator: keras.Model = python_only()

    @classmethod
    def of(
        cls, run_dir: Path, seconds: float, trained: Trained, evaluation: Evaluation, report: Report, privacy: Audit
    ) -> Self:
        """Puts the result together from the parts of a pretraining."""
        return cls(
            run_dir=run_dir,
            steps=trained.steps,
            seconds=seconds,
            images_per_second=round(trained.images_per_second, 1),
            metrics=evaluation.metrics,
            diversity=evaluation.diversity,
            privacy=privacy.record(),
            generator=trained.gan.ema_generator,
            report=report,
        )


def pretraining_report(
    config: "PretrainConfig",
    prepared: PreparedPretraining,
    trained: Trained,
    evaluation: Evaluation,
    generated: np.ndarray,
    privacy: Audit,
    train_images: np.ndarray,
) -> Report:
    """Puts together the report of a pretraining.

    Args:
        config: The `PretrainConfig`.
        prepared: What it started with.
        trained: What came of it.
        evaluation: What was measured.
        generated: uint8 images to show.
        privacy: What the generator gives away.
        train_images: uint8 images that it was measured against.
    """
    return Report(
        title=f"{config.run_name}: pretrained {type(prepared.networks).__name__}",
        summary=[
            f"{trained.steps} steps of {config.batch_size} in {trained.seconds:.0f} s "
            f"({trained.images_per_second:.0f} images/s); the state of step {trained.best_step} was restored.",
            f"{privacy}.",
        ],
        pictures={
            f"Generated images{', one class a row' if trained.gan.num_classes else ''}": sheet(generated),
            "Real training images": sheet(prepared.examples["train"].subset(SHEET)[0]),
            **copies_shown(privacy, evaluation.images, train_images),
            "Learning curves": curves({"pretrain": trained.history}, {"pretrain": trained.best_step}),
        },
        columns={"pretrained": {**evaluation.metrics, **evaluation.diversity}},
        protocol={**evaluation.protocol, **evaluation.diversity_protocol},
        tables={
            PRIVACY: privacy.rows(),
            "Classes": class_rows(prepared.examples["train"]),
            "Data": data_rows(prepared.examples),
        },
        config=to_yaml(config),
    )
