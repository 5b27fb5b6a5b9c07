"""GenDA-like: a scale and a shift of each latent."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above
from tfgantl.models.parts import all_blocks, everything
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class LatentAffine(FineTune):
    """GenDA-like: trains a scale and a shift of each latent, and the last layer of the discriminator.

    Everything else keeps the weights, and the moving statistics, of the source.

    Args:
        freeze_discriminator: Whether all blocks of the discriminator are frozen, as in the paper; otherwise it is
            trained as a whole.
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Yang et al., 2021, https://arxiv.org/abs/2111.12702
    """

    cost = "less: no gradients of kernels"
    freeze_discriminator: bool = True
    g_lr_multiplier: float = 30.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        from tfgantl.models.adapters.latents import latent_inputs

        generator, discriminator = super().networks(source, dtype)
        latent_inputs(generator)
        return generator, discriminator

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.latents import LatentScaleShift

        super().prepare(gan, source)
        gan.g_adapters.append(LatentScaleShift(gan.generator))

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("adapt", steps, everything, all_blocks if self.freeze_discriminator else ())
