"""The training of a new pair from scratch."""

from typing import TYPE_CHECKING

import keras

from tfgantl.gan import GAN
from tfgantl.images import grid
from tfgantl.pipelines.measurement import SHEET
from tfgantl.pipelines.pretrain.preparation import PreparedPretraining
from tfgantl.training.precision import dtype_policy
from tfgantl.training.run import Trained, TrainingData
from tfgantl.training.run import train as train_gan
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.settings import TrainingSettings
from tfgantl.training.speed import Speed, measure_speed
from tfgantl.training.team import current
from tfgantl.transfer import Scratch

if TYPE_CHECKING:
    from tfgantl.pipelines.pretrain import PretrainConfig


def train(config: "PretrainConfig", prepared: PreparedPretraining, run: RunDirectory) -> Trained:
    """Builds a pair, and trains it.

    Args:
        config: The `PretrainConfig`.
        prepared: What to train with.
        run: Where pictures, logs and checkpoints go.
    """
    examples = prepared.examples["train"]
    run.write_png("reals.png", grid(examples.subset(SHEET)[0], 10))
    gan, data = _begin(config, prepared)
    return train_gan(gan, Scratch(), None, data, config.training_settings(), run, "pretrain")


def measure(
    config: "PretrainConfig", prepared: PreparedPretraining, settings: TrainingSettings, seconds: float
) -> Speed:
    """Measures how fast the pair trains, and leaves no trace of it.

    Args:
        config: The `PretrainConfig`.
        prepared: What to train with.
        settings: Of the training.
        seconds: After which to stop.
    """
    gan, data = _begin(config, prepared)
    return measure_speed(gan, Scratch(), None, data, settings, seconds)


def _begin(config: "PretrainConfig", prepared: PreparedPretraining) -> tuple[GAN, TrainingData]:
    """A fresh pair, which depends on the seed alone, and what it is trained with."""
    examples = prepared.examples["train"]
    keras.utils.set_random_seed(config.seed)
    dtype = dtype_policy(config.precision, scales_loss=True)
    with current().strategy.scope():
        generator, discriminator = prepared.networks.build(
            examples.image_size, examples.channels, prepared.num_classes, dtype
        )
        if config.discriminator is not None:
            discriminator = config.discriminator.build(discriminator, prepared.num_classes, dtype)
        gan = GAN(generator, discriminator, ema_decay=config.optimization.settled().average, seed=config.seed)
    return gan, TrainingData(examples, prepared.examples["validation"], prepared.extractor)
