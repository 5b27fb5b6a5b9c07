"""Fine-tuning with a part of the discriminator frozen."""

from collections.abc import Generator
from dataclasses import dataclass

from tfgantl.errors import check_at_least
from tfgantl.models.parts import first_blocks
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune


@dataclass(frozen=True)
class FreezeD(FineTune):
    """Fine-tunes, but keeps the first blocks of the discriminator: what they see is the same in both domains.

    Args:
        layers: Number of blocks, counted from the image, that keep their weights.

    Reference:
        Mo et al., 2020, https://arxiv.org/abs/2002.10964
    """

    layers: int = 1

    def __post_init__(self) -> None:
        check_at_least(self, 1, "layers")

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("adapt", steps, freeze_discriminator=first_blocks(self.layers))
