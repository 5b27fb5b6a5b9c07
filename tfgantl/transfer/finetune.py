"""No transfer, and the simplest transfer."""

from dataclasses import dataclass

from tfgantl.transfer.base import Transfer


@dataclass(frozen=True)
class Scratch(Transfer):
    """Trains from fresh weights: the baseline of every comparison, and pretraining."""

    needs_source = False


@dataclass(frozen=True)
class FineTune(Transfer):
    """TransferGAN: starts from the generator and the discriminator of the source, and trains all weights.

    Reference:
        Wang et al., 2018, https://arxiv.org/abs/1805.01677
    """

    def prepare(self, gan, source):
        from tfgantl.transfer.weights import copy_weights

        copy_weights(source.generator, gan.generator)
        copy_weights(source.ema_generator, gan.ema_generator)
        copy_weights(source.discriminator, gan.discriminator)
