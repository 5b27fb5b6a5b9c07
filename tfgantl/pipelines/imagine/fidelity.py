"""Whether a generator draws what it is told: the class that a text names, and what each word of it changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tfgantl.crossmodal.attribute_words import HIGH, LOW, AttributeWords
from tfgantl.crossmodal.caption_templates import CaptionTemplates
from tfgantl.editing.attributes import Attribute, attribute_named

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
    rows = []
    for label in range(len(templates.class_names)):
        plain = templates.phrase(label, {})
        pictures = draw([plain] * each, np.arange(each))
        for words in templates.words:
            measure = attribute_named(words.name, channels)
            before = measure(pictures)
            for level in (LOW, HIGH):
                phrase = templates.phrase(label, {words.name: level})
                rows.append(_effect(draw, phrase, measure, before, words, level, deviations[words.name], plain, False))
    return rows


def held_out_effects(
    draw: Draw, templates: CaptionTemplates, deviations: dict[str, float], channels: int, each: int = 20
) -> list[WordEffect]:
    """Measures both words of every combination that no caption of the training had, against the class alone."""
    rows = []
    named = {words.name: words for words in templates.words}
    for label, pair in sorted(templates.held_out):
        plain, phrase = templates.phrase(label, {}), templates.phrase(label, dict(pair))
        pictures = draw([plain] * each, np.arange(each))
        for name, level in pair:
            measure = attribute_named(name, channels)
            before = measure(pictures)
            rows.append(_effect(draw, phrase, measure, before, named[name], level, deviations[name], plain, True))
    return rows


def _effect(
    draw: Draw, phrase: str, measure: Attribute, before: np.ndarray, words: AttributeWords, level: int,
    deviation: float, plain: str, held_out: bool,
) -> WordEffect:  # fmt: skip
    change = measure(draw([phrase] * len(before), np.arange(len(before)))) - before
    change = change if level == HIGH else -change
    name = plain.partition(" ")[2]
    return WordEffect(
        name, words.synonyms(level)[0], words.name, float((change > 0).mean()), float(change.mean() / deviation),
        held_out,
    )  # fmt: skip
