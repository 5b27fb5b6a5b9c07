"""MineGAN: a small network finds the latents of images like those of the target."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above, check_at_least, check_within
from tfgantl.models.parts import all_but_latent_mapping
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class MineGAN(FineTune):
    """A small network, the miner, maps noise to the latents that give images like those of the target.

    First the miner and the discriminator are trained, with the generator frozen; then all three. The miner is the
    identity plus a two-layer network, and stays a part of the generator when it is saved and exported.

    Args:
        units: Width of the miner's hidden layer.
        miner_share: Share of the steps for which the generator is frozen.
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Wang et al., 2020, https://arxiv.org/abs/1912.05270
    """

    cost = "less while the generator is frozen; two small dense layers"
    units: int = 128
    miner_share: float = 0.2
    g_lr_multiplier: float = 1.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier")
        check_at_least(self, 1, "units")
        check_within(self, "(0, 1]", "miner_share")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        from tfgantl.models.mined import MinedGenerator

        generator, discriminator = super().networks(source, dtype)
        return MinedGenerator(generator, self.units, dtype), discriminator

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.pretrained import copy_weights

        source = self._needed(source)
        copy_weights(source.generator, gan.generator.mined)
        copy_weights(source.ema_generator, gan.ema_generator.mined)
        copy_weights(gan.generator, gan.ema_generator)
        copy_weights(source.discriminator, gan.discriminator)

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        mining = max(1, round(steps * self.miner_share))
        yield Stage("mine", mining, freeze_generator=all_but_latent_mapping)
        if steps > mining:
            yield Stage("adapt", steps - mining)
