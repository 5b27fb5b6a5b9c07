"""The trainings of an adaptation: that of the method, and that of the baseline from scratch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfgantl.gan import GAN
from tfgantl.images import grid, side_by_side
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.measurement import EvaluationSet, real_sheet, sheet_of
from tfgantl.pipelines.saving import save_networks
from tfgantl.training.precision import dtype_policy
from tfgantl.training.run import Trained, TrainingData
from tfgantl.training.run import train as train_gan
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.settings import TrainingSettings
from tfgantl.training.speed import Speed, measure_speed
from tfgantl.training.team import current
from tfgantl.transfer import Transfer

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt import AdaptConfig


@dataclass(frozen=True)
class AdaptationTraining:
    """What came of the trainings.

    Args:
        trained: `adapted`, and `baseline` if there is one → `Trained`.
        images: The same, and `source` → uint8 images to measure.
        sheets: The same, and `real` → uint8 images to look at.
    """

    trained: dict[str, Trained]
    images: dict[str, np.ndarray]
    sheets: dict[str, np.ndarray]

    @property
    def adapted(self) -> Trained:
        """The adaptation."""
        return self.trained["adapted"]


def train(
    config: "AdaptConfig", prepared: PreparedAdaptation, evaluation_set: EvaluationSet, run: RunDirectory
) -> AdaptationTraining:
    """Adapts, saves the networks, trains the baseline, and shows what each of them generates.

    Args:
        config: The `AdaptConfig`.
        prepared: What to train with.
        evaluation_set: Latents and labels to generate images for.
        run: Where networks, pictures, logs and checkpoints go.
    """
    sheets = {"real": real_sheet(*evaluation_set.train)}
    training = AdaptationTraining({}, {}, sheets)
    run.write_png("reals.png", grid(sheets["real"], 10))

    def show(gan: GAN, title: str) -> None:
        training.images[title] = evaluation_set.generate(gan)
        sheets[title] = sheet_of(gan, config.seed)
        run.write_png(f"fakes_{title}.png", grid(sheets[title], 10), generated=True)

    show(prepared.source, "source")
    settings = config.training_settings()
    adapted = training.trained["adapted"] = train_pair(prepared, config, prepared.transfer, "adapted", settings, run)
    show(adapted.gan, "adapted")
    save_networks(adapted.gan, run, prepared.beside())
    before_after = side_by_side([grid(sheets[title], 10) for title in ("source", "adapted", "real")])
    run.write_png("before_after.png", before_after)
    if config.baseline and prepared.transfer.needs_target:
        # Patience is for the adaptation; the baseline gets as many steps as that took.
        settings = config.training_settings(steps=adapted.steps, patience=None)
        baseline = training.trained["baseline"] = train_pair(
            prepared, config, prepared.baseline, "baseline", settings, run
        )
        show(baseline.gan, "baseline")
    return training


def train_pair(
    prepared: PreparedAdaptation,
    config: "AdaptConfig",
    transfer: Transfer,
    title: str,
    settings: TrainingSettings,
    run: RunDirectory | None = None,
) -> Trained:
    """Trains a pair like the source on the target.

    Args:
        prepared: What to train with.
        config: The `AdaptConfig`.
        transfer: How to start and what to train; the baseline has another than the adaptation.
        title: Of this training in progress, log and file names.
        settings: Of this training.
        run: Run directory, or `None` to write nothing.
    """
    gan, data = _begin(prepared, config, transfer, settings)
    return train_gan(gan, transfer, prepared.source, data, settings, run, title)


def measure(config: "AdaptConfig", prepared: PreparedAdaptation, settings: TrainingSettings, seconds: float) -> Speed:
    """Measures how fast the adaptation trains, and leaves no trace of it.

    Args:
        config: The `AdaptConfig`.
        prepared: What to train with.
        settings: Of the adaptation.
        seconds: After which to stop.
    """
    gan, data = _begin(prepared, config, prepared.transfer, settings)
    return measure_speed(gan, prepared.transfer, prepared.source, data, settings, seconds)


def _begin(
    prepared: PreparedAdaptation, config: "AdaptConfig", transfer: Transfer, settings: TrainingSettings
) -> tuple[GAN, TrainingData]:
    """A fresh pair, which depends on the seed alone, and what it is trained with."""
    keras.utils.set_random_seed(settings.seed)
    with current().strategy.scope():
        generator, discriminator = transfer.networks(prepared.source, dtype_policy(config.precision, scales_loss=True))
        gan = GAN(generator, discriminator, ema_decay=settings.optimization.settled().average, seed=settings.seed)
    return gan, prepared.training_data()
