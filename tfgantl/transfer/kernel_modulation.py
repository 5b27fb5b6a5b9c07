"""Every kernel of the generator is modulated by an outer product."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above
from tfgantl.models.parts import all_but_norms, everything
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    from tfgantl.gan import GAN


@dataclass(frozen=True)
class KernelModulation(FineTune):
    """W' = W * (1 + v u^T) for every kernel of the generator, element by element, with a vector for each side.

    Row o, filter o, depends on v[o] only. v starts at 0. The discriminator is trained as a whole.

    Args:
        norms: Whether scale and shift of batch normalisation are trained, too.
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Zhao et al., 2022, https://arxiv.org/abs/2210.16559 (AdAM, section 4)
    """

    cost = "one outer product a kernel"
    norms: bool = True
    g_lr_multiplier: float = 30.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.kernel_adapters import Modulation

        super().prepare(gan, source)
        gan.g_adapters.append(Modulation(gan.generator, gan.seed))

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("adapt", steps, freeze_generator=all_but_norms if self.norms else everything)
