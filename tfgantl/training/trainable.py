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
        all_of_generator: Number of all parameters of the generator.
        all_of_discriminator: The same of the discriminator.
    """

    generator: int
    discriminator: int
    g_adapters: int
    d_adapters: int
    all_of_generator: int
    all_of_discriminator: int

    @property
    def total(self) -> int:
        """Of both networks."""
        return self.generator + self.discriminator + self.g_adapters + self.d_adapters

    def __str__(self) -> str:
        def part(own: int, adapters: int, of: int, name: str) -> str:
            more = f" and {adapters:,} of adapters" if adapters else ""
            return f"{own:,} of {of:,} parameters of the {name}{more}"

        return (
            f"{part(self.generator, self.g_adapters, self.all_of_generator, 'generator')}, "
            f"{part(self.discriminator, self.d_adapters, self.all_of_discriminator, 'discriminator')}"
        )


def trainable_parameters(gan: GAN) -> TrainableParameters:
    """Counts what the next step of a GAN trains: after `Transfer.prepare` and `Stage.apply`, that of the stage.

    Args:
        gan: The pair, with its adapters.
    """
    parts = [gan.generator], [gan.discriminator], gan.g_adapters, gan.d_adapters
    g, d, g_adapters, d_adapters = (
        sum(prod(v.shape) for part in group for v in part.trainable_variables) for group in parts
    )
    return TrainableParameters(
        g, d, g_adapters, d_adapters, gan.generator.count_params(), gan.discriminator.count_params()
    )
