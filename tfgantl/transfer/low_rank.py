"""Methods that leave the kernels of the source as they are, and train a small change of them."""

from dataclasses import dataclass

from tfgantl.errors import check_above, check_at_least
from tfgantl.training.stages import Stage
from tfgantl.transfer.finetune import FineTune

ALL_BUT_NORMS = r"(?!.*_bn$).*"


@dataclass(frozen=True)
class LoRA(FineTune):
    """Low-rank adaptation: W' = W + B A for every kernel of the generator; the discriminator is trained as a whole.

    Kernels are taken as matrices (filters, inputs); A is random, B starts at 0.

    Args:
        rank: Rank of the change.
        norms: Whether scale and shift of batch normalisation are trained, too; otherwise the generator keeps the
            statistics of the source.
        rate: Factor on the learning rate of the generator.

    Reference:
        Hu et al., 2022, https://arxiv.org/abs/2106.09685
    """

    cost = "one small matrix product a kernel"
    rank: int = 4
    norms: bool = True
    rate: float = 30.0

    def __post_init__(self):
        check_above(self, 0, "rate")
        check_at_least(self, 1, "rank")

    def prepare(self, gan, source):
        from tfgantl.transfer.kernel_adapters import LowRank

        super().prepare(gan, source)
        gan.g_adapters.append(LowRank(gan.generator, self.rank, gan.seed))

    def schedule(self, steps):
        yield Stage("adapt", steps, freeze_generator=(ALL_BUT_NORMS if self.norms else ".*",))


@dataclass(frozen=True)
class SVD(FineTune):
    """FSGAN: W' = U diag(s + d) V^T for every kernel of both networks; only d is trained.

    Args:
        norms: Whether scale and shift of the generator's batch normalisation are trained, too.
        rate: Factor on the learning rate of the generator.
        d_rate: Factor on that of the discriminator.

    Reference:
        Robb et al., 2020, https://arxiv.org/abs/2010.11943
    """

    cost = "two matrix products a kernel"
    norms: bool = True
    rate: float = 30.0
    d_rate: float = 10.0

    def __post_init__(self):
        check_above(self, 0, "rate", "d_rate")

    def prepare(self, gan, source):
        from tfgantl.transfer.kernel_adapters import SingularValues

        super().prepare(gan, source)
        gan.g_adapters.append(SingularValues(gan.generator))
        gan.d_adapters.append(SingularValues(gan.discriminator))

    def schedule(self, steps):
        yield Stage("adapt", steps, (ALL_BUT_NORMS if self.norms else ".*",), (".*",))


@dataclass(frozen=True)
class KernelModulation(FineTune):
    """W' = W * (1 + v u^T) for every kernel of the generator, element by element, with a vector for each side.

    Row o, filter o, depends on v[o] only. v starts at 0. The discriminator is trained as a whole.

    Args:
        norms: Whether scale and shift of batch normalisation are trained, too.
        rate: Factor on the learning rate of the generator.

    Reference:
        Zhao et al., 2022, https://arxiv.org/abs/2210.16559 (AdAM, section 4)
    """

    cost = "one outer product a kernel"
    norms: bool = True
    rate: float = 30.0

    def __post_init__(self):
        check_above(self, 0, "rate")

    def prepare(self, gan, source):
        from tfgantl.transfer.kernel_adapters import Modulation

        super().prepare(gan, source)
        gan.g_adapters.append(Modulation(gan.generator, gan.seed))

    def schedule(self, steps):
        yield Stage("adapt", steps, freeze_generator=(ALL_BUT_NORMS if self.norms else ".*",))
