"""Captions of styles: words that are true of some of them, and phrases that ask for one, for several, or for a mix."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfgantl.data.classes import plain_name
from tfgantl.errors import DataError

NOUNS = ("", "", "", "painting", "picture", "style", "texture")
JOINTS = (" ", ", ", ", ", " and ")
BETWEEN = (" and ", " with ", ", ", " mixed with ", " meets ")
MOST_WORDS = 6  # of one style, in a phrase
SHARPNESS = 2.0  # how much likelier a style becomes by a word that is true of it
SHARES = {"pair": 0.25, "named": 0.15, "any words": 0.2}  # of the phrases; the others are of one style
KEPT = 0.85  # share of the words of a caption that are read, where it is shortened


@dataclass(frozen=True)
class StyleWord:
    """A word for styles.

    Args:
        synonyms: Ways to say it; the first is what it is told by.
        attribute: What it tells; another word of the same attribute contradicts it.
        true_of: bool for each style.
    """

    synonyms: tuple[str, ...]
    attribute: str
    true_of: tuple[bool, ...]


@dataclass(frozen=True)
class StyleCaptions:
    """What is known of styles, in words.

    Args:
        styles: Their names, which are words for them, too.
        words: That are true of some.
        phrases: Captions that people gave each style; they take the place of words.

    Example:
        >>> dark, blue = StyleWord(("dark",), "brightness", (True, False)), StyleWord(("blue",), "blue", (True, True))
        >>> captions = StyleCaptions(("night", "day"), (dark, blue))
        >>> captions.full(0), captions.wanted([0, 1]).round(2)
        ('dark, blue', array([0.94, 0.06], dtype=float32))
    """

    styles: tuple[str, ...]
    words: tuple[StyleWord, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.styles or not (self.words or self.phrases):
            raise DataError("styles must differ in a word, or have captions. Received: neither")

    @property
    def fingerprint(self) -> str:
        """Hash of all that is known."""
        content = repr((self.styles, self.words, self.phrases))
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def wanted(self, chosen: Sequence[int]) -> np.ndarray:
        """Shares float32 (styles,) of the styles that some words ask for together.

        Each word asks for the styles that it is true of, and among these for those that the other words are true of,
        too. So words that no style unites ask for a mix in which all of them are true of something.
        """
        true = np.array([self.words[i].true_of for i in chosen], np.float32)
        score = np.zeros(len(self.styles), np.float32)
        for i, row in zip(chosen, true, strict=True):
            others = [word.true_of for j, word in enumerate(self.words) if self._contradicts(i, j)]
            score += row - np.any(others, axis=0) if others else row
        weights = true * np.exp(SHARPNESS * (score - score.max()))
        return np.asarray((weights / weights.sum(1, keepdims=True)).mean(0), np.float32)

    def full(self, style: int, rng: np.random.Generator | None = None) -> str:
        """A phrase with what is true of a style: the first words of all, or some of the ways to say it."""
        if self.phrases:
            some = self.phrases[style]
            return some[0] if rng is None else some[int(rng.integers(len(some)))]
        true = self._true_of(style)
        if rng is None:
            return ", ".join(self.words[i].synonyms[0] for i in true)
        return self._said([true[i] for i in rng.permutation(len(true))[:MOST_WORDS]], rng)

    def draw(self, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        """A phrase, and the shares float32 (styles,) of the styles that it asks for."""
        count, one_hot = len(self.styles), np.eye(len(self.styles), dtype=np.float32)
        kind = rng.random()
        style = int(rng.integers(count))
        if kind < SHARES["pair"] and count > 1:
            other = int((style + 1 + rng.integers(count - 1)) % count)
            parts = [self._name(i) if rng.random() < 0.3 else self.full(i, rng) for i in (style, other)]
            return BETWEEN[int(rng.integers(len(BETWEEN)))].join(parts), (one_hot[style] + one_hot[other]) / 2
        if kind < SHARES["pair"] + SHARES["named"]:
            return _with_noun(self._name(style), rng), one_hot[style]
        if self.phrases:
            phrase = self.full(style, rng)
            shares = np.array([phrase in some for some in self.phrases], np.float32)
            return _shortened(phrase, rng), shares / shares.sum()
        some = list(range(len(self.words)))
        if kind > SHARES["pair"] + SHARES["named"] + SHARES["any words"]:
            some = self._true_of(style)
        most = min(len(some), MOST_WORDS)
        chosen: list[int] = []
        for i in rng.permutation(len(some))[: int(rng.integers(1, most + 1))]:
            if not any(self._contradicts(some[i], j) for j in chosen):
                chosen.append(some[i])
        return self._said(chosen, rng), self.wanted(chosen)

    def _true_of(self, style: int) -> list[int]:
        return [i for i, word in enumerate(self.words) if word.true_of[style]]

    def _contradicts(self, one: int, other: int) -> bool:
        return one != other and self.words[one].attribute == self.words[other].attribute

    def _name(self, style: int) -> str:
        return plain_name(self.styles[style])

    def _said(self, chosen: Sequence[int], rng: np.random.Generator) -> str:
        said = [self.words[i].synonyms[int(rng.integers(len(self.words[i].synonyms)))] for i in chosen]
        return _with_noun(JOINTS[int(rng.integers(len(JOINTS)))].join(said), rng)


def _with_noun(words: str, rng: np.random.Generator) -> str:
    return f"{words} {NOUNS[int(rng.integers(len(NOUNS)))]}".strip()


def _shortened(phrase: str, rng: np.random.Generator) -> str:
    """The phrase, or, as often, one without some of its words."""
    words = phrase.split()
    kept = [word for word in words if rng.random() < KEPT]
    return phrase if rng.random() < 0.5 or not kept else " ".join(kept)
