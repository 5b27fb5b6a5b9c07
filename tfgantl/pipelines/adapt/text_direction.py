"""What an adaptation by two phrases has changed: the attributes that the words name, and whether classes are kept."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfgantl.crossmodal.attribute_words import VOCABULARY
from tfgantl.crossmodal.text_encoder import words_of
from tfgantl.editing.attributes import MEASURED

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 images → int classes


@dataclass(frozen=True)
class DirectionEffect:
    """What has become of the images of the source.

    Args:
        shifts: Name of an attribute → its mean change, in standard deviations among the images of the source.
        named: Those that the words name, with 1 where more of it is wanted, and -1 where less is.
        classes_kept: Share of the images that a classifier takes for the class that they were; `None` without classes.
    """

    shifts: dict[str, float]
    named: dict[str, int]
    classes_kept: float | None

    def rows(self) -> list[tuple[str, str]]:
        """Rows for a table."""
        rows = [(name, f"{shift:+.2f} standard deviations{self._wanted(name)}") for name, shift in self.shifts.items()]
        return rows + ([] if self.classes_kept is None else [("class kept", f"{self.classes_kept:.3f}")])

    def line(self) -> str:
        """One line for the log."""
        told = [f"{name} {self.shifts[name]:+.2f} standard deviations" for name in self.named] or [
            "no word is measured"
        ]
        return ", ".join([*told, *([] if self.classes_kept is None else [f"class kept {self.classes_kept:.1%}"])])

    def _wanted(self, name: str) -> str:
        return {1: ", which is to grow", -1: ", which is to shrink"}.get(self.named.get(name, 0), "")


def direction_effect(
    before: np.ndarray, after: np.ndarray, text: str, labels: np.ndarray | None, predict: Predict | None
) -> DirectionEffect:
    """Compares images of the same latents and labels.

    Args:
        before: uint8 (n, height, width, channels), of the source.
        after: The same of the adapted generator.
        text: What was asked for.
        labels: int (n,) that they were asked for with, as `predict` names them, or `None`.
        predict: An independent classifier, or `None`.
    """
    shifts = {}
    for attribute in (one for one in MEASURED if before.shape[-1] in one.channels):
        was, now = attribute(before), attribute(after)
        shifts[attribute.name] = float((now - was).mean() / max(float(was.std()), 1e-9))
    kept = None
    if labels is not None and predict is not None:
        right = predict(before) == labels  # what the source itself drew wrong has no class to keep
        kept = float((predict(after) == labels)[right].mean()) if right.any() else None
    return DirectionEffect(
        shifts, {name: sign for name, sign in named_attributes(text).items() if name in shifts}, kept
    )


def named_attributes(text: str) -> dict[str, int]:
    """Attributes that the words of a text are about: 1 for much of it, -1 for little.

    Example:
        >>> named_attributes("a bold, small digit")
        {'thickness': 1, 'size': -1}
    """
    words = set(words_of(text))
    found = {}
    for name, (low, high) in VOCABULARY.items():
        if words & set(high):
            found[name] = 1
        elif words & set(low):
            found[name] = -1
    return found
