"""Training nothing of the generator but the scale and shift of its normalisation."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, check_above
from tfgantl.models.parts import all_but_norms
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class ScaleShift(FineTune):
    """BSA, adversarial: of the generator only gamma and beta of batch normalisation are trained.

    The paper fits them by a perceptual loss without a discriminator; later work, and this, trains them against one.

    Args:
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Noguchi and Harada, 2019, https://arxiv.org/abs/1904.01774
    """

    cost = "less: no gradients of the generator's kernels"
    g_lr_multiplier: float = 30.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        from tfgantl.models.structure import structure_of

        generator, discriminator = super().networks(source, dtype)
        if not structure_of(generator).norms:
            raise ConfigError(
                f"`transfer` {type(self).__name__} must have a generator with normalisations that scale and shift. "
                f"Received: {type(generator).__name__} without"
            )
        return generator, discriminator

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("adapt", steps, freeze_generator=all_but_norms)
