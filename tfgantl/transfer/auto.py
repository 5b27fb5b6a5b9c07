"""Choosing a method by measurements before training."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, check_above, check_at_least
from tfgantl.transfer.base import Transfer
from tfgantl.transfer.finetune import FineTune
from tfgantl.transfer.lora import LoRA

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN
    from tfgantl.metrics.transferability import Transferability


@dataclass(frozen=True)
class Auto(Transfer):
    """Picks a method by the number of images and by the distance between source and target, and says why.

    Few images are better met with few weights to train, and a far source with few weights that move fast: LoRA. With
    more images of a near target FineTune is less precise and more diverse. The numbers follow from the tables of
    docs/benchmarks.md, where near pairs have a cKID of up to 1.3 and far ones of 3.3 and more. A few pairs are little
    evidence; `--probe` compares with training from scratch on your images.

    Args:
        far: cKID of source and target above which a source is far.
        few: Number of images up to which there are few.
    """

    far: float = 2.0
    few: int = 50

    def __post_init__(self) -> None:
        check_above(self, 0, "far")
        check_at_least(self, 0, "few")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        raise ConfigError("`transfer` must be what `Auto.resolve` gives by the time of training. Received: Auto itself")

    def resolve(self, transferability: "Transferability") -> tuple[Transfer, str]:
        if transferability.ckid is not None and transferability.ckid > self.far:
            return LoRA(), f"auto: LoRA, because the source is far: cKID {transferability.ckid:.2f} > {self.far:g}"
        if transferability.shots is not None and transferability.shots <= self.few:
            return LoRA(), f"auto: LoRA, because the source is near and there are only {transferability.shots} images"
        return FineTune(), f"auto: FineTune, because the source is near and there are more than {self.few} images"
