"""Which discriminator an adaptation has: that of the source, one on features of VGG16, or both."""

from typing import TYPE_CHECKING

import keras

from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models import Discriminators, FastGAN
from tfgantl.models.families import specification_of
from tfgantl.models.projected import ProjectedDiscriminator
from tfgantl.models.specifications.discriminators import Ensemble, Own
from tfgantl.models.vgg import imagenet_is_here
from tfgantl.pretrained import copy_weights
from tfgantl.progress import log
from tfgantl.transfer import FineTune, Transfer

if TYPE_CHECKING:
    from tfgantl.data import Examples
    from tfgantl.pipelines.adapt import AdaptConfig

FEW = 500  # training pictures
LARGEST = 128  # pixels a side, beyond which steps take longer than the pictures are better


def choose_discriminator(
    config: "AdaptConfig", source: GAN, examples: "Examples", transfer: Transfer
) -> Discriminators | None:
    """The discriminator that was asked for, or the one that made better pictures where it was measured.

    That is `Ensemble`, for a FastGAN that is fine-tuned on at most 500 pictures in colour of at most 128 pixels a side
    (docs/methods.md). Nothing is downloaded for it: without weights of VGG16 on this machine, the log says what they
    would do.

    Args:
        config: Settings of the adaptation.
        source: The pair that it starts from.
        examples: Training images.
        transfer: The method.

    Returns:
        What takes the place of that of the source; `Own`, or `None` where there was nothing to choose, if nothing does.
    """
    if config.discriminator is not None or config.resume is not None:  # a run goes on with what it has
        return config.discriminator
    is_few = examples.size is not None and examples.size <= FEW
    is_measured = examples.channels == 3 and examples.image_size <= LARGEST and type(transfer) is FineTune
    fits = isinstance(specification_of(source.generator), FastGAN) and not config.privacy.on
    if not (is_few and is_measured and fits) or isinstance(source.discriminator, ProjectedDiscriminator):
        return None
    if not imagenet_is_here():
        log(
            "with weights of VGG16 on this machine, few pictures in colour come out better: docs/methods.md, `Ensemble`"
        )
        return Own()  # what the recipe of this run says, on whatever machine it is run again
    log("chosen for few pictures in colour: `--discriminator Ensemble`; `Own` is that of the source alone, and faster")
    return Ensemble()


def with_discriminator(source: GAN, wanted: Discriminators, transfer: Transfer, seed: int) -> GAN:
    """The source with another discriminator, which then takes the place of its own in all trainings.

    Args:
        source: Trained pair; does not change.
        wanted: What the discriminator is to be.
        transfer: The method.
        seed: For weights that are fresh.

    Raises:
        ConfigError: If the method starts from what the discriminator of the source has learnt, or a resolution or
            weights do not fit.
    """
    if transfer.needs_trained_discriminator:
        raise ConfigError(
            f"`discriminator` must be left out for {type(transfer).__name__}, which works with what the discriminator "
            f"of the source has learnt. Received: {type(wanted).__name__}, a new one"
        )
    keras.utils.set_random_seed(seed)
    discriminator = wanted.build(source.discriminator, source.num_classes)
    changed = GAN(source.generator, discriminator, seed=source.seed)
    copy_weights(source.ema_generator, changed.ema_generator)
    return changed
