"""Whether a trained generator draws what it is told, and how that is told to people."""

from dataclasses import dataclass, field

import keras
import numpy as np

from tfgantl.crossmodal.text_conditioning import NONE, from_vectors
from tfgantl.crossmodal.text_to_image import ENCODER, TextToImage
from tfgantl.gan import GAN
from tfgantl.images import encode_png, grid
from tfgantl.pipelines.imagine.fidelity import WordEffect, class_fidelity, held_out_effects, word_effects
from tfgantl.pipelines.imagine.preparation import PreparedCaptions
from tfgantl.pipelines.imagine.results import scale_of
from tfgantl.report import Report
from tfgantl.training.run_directory import RunDirectory

EACH = 20  # pictures of a phrase
ROWS = 12  # phrases on the sheet


@dataclass(frozen=True)
class ToldFidelity:
    """What was measured of phrases, with a sheet of them.

    Args:
        model: The generator with its text encoder.
        phrases: Those of the sheet, one a row.
        images: uint8 (phrases, 10, height, width, channels).
        numbers: Name → share or mean.
        effects: Of each word in each class.
    """

    model: TextToImage
    phrases: tuple[str, ...]
    images: np.ndarray
    numbers: dict[str, float | None]
    effects: list[WordEffect] = field(default_factory=list)


def tell_fidelity(prepared: PreparedCaptions, gan: GAN) -> ToldFidelity:
    """Draws phrases, and measures whether the pictures show them.

    The class is told by the extractor, where it knows the classes; attributes are measured, for measured captions.

    Args:
        prepared: What was trained on.
        gan: The trained pair.
    """
    phrases = _shown(prepared)
    model = TextToImage(from_vectors(gan.ema_generator), prepared.text_encoder, phrases)
    numbers: dict[str, float | None] = {}
    part, classes = prepared.examples["train"], prepared.data.classes
    meaning = None
    if part.num_classes is not None and classes is not None:
        from tfgantl.metrics.label_meaning import LabelMeaning

        meaning = LabelMeaning.of(prepared.extractor, part.num_classes, part.classes).labels
    if meaning is not None and classes is not None:
        named = np.flatnonzero(classes != NONE)[:100]
        wanted = meaning[classes[named]]
        told = [prepared.data.phrases[i] for i in named]
        shares = class_fidelity(model.draw, told, wanted, lambda images: prepared.extractor(images)[1], EACH)
        numbers["class drawn"] = float(shares.mean())
    effects: list[WordEffect] = []
    if prepared.templates is not None and prepared.templates.words:
        settings = (prepared.templates, prepared.deviations, part.channels, EACH)
        effects = word_effects(model.draw, *settings)
        numbers["words right"] = float(np.mean([one.right for one in effects]))
        numbers["word shift"] = float(np.mean([one.shift for one in effects]))
        unseen = held_out_effects(model.draw, *settings)
        if unseen:
            numbers["held-out words right"] = float(np.mean([one.right for one in unseen]))
        effects += unseen
    images = model.draw([phrase for phrase in phrases for _ in range(10)], np.tile(np.arange(10), len(phrases)))
    images = images.reshape(len(phrases), 10, *images.shape[1:])
    return ToldFidelity(model, phrases, images, numbers, effects)


def _shown(prepared: PreparedCaptions) -> tuple[str, ...]:
    """Phrases for the sheet: each class with a word, by turns, or the most used captions."""
    templates = prepared.templates
    if templates is None or not templates.words:
        return prepared.data.phrases[:ROWS]
    levels = [(words.name, level) for words in templates.words for level in (0, 2)]
    count = max(len(templates.class_names), 1)
    rows = [(i % count, dict([levels[i % len(levels)]])) for i in range(min(max(count, len(levels)), ROWS))]
    return tuple(templates.phrase(label if templates.class_names else None, named) for label, named in rows)


def tell_in_report(report: Report, prepared: PreparedCaptions, told: ToldFidelity) -> Report:
    """Adds what was measured of phrases to the report of a training."""
    flat = told.images.reshape(-1, *told.images.shape[2:])
    report.pictures = {
        f"Drawn, one a row: {'; '.join(told.phrases)}": encode_png(grid(flat, 10), scale_of(flat)),
        **report.pictures,
    }
    report.tables = {
        "Does it draw what it is told?": [(name, f"{value:.3f}") for name, value in told.numbers.items() if value],
        "Words: share of pictures that move the right way, and by how many standard deviations": [
            (f"{one.class_name}, {one.word}{' (held out)' if one.held_out else ''}", f"{one.right:.2f}",
             f"{one.shift:+.2f}")
            for one in told.effects
        ],
        **report.tables,
    }  # fmt: skip
    return report


def save_text_encoder(encoder: keras.Model, run: RunDirectory) -> None:
    """Leaves the text encoder beside the networks, which are of no use without it."""
    with run.replacing(ENCODER) as temporary:
        encoder.save(temporary)
