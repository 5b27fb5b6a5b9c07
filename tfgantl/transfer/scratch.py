"""No transfer: the baseline of every comparison, and pretraining."""

from dataclasses import dataclass

from tfgantl.transfer.base import Transfer


@dataclass(frozen=True)
class Scratch(Transfer):
    """Trains from fresh weights: the baseline of every comparison, and pretraining."""

    needs_source = False
