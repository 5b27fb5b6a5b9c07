"""Whether a generator draws what it is told: the class that a text names, and what each word of it changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tfgantl.crossmodal.attribute_words import HIGH, LOW, AttributeWords
from tfgantl.crossmodal.caption_templates import CaptionTemplates
from tfgantl.editing.attributes import attribute_named

Draw = Callable[[Sequence[str], np.ndarray], np.ndarray]  # phrases and seeds → uint8 images


@dataclass(frozen=True)
class WordEffect:
    """What one word does to the pictures of one class.

    Args:
        class_name: What is drawn.
        word: The word that is added to it.
        attribute: Name of what the word is about.
        right: Share of the pictures whose value moved the way that the word says, against the same seed without it.
        shift: Mean change, in standard deviations of the attribute among real pictures, in the direction of the word.
        held_out: Whether the phrase holds a combination that no caption of the training had.
    """

    class_name: str
    word: str
    attribute: str
    right: float
    shift: float
    held_out: bool = False


def class_fidelity(
    draw: Draw, phrases: Sequence[str], classes: np.ndarray, predict: Callable[[np.ndarray], np.ndarray], each: int
) -> np.ndarray:
    """Share of pictures of each phrase that a classifier takes for the class that it names, float (phrases,).

    Args:
        draw: The generator.
        phrases: What to draw.
        classes: int (phrases,).
        predict: uint8 images → int classes; it must not have been trained on what the generator makes.
        each: Pictures of a phrase.
    """
    images = draw([phrase for phrase in phrases for _ in range(each)], np.arange(len(phrases) * each))
    return (predict(images).reshape(len(phrases), each) == classes[:, None]).mean(1)


def word_effects(
    draw: Draw, templates: CaptionTemplates, deviations: dict[str, float], channels: int, each: int = 20
) -> list[WordEffect]:
    """Measures every word of every attribute in every class: the first synonym, added to the name of the class.

    Args:
        draw: The generator.
        templates: Of the captions.
        deviations: Standard deviation of each attribute among real pictures.
        channels: Of the images.
        each: Pictures of a phrase.
    """
    changes = [
        _Change(templates.phrase(label, {}), templates.phrase(label, {words.name: level}), words, level)
        for label in range(len(templates.class_names))
        for words in templates.words
        for level in (LOW, HIGH)
    ]
    return _effects(draw, changes, deviations, channels, each, held_out=False)


def held_out_effects(
    draw: Draw, templates: CaptionTemplates, deviations: dict[str, float], channels: int, each: int = 20
) -> list[WordEffect]:
    """Measures both words of every combination that no caption of the training had, against the class alone."""
    named = {words.name: words for words in templates.words}
    changes = [
        _Change(templates.phrase(label, {}), templates.phrase(label, dict(pair)), named[name], level)
        for label, pair in sorted(templates.held_out)
        for name, level in pair
    ]
    return _effects(draw, changes, deviations, channels, each, held_out=True)


@dataclass(frozen=True)
class _Change:
    """A phrase, the same with more words, and the word among these whose effect is asked for."""

    plain: str
    phrase: str
    words: AttributeWords
    level: int


def _effects(
    draw: Draw, changes: Sequence[_Change], deviations: dict[str, float], channels: int, each: int, held_out: bool
) -> list[WordEffect]:
    phrases = list(dict.fromkeys(phrase for one in changes for phrase in (one.plain, one.phrase)))
    # All at once: a call costs more than the pictures of a phrase.
    images = draw([phrase for phrase in phrases for _ in range(each)], np.tile(np.arange(each), len(phrases)))
    drawn = {phrase: images[i * each : (i + 1) * each] for i, phrase in enumerate(phrases)}
    rows = []
    for one in changes:
        measure = attribute_named(one.words.name, channels)
        change = measure(drawn[one.phrase]) - measure(drawn[one.plain])
        change = change if one.level == HIGH else -change
        rows.append(
            WordEffect(
                one.plain.partition(" ")[2],
                one.words.synonyms(one.level)[0],
                one.words.name,
                float((change > 0).mean()),
                float(change.mean() / deviations[one.words.name]),
                held_out,
            )  # fmt: skip
        )
    return rows
