"""Fine-tuning of all weights: the simplest transfer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.transfer.base import Transfer

if TYPE_CHECKING:
    from tfgantl.gan import GAN


@dataclass(frozen=True)
class FineTune(Transfer):
    """TransferGAN: starts from the generator and the discriminator of the source, and trains all weights.

    Reference:
        Wang et al., 2018, https://arxiv.org/abs/1805.01677
    """

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.pretrained import copy_weights

        source = self._needed(source)
        copy_weights(source.generator, gan.generator)
        copy_weights(source.ema_generator, gan.ema_generator)
        copy_weights(source.discriminator, gan.discriminator)
