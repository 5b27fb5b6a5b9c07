"""The training of a new pair from scratch."""

from typing import TYPE_CHECKING

import keras

from tfgantl.gan import GAN
from tfgantl.images import grid
from tfgantl.pipelines.measurement import SHEET
from tfgantl.pipelines.pretrain.preparation import PreparedPretraining
from tfgantl.training.optimization import dtype_policy
from tfgantl.training.run import Trained, TrainingData
from tfgantl.training.run import train as train_gan
from tfgantl.training.run_directory import RunDirectory
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
    keras.utils.set_random_seed(config.seed)
    dtype = dtype_policy(config.precision)
    generator, discriminator = config.networks.build(
        examples.image_size, examples.channels, prepared.num_classes, dtype
    )
    if config.discriminator is not None:
        discriminator = config.discriminator.build(discriminator, prepared.num_classes, dtype)
    gan = GAN(generator, discriminator, ema_decay=config.optimization.ema_decay, seed=config.seed)
    data = TrainingData(examples, prepared.examples["validation"], prepared.extractor)
    return train_gan(gan, Scratch(), None, data, config.training_settings(), run, "pretrain")
