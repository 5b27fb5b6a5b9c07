"""Baselines that every method is compared with."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class SourceOnly(Recognizer):
    """Trains on the source alone: the floor that adaptation starts from."""

    family: ClassVar[str] = "baseline"
    uses: ClassVar[tuple[str, ...]] = ("source",)


@dataclass(frozen=True)
class TargetOnly(Recognizer):
    """Trains on the labelled target images alone; on all labels it is the ceiling."""

    family: ClassVar[str] = "baseline"
    uses: ClassVar[tuple[str, ...]] = ("labelled",)
    needs: ClassVar[tuple[str, ...]] = ("labelled",)


@dataclass(frozen=True)
class Pooled(Recognizer):
    """Trains on the source and the labelled target images together."""

    family: ClassVar[str] = "baseline"
    uses: ClassVar[tuple[str, ...]] = ("source", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")
