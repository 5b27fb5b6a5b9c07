"""What a stage trains, in numbers, so that no method trains nothing in silence."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfgantl.gan import GAN


@dataclass(frozen=True)
class TrainableParameters:
    """Numbers of parameters that a training step changes.

    Args:
        generator: Of the generator itself.
        discriminator: Of the discriminator itself.
        g_adapters: Of what a method put on the generator.
        d_adapters: Of what it put on the discriminator.
    """

    generator: int
    discriminator: int
    g_adapters: int
    d_adapters: int

    def __str__(self) -> str:
        return (
            f"{self.generator + self.g_adapters:,} parameters of the generator ({self.g_adapters:,} in adapters) and "
            f"{self.discriminator + self.d_adapters:,} of the discriminator ({self.d_adapters:,} in adapters)"
        )


def trainable_parameters(gan: GAN) -> TrainableParameters:
    """Counts what the next step of a GAN trains: after `Transfer.prepare` and `Stage.apply`, that of the stage.

    Args:
        gan: The pair, with its adapters.
    """
    parts = [gan.generator], [gan.discriminator], gan.g_adapters, gan.d_adapters
    return TrainableParameters(
        *(sum(prod(v.shape) for part in group for v in part.trainable_variables) for group in parts)
    )
