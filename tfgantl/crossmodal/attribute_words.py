"""Words for measured attributes: which values are called thin, which ones thick, and which ones nothing at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfgantl.errors import DataError

LOW, MIDDLE, HIGH = 0, 1, 2  # levels of an attribute; the one in the middle has no word
# Attribute → words for little and for much of it; the first of each is the one that captions are told by.
VOCABULARY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "thickness": (("thin", "fine", "slender"), ("thick", "bold", "fat")),
    "slant": (("upright", "straight"), ("slanted", "leaning", "tilted")),
    "size": (("small", "little", "tiny"), ("large", "big", "huge")),
    "brightness": (("dark", "dim"), ("bright", "light")),
    "saturation": (("pale", "muted"), ("colourful", "vivid", "saturated")),
    "temperature": (("cold", "cool"), ("warm",)),
    "sharpness": (("soft", "blurred"), ("sharp", "crisp")),
    "subject_size": (("distant", "far"), ("close", "near")),
    "contrast": (("flat", "even", "low contrast"), ("stark", "harsh", "high contrast")),
    "grain": (("smooth", "clean"), ("grainy", "rough", "noisy")),
    "coarseness": (("fine", "delicate"), ("coarse", "broad")),
}
BACKWARD = ("backward", "backslanted")  # what leans to the left, in place of upright
LEANS_LEFT = -5.0  # degrees
LEAST_SPREAD = 1e-6  # of an attribute, relative to its values, below which it tells nothing
SHARES = (1 / 3, 2 / 3)  # of the pictures below each threshold


@dataclass(frozen=True)
class AttributeWords:
    """Words for one attribute, with the values where they begin to hold.

    Args:
        name: Of the attribute.
        below: Pictures with a smaller value are called by a word of `low`.
        above: Pictures with a larger value are called by a word of `high`.
        low: Synonyms.
        high: Synonyms.

    Example:
        >>> words = AttributeWords("thickness", 2.0, 3.0, ("thin", "fine"), ("thick", "bold"))
        >>> words.levels(np.array([1.5, 2.5, 3.5])), words.level_of("bold")
        (array([0, 1, 2]), 2)
    """

    name: str
    below: float
    above: float
    low: tuple[str, ...]
    high: tuple[str, ...]

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels int (n,) of values (n,): 0 for little, 1 for what has no word, 2 for much."""
        return np.where(values < self.below, LOW, np.where(values > self.above, HIGH, MIDDLE))

    def level_of(self, word: str) -> int | None:
        """The level that a word stands for; `None` if it is none of this attribute."""
        return LOW if word in self.low else HIGH if word in self.high else None

    def synonyms(self, level: int) -> tuple[str, ...]:
        """Words for a level; none for the one in the middle."""
        return {LOW: self.low, HIGH: self.high}.get(level, ())

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes it again."""
        return {
            "name": self.name, "below": self.below, "above": self.above, "low": list(self.low),
            "high": list(self.high),
        }  # fmt: skip

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "AttributeWords":
        """The words from plain values."""
        low, high = (tuple(map(str, fields[side])) for side in ("low", "high"))
        return cls(str(fields["name"]), float(fields["below"]), float(fields["above"]), low, high)


def fit_words(measured: Mapping[str, np.ndarray], shares: tuple[float, float] = SHARES) -> tuple[AttributeWords, ...]:
    """Finds from pictures where words begin to hold.

    Args:
        measured: Name of an attribute → its values (n,) of n pictures, as `tfgantl.editing.attributes` measures them.
        shares: Of the pictures that are to have less and that are not to have more: a third each side by default, so
            that neither word is rare, and what is between them is no matter of a hair's breadth.

    Returns:
        Words of each attribute that differs among the pictures and that there are words for.

    Raises:
        DataError: If values are not finite.

    Example:
        >>> (words,) = fit_words({"thickness": np.arange(9.0), "size": np.full(9, 5.0)})
        >>> words.name, round(words.below, 2), round(words.above, 2)
        ('thickness', 2.67, 5.33)
    """
    found = []
    for name, values in measured.items():
        if not np.isfinite(values).all():
            raise DataError(f"`{name}` must be measured as finite numbers. Received: NaN or infinity")
        below, above = (float(value) for value in np.quantile(values, shares))
        if name not in VOCABULARY or above - below <= LEAST_SPREAD * max(1.0, float(np.abs(values).max())):
            continue
        low, high = VOCABULARY[name]
        if name == "slant" and below < LEANS_LEFT:
            low = BACKWARD
        found.append(AttributeWords(name, below, above, low, high))
    return tuple(found)


def levels_of(words: Sequence[AttributeWords], measured: Mapping[str, np.ndarray]) -> np.ndarray:
    """Levels int16 (n, words) of pictures, from the values of each attribute."""
    return np.stack([one.levels(measured[one.name]) for one in words], axis=1).astype(np.int16)
