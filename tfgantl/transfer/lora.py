"""Low-rank adaptation of every kernel of the generator."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above, check_at_least
from tfgantl.models.parts import all_but_norms, everything
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    from tfgantl.gan import GAN


@dataclass(frozen=True)
class LoRA(FineTune):
    """Low-rank adaptation: W' = W + B A for every kernel of the generator; the discriminator is trained as a whole.

    Kernels are taken as matrices (filters, inputs); A is random, B starts at 0.

    Args:
        rank: Rank of the change.
        norms: Whether scale and shift of batch normalisation are trained, too; otherwise the generator keeps the
            statistics of the source.
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Hu et al., 2022, https://arxiv.org/abs/2106.09685
    """

    cost = "one small matrix product a kernel"
    rank: int = 4
    norms: bool = True
    g_lr_multiplier: float = 30.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier")
        check_at_least(self, 1, "rank")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.kernel_adapters import LowRank

        super().prepare(gan, source)
        gan.g_adapters.append(LowRank(gan.generator, self.rank, gan.seed))

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("adapt", steps, freeze_generator=all_but_norms if self.norms else everything)
