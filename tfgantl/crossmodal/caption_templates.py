"""Captions by templates: the class of a picture and the words for its measured attributes, with synonyms."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfgantl.crossmodal.attribute_words import MIDDLE, AttributeWords, fit_words, levels_of
from tfgantl.crossmodal.captions import UNNAMED, Captions, Claims
from tfgantl.crossmodal.nouns import noun_of, plural_of, with_article
from tfgantl.data.classes import plain_name
from tfgantl.errors import ConfigError, DataError
from tfgantl.random_streams import Stream

CLASS = "class"
FRAMES = ("{}", "{}", "{}", "a picture of {}", "an image of {}", "this is {}")
SEVERAL = ("two", "three", "four", "five", "some", "several", "many")  # how many there are says nothing of each
SHARE_OF_PLURALS = 0.2
SHARE_WITHOUT_CLASS = 0.15  # of the phrases that name an attribute
MOST_WORDS = 4  # for attributes, in one phrase
ATTEMPTS = 20  # at words that name no held-out combination

# A class, and two attributes with their levels.
Combination = tuple[int, tuple[tuple[str, int], tuple[str, int]]]


@dataclass(frozen=True)
class CaptionTemplates:
    """Makes phrases of classes and levels of attributes, and knows what they name.

    Args:
        class_names: Of the classes, by their labels; empty where there are none, and pictures are called so.
        words: For the attributes.
        held_out: Combinations of a class and two words that no phrase names.

    Example:
        >>> words = AttributeWords("thickness", 2.0, 3.0, ("thin", "fine"), ("thick", "bold"))
        >>> templates = CaptionTemplates(("7", "8"), (words,))
        >>> templates.phrase(0, {"thickness": 2})
        'a thick seven'
        >>> templates.named_by("three bold eights")
        {'thickness': 2, 'class': 1}
    """

    class_names: tuple[str, ...]
    words: tuple[AttributeWords, ...]
    held_out: frozenset[Combination] = frozenset()
    _nouns: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for called in (
            noun_of,
            plain_name,
            lambda name: plural_of(noun_of(name)),
        ):  # `glasses` is no several of `glass`
            for label, name in enumerate(self.class_names):
                self._nouns.setdefault(called(name), label)

    @property
    def noun(self) -> str:
        """What pictures of any class are called."""
        return "digit" if self.class_names and all(map(str.isdecimal, self.class_names)) else "picture"

    def phrase(self, label: int | None, levels: Mapping[str, int], rng: np.random.Generator | None = None) -> str:
        """A phrase that names a class and levels of attributes.

        Args:
            label: Class, or `None` to name none.
            levels: Name of an attribute → its level; those without a word are passed over.
            rng: Chooses synonyms, order and frame; the first of each if not given.
        """
        named = [one.synonyms(levels[one.name]) for one in self.words if one.name in levels]
        words = [some[0] if rng is None else some[int(rng.integers(len(some)))] for some in named if some]
        noun = self.noun if label is None or not self.class_names else noun_of(self.class_names[label])
        if rng is None:
            return with_article(" ".join([*words, noun]))
        words = [words[i] for i in rng.permutation(len(words))]
        several = plural_of(noun)
        if rng.random() < SHARE_OF_PLURALS and self._nouns.get(several, label) == label:
            return " ".join([SEVERAL[int(rng.integers(len(SEVERAL)))], *words, several])
        return FRAMES[int(rng.integers(len(FRAMES)))].format(with_article(" ".join([*words, noun])))

    def named_by(self, phrase: str) -> dict[str, int]:
        """What a phrase names: `class` → label, and names of attributes → levels.

        A number counts as a class only if no class stands behind it: `three eights` are of the class eight.
        """
        words = re.findall(r"[^\W_]+", phrase.casefold())
        label, at = self._class_in(words)
        found: dict[str, int] = {}
        for one in self.words:
            for word in (*words[: at.start], *words[at.stop :]):  # a fine art is not fine
                if (level := one.level_of(word)) is not None:
                    found[one.name] = level
        return found if label is None else {**found, CLASS: label}

    def _class_in(self, words: list[str]) -> tuple[int | None, slice]:
        """The class that words name, and where; the last of the longest names, which may have several words."""
        any_class = {self.noun, plural_of(self.noun)}
        heads = [i for i, word in enumerate(words) if word in any_class and words[i + 1 : i + 2] != ["of"]]
        head = max(heads, default=0)
        for length in range(4, 0, -1):
            for i in range(len(words) - length, -1, -1):
                name = " ".join(words[i : i + length])
                label = self._nouns.get(name)
                # `three digits` and `a thick picture` are of any class, whatever it is called.
                if label is not None and (i + length > head or not self._counts_or_describes(name, label)):
                    return label, slice(i, i + length)
        return None, slice(0, 0)

    def _counts_or_describes(self, name: str, label: int) -> bool:
        return self.class_names[label].isdecimal() or any(one.level_of(name) is not None for one in self.words)

    def is_held_out(self, label: int | None, levels: Mapping[str, int]) -> bool:
        """Whether a class and the levels of some attributes hold a combination that is not to be named."""
        pairs = itertools.combinations(sorted(levels.items()), 2)
        return label is not None and any((label, pair) in self.held_out for pair in pairs)

    def facts(self, labels: np.ndarray | None, levels: np.ndarray) -> np.ndarray:
        """What pictures show, int16 (n, 1 + words): class, and the level of each attribute."""
        classes = np.zeros(len(levels), np.int16) if labels is None else labels.astype(np.int16)
        return np.concatenate([classes[:, None], levels.astype(np.int16)], axis=1)

    def claims(self, phrases: Sequence[str], facts: np.ndarray) -> Claims:
        """What phrases name beside what pictures show."""
        names = (CLASS, *(one.name for one in self.words))
        said = np.full((len(phrases), len(names)), UNNAMED, np.int16)
        for row, phrase in zip(said, phrases, strict=True):
            for name, value in self.named_by(phrase).items():
                row[names.index(name)] = value
        values = (
            tuple(noun_of(name) for name in self.class_names) or (self.noun,),
            *((one.low[0], "", one.high[0]) for one in self.words),
        )
        return Claims(names, values, said, facts)

    def captions(self, labels: np.ndarray | None, levels: np.ndarray, seed: int, each: int = 4) -> Captions:
        """Several phrases for each picture: its class, as a rule, and, of the words that are true of it, some or all.

        Args:
            labels: int (n,), or `None`.
            levels: int (n, words).
            seed: Chooses words, synonyms and frames.
            each: Phrases of a picture, at most; equal ones count once.

        Returns:
            Captions with claims.
        """
        rng = Stream.CAPTIONS.generator(seed)
        some = [
            [self._phrase_of(None if labels is None else int(labels[i]), row, rng) for _ in range(each)]
            for i, row in enumerate(levels)
        ]
        captions = Captions.of(some)
        claims = self.claims(captions.phrases, self.facts(labels, levels))
        return Captions(captions.phrases, captions.of_pictures, claims=claims)

    def full_phrases(self, labels: np.ndarray | None, levels: np.ndarray) -> list[str]:
        """For each picture the phrase with all that can be said of it, by the first words."""
        names = [one.name for one in self.words]
        return [
            self.phrase(None if labels is None else int(labels[i]), dict(zip(names, map(int, row), strict=True)))
            for i, row in enumerate(levels)
        ]

    def _phrase_of(self, label: int | None, levels: np.ndarray, rng: np.random.Generator) -> str:
        true = {one.name: int(level) for one, level in zip(self.words, levels, strict=True) if level != MIDDLE}
        for _ in range(ATTEMPTS):
            most = min(len(true), MOST_WORDS)
            count = int(rng.integers(most + 1))
            chosen = [list(true)[i] for i in rng.permutation(len(true))[:count]]
            levels_named = {name: true[name] for name in chosen}
            if not self.is_held_out(label, levels_named):
                without = bool(levels_named) and rng.random() < SHARE_WITHOUT_CLASS
                return self.phrase(None if without else label, levels_named, rng)
        return self.phrase(label, {}, rng)


def describe_attributes(
    labels: np.ndarray | None,
    class_names: Sequence[str] | None,
    attributes: Mapping[str, np.ndarray],
    seed: int,
    each: int = 4,
    words: tuple[AttributeWords, ...] | None = None,
    held_out: int = 0,
) -> tuple[Captions, CaptionTemplates]:
    """Captions of pictures from their classes and measured attributes.

    Args:
        labels: int (n,), or `None` where there are no classes.
        class_names: Of the classes, by their labels.
        attributes: Name of an attribute → values (n,).
        seed: Chooses words, synonyms, frames and what is held out.
        each: Phrases of a picture, at most.
        words: With their thresholds, as another set gave them; fitted on these pictures if not given.
        held_out: How many combinations of a class and two words no phrase names.

    Returns:
        The captions, and what they were made by.

    Raises:
        DataError: If classes have no names, or there is neither a class nor an attribute to speak of.

    Example:
        >>> values = {"thickness": np.array([1.0, 2.0, 3.0, 4.0])}
        >>> captions, templates = describe_attributes(np.array([7, 8, 7, 8]), list("0123456789"), values, seed=0)
        >>> templates.full_phrases(np.array([7]), np.array([[0]]))
        ['a thin seven']
    """
    if labels is not None and not class_names:
        raise DataError("classes must have names to speak of them, which the data source gives. Received: none")
    words = fit_words(attributes) if words is None else words
    if labels is None and not words:
        raise DataError("pictures must differ in a class or an attribute that has a word. Received: neither")
    count = len(next(iter(attributes.values()))) if labels is None else len(labels)
    levels = levels_of(words, attributes) if words else np.zeros((count, 0), np.int16)
    names = () if labels is None else tuple(class_names or ())
    templates = CaptionTemplates(names, words)
    if held_out:
        templates = CaptionTemplates(names, words, held_out_combinations(words, len(names), held_out, seed))
    return templates.captions(labels, levels, seed, each), templates


def held_out_combinations(
    words: Sequence[AttributeWords], classes: int, count: int, seed: int
) -> frozenset[Combination]:
    """Combinations of a class and words for two attributes, which no caption of a training is to name.

    Args:
        words: For the attributes.
        classes: Number of classes.
        count: Of combinations.
        seed: Chooses them.

    Raises:
        ConfigError: If there are not as many.
    """
    ends = [[(one.name, level) for level in (0, 2)] for one in sorted(words, key=lambda one: one.name)]
    pairs = [pair for a, b in itertools.combinations(ends, 2) for pair in itertools.product(a, b)]
    every = [(label, pair) for label in range(classes) for pair in pairs]
    if count > len(every) // 2:
        raise ConfigError(f"`held_out` must be at most {len(every) // 2}, half of all combinations. Received: {count}")
    chosen = Stream.CAPTIONS.generator(seed).permutation(len(every))[:count]
    return frozenset(every[i] for i in chosen)
