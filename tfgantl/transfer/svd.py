"""FSGAN: only the singular values of the kernels are trained."""

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
class SVD(FineTune):
    """FSGAN: W' = U diag(s + d) V^T for every kernel of both networks; only d is trained.

    Args:
        norms: Whether scale and shift of the generator's batch normalisation are trained, too.
        g_lr_multiplier: Factor on the learning rate of the generator.
        d_lr_multiplier: Factor on that of the discriminator.

    Reference:
        Robb et al., 2020, https://arxiv.org/abs/2010.11943
    """

    needs_trained_discriminator = True  # of which only singular values are trained
    cost = "two matrix products a kernel"
    norms: bool = True
    g_lr_multiplier: float = 30.0
    d_lr_multiplier: float = 10.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier", "d_lr_multiplier")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.kernel_adapters import SingularValues

        super().prepare(gan, source)
        gan.g_adapters.append(SingularValues(gan.generator))
        gan.d_adapters.append(SingularValues(gan.discriminator))

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("adapt", steps, all_but_norms if self.norms else everything, everything)
