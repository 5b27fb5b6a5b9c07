"""Captions of styles: what is measured of their pictures, in words, or what people wrote."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tfgantl.crossmodal.attribute_words import HIGH, LOW, fit_words
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.caption_files import read_captions
from tfgantl.crossmodal.captions import MEASURED_CAPTIONS, Captions
from tfgantl.data.classes import plain_name
from tfgantl.editing.attributes import brightness, saturation, temperature
from tfgantl.errors import DataError
from tfgantl.style.pictures import resized, shape_at
from tfgantl.style.style_captions import StyleCaptions, StyleWord
from tfgantl.style.surface import coarseness, colours_of, contrast, grain

MEASURES = {
    "brightness": brightness, "saturation": saturation, "temperature": temperature, "contrast": contrast,
    "grain": grain, "coarseness": coarseness,
}  # fmt: skip
SIDE = 256  # longer side in pixels that pictures are measured at
COLOUR, STYLE = "colour", "style"


def captions_of_styles(
    captions: str,
    names: Sequence[str],
    pictures: Sequence[np.ndarray],
    files: Sequence[Path],
    on_bad: Literal["error", "skip"] = "error",
) -> tuple[StyleCaptions | None, CaptionBank | None, tuple[str, ...]]:
    """What is known of styles in words, what pictures can be described by, and remarks.

    Where styles differ in nothing that is measured, as a single one does, nothing is known.

    Args:
        captions: `measured`, or a file of captions as `tfgantl.crossmodal.caption_files` reads it.
        names: Of the styles.
        pictures: Of the styles, uint8 (height, width, 3).
        files: Of the pictures.
        on_bad: What to do about captions that do not fit.

    Raises:
        DataError: If captions cannot be used, or a style has none.
    """
    if captions == MEASURED_CAPTIONS:
        words = measured_words(pictures)
        if not words:
            return None, None, ("no phrases are learnt, as the styles differ in nothing that there are words for",)
        known = StyleCaptions(tuple(names), words)
        told = ", ".join(f"{name}: {known.full(i)}" for i, name in enumerate(names))
        return known, bank_of(known), (f"styles in words: {told}",)
    whole = [os.path.abspath(file) for file in files]
    folder = os.path.commonpath([os.path.dirname(file) for file in whole])
    called = [os.path.relpath(file, folder) for file in whole]  # of two folders, pictures may have one name
    found, notes = read_captions(called, captions, on_bad, folder=Path(folder))
    missing = [name for name, file in zip(names, called, strict=True) if file not in found]
    if missing:
        raise DataError(f"{captions}: every style must have a caption. Received: none of {', '.join(missing)}")
    phrases = tuple(tuple(found[file]) for file in called)
    known = StyleCaptions(tuple(names), phrases=phrases)
    return known, CaptionBank.of_captions(Captions.of(phrases)), notes


def measured_words(pictures: Sequence[np.ndarray]) -> tuple[StyleWord, ...]:
    """Words for styles by their pictures: for the lowest and the highest third of each measure, and for colours."""
    small = [resized(one, shape_at(one, SIDE))[None] for one in pictures]
    measured = {name: np.array([measure(one)[0] for one in small]) for name, measure in MEASURES.items()}
    words = []
    for one in fit_words(measured):
        levels = one.levels(measured[one.name])
        for level in (LOW, HIGH):
            true = tuple(bool(value) for value in levels == level)
            words.append(StyleWord(one.synonyms(level), one.name, true))
    colours = [colours_of(one) for one in pictures]
    for colour in dict.fromkeys(name for some in colours for name in some):
        words.append(StyleWord((colour,), colour, tuple(colour in some for some in colours)))
    return tuple(word for word in words if any(word.true_of) and not all(word.true_of))


def bank_of(captions: StyleCaptions) -> CaptionBank:
    """Captions that tell one thing each, so that beliefs about it are shares among its words, and those of styles."""
    attributes: dict[str, list[StyleWord]] = {}
    for word in captions.words:
        attributes.setdefault(_told_as(word), []).append(word)
    values = [("", *(word.synonyms[0] for word in some)) for some in attributes.values()]
    phrases, says = [], []
    for column, some in enumerate(values):
        for value, phrase in enumerate(some[1:], 1):
            phrases.append(phrase)
            says.append([value if i == column else 0 for i in range(len(values) + 1)])
    for style in range(len(captions.styles)):
        phrases.append(captions.full(style))
        says.append([*_said_of(style, list(attributes.values())), style + 1])
    names = (*attributes, STYLE)
    styles = ("", *(plain_name(name) for name in captions.styles))
    return CaptionBank(tuple(phrases), names, (*values, styles), np.array(says, np.int16))


def _told_as(word: StyleWord) -> str:
    return word.attribute if word.attribute in MEASURES else COLOUR


def _said_of(style: int, attributes: Sequence[Sequence[StyleWord]]) -> list[int]:
    """The first word of each attribute that is true of a style, by its number; 0 for none."""
    return [next((i for i, word in enumerate(some, 1) if word.true_of[style]), 0) for some in attributes]
