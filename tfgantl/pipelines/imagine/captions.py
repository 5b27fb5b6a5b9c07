"""The captions of a training: those of a user, or made of classes and measured attributes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.crossmodal.attribute_words import AttributeWords
from tfgantl.crossmodal.caption_files import load_captioned
from tfgantl.crossmodal.caption_templates import CaptionTemplates, describe_attributes
from tfgantl.crossmodal.captioned import finite
from tfgantl.crossmodal.captions import Captions
from tfgantl.data import SPLITS, Examples, Source
from tfgantl.editing.attributes import attribute_named

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine.train import ImagineTrainConfig

AUTO = {1: ("thickness", "slant", "size"), 3: ("brightness", "saturation", "temperature")}  # by channels


@dataclass(frozen=True)
class CaptionedSplits:
    """Pictures and their captions.

    Args:
        examples: Split → its examples, without those that have no caption.
        captions: Split → the captions of these.
        templates: What measured captions were made by; `None` for those of a user.
        deviations: Standard deviation of each measured attribute among training pictures.
        notes: For the log: what was left out, and what is called how.
    """

    examples: dict[str, Examples]
    captions: dict[str, Captions]
    templates: CaptionTemplates | None
    deviations: dict[str, float]
    notes: tuple[str, ...]


def captions_for(config: "ImagineTrainConfig", target: Source) -> CaptionedSplits:
    """Reads or makes the captions of all splits.

    Args:
        config: The settings.
        target: Where pictures are from, of a known size.

    Raises:
        DataError: If captions cannot be used, or pictures differ in nothing that there are words for.
    """
    if not config.measures_captions:
        kept, captions = load_captioned(target, config.captions, config.on_bad_captions)
        notes = tuple(dict.fromkeys(note for some in captions.values() for note in some.notes))
        return CaptionedSplits(kept, captions, None, {}, notes)
    examples = {split: finite(target.load(split), config.pictures) for split in SPLITS}
    part = examples["train"]
    names = AUTO[part.channels] if config.attributes == "auto" else tuple(config.attributes.split(","))
    attributes = [attribute_named(name.strip(), part.channels) for name in names]
    made: dict[str, Captions] = {}
    templates: CaptionTemplates | None = None
    deviations: dict[str, float] = {}
    for split, some in examples.items():  # the training comes first, and says what is thick
        images, labels = some.take()
        values = {attribute.name: attribute(images) for attribute in attributes}
        if templates is None:
            made[split], templates = describe_attributes(
                labels, some.classes, values, config.seed, held_out=config.held_out
            )
            deviations = {name: float(np.std(value)) for name, value in values.items()}
        else:
            made[split], _ = describe_attributes(labels, some.classes, values, config.seed, words=templates.words)
    words = templates.words if templates else ()
    return CaptionedSplits(examples, made, templates, deviations, tuple(map(_told, words)))


def _told(words: AttributeWords) -> str:
    return f"{words.low[0]} is a {words.name} below {words.below:.3g}, {words.high[0]} one above {words.above:.3g}"
