"""Pictures with captions: those of people, those that name parts of a picture, or those of what is measured of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfgantl.crossmodal.attribute_words import AttributeWords, levels_of
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.caption_files import OnBad, load_captioned, names_of
from tfgantl.crossmodal.caption_templates import CaptionTemplates, describe_attributes
from tfgantl.crossmodal.captions import MEASURED_CAPTIONS, PART_CAPTIONS, Captions
from tfgantl.crossmodal.part_captions import PREFIX, NamedPart, describe_parts, named_parts, whole_descriptions
from tfgantl.data import Examples, Source
from tfgantl.data.apart import kept_apart
from tfgantl.data.archives import read_arrays, shapes_in
from tfgantl.data.classes import matched
from tfgantl.data.sources import Arrays
from tfgantl.editing.attributes import MEASURED, Attribute
from tfgantl.errors import ConfigError, DataError

AUTO = 3  # attributes of a picture that are told by default
EACH = 4  # phrases that are made of a picture


@dataclass(frozen=True)
class CaptionedSplits:
    """Pictures and their captions.

    Args:
        examples: Split → its examples, without those that have no caption.
        captions: Split → the captions of these.
        whole: Split → all that can be said of each picture in one phrase; as `captions`, where people wrote these.
        bank: Captions that pictures can be given.
        notes: For the log: what was left out, and what is called how.
        templates: What measured captions were made by; `None` for others.
        facts: Split → what its pictures show, int16 (n, names of the bank); nothing where that is not measured.
        deviations: Standard deviation of each measured attribute among training pictures.
    """

    examples: dict[str, Examples]
    captions: dict[str, Captions]
    whole: dict[str, Captions]
    bank: CaptionBank
    notes: tuple[str, ...]
    templates: CaptionTemplates | None = None
    facts: dict[str, np.ndarray] = field(default_factory=dict)
    deviations: dict[str, float] = field(default_factory=dict)


def caption_pictures(
    sources: Sequence[Source],
    captions: str,
    most: Mapping[str, int | None],
    seed: int,
    on_bad: OnBad = "error",
    attributes: str = "auto",
    held_out: int = 0,
    each: int = EACH,
) -> CaptionedSplits:
    """Reads or makes the captions of some splits, the training first, which says what is thick and what is thin.

    Args:
        sources: Where pictures are from, of a known size; several of the same classes only for measured captions.
        captions: `measured`, `parts`, or where captions are, as for `caption_splits`.
        most: Split → how many of its pictures are taken at most; `None` for all.
        seed: Chooses words, templates and what is held out.
        on_bad: As for `caption_splits`.
        attributes: What is measured, as for `measured_attributes`.
        held_out: Combinations of a class and two words that no measured caption names.
        each: Phrases that are made of each picture, where they are made.

    Raises:
        DataError: If captions cannot be used, or pictures differ in nothing that there are words for.
        ConfigError: If an attribute is not known, or parts are asked for that the source cannot name.
    """
    if captions == MEASURED_CAPTIONS:
        loaded = kept_apart([one.splits() for one in sources], [one.name for one in sources])
        examples = {split: _united(sources, [parts[split] for parts in loaded], limit) for split, limit in most.items()}
        return _measured(examples, attributes, held_out, seed, each)
    (source,) = sources
    if captions == PART_CAPTIONS:
        return _of_parts(source, most, seed, each)
    kept, found = load_captioned(source, captions, on_bad)
    at = {split: kept[split].places(_limit(kept[split], limit)) for split, limit in most.items()}
    examples = {split: kept[split].some(places) for split, places in at.items()}
    own = {split: found[split].of_some(places) for split, places in at.items()}
    notes = tuple(dict.fromkeys(note for some in own.values() for note in some.notes))
    return CaptionedSplits(examples, own, own, CaptionBank.of_captions(own["train"]), notes)


def _limit(examples: Examples, most: int | None) -> int:
    return int(examples.size or 0) if most is None else most


def _of_parts(source: Source, most: Mapping[str, int | None], seed: int, each: int) -> CaptionedSplits:
    if not isinstance(source, Arrays):
        raise ConfigError(f"`captions` may be parts for a target `Arrays`. Received: {type(source).__name__}")
    path = Path(source.path)
    names = tuple(name for name in shapes_in(path) if name.startswith(PREFIX))
    shapes = shapes_in(path)
    for name in names:
        shape, dtype = shapes[name]
        if shape != shapes.get(source.images, ((),))[0][:1] or dtype.kind != "U":
            raise DataError(
                f"`captions`: {name} must have a value for each picture of `{source.images}` in {path}, str (n,). "
                f"Received: {dtype} {shape}, for {shapes.get(source.images, 'none')}"
            )
    parts = named_parts(read_arrays(path, names, source.max_bytes))
    examples, captions, whole = {}, dict[str, Captions](), dict[str, Captions]()
    splits = source.splits()
    for split, limit in most.items():
        part = splits[split]
        some = examples[split] = part.some(part.places(_limit(part, limit)))
        rows = np.array([int(name) for name in names_of(some)])
        own = tuple(NamedPart(part.name, part.words, part.of_pictures[rows]) for part in parts)
        captions[split] = describe_parts(own, seed, each)
        whole[split] = Captions.of([phrase] for phrase in whole_descriptions(own))
    told = f"parts that captions name: {', '.join(part.name for part in parts)}"
    return CaptionedSplits(examples, captions, whole, CaptionBank.of_captions(whole["train"]), (told,))


def _measured(examples: dict[str, Examples], attributes: str, held_out: int, seed: int, each: int) -> CaptionedSplits:
    part = examples["train"]
    chosen = measured_attributes(attributes, part.channels)
    seen = {}
    for split, some in examples.items():
        images, labels = some.take()
        seen[split] = labels, {attribute.name: attribute(images) for attribute in chosen}
    labels, values = seen["train"]
    _, templates = describe_attributes(labels, part.classes, values, seed, each, held_out=held_out)
    deviations = {name: float(np.std(value)) for name, value in values.items()}
    captions, whole, facts = dict[str, Captions](), dict[str, Captions](), dict[str, np.ndarray]()
    bank = CaptionBank.of_templates(templates)
    for split, (labels, values) in seen.items():
        count = int(examples[split].size or 0)
        levels = levels_of(templates.words, values) if templates.words else np.zeros((count, 0), np.int16)
        captions[split] = templates.captions(labels, levels, seed, each)
        whole[split] = Captions.of([phrase] for phrase in templates.full_phrases(labels, levels))
        shown = templates.facts(labels, levels)[:, 0 if templates.class_names else 1 :]
        facts[split] = shown[:, : len(bank.names)]
    notes = tuple(map(_told, templates.words))
    return CaptionedSplits(examples, captions, whole, bank, notes, templates, facts, deviations)


def _united(sources: Sequence[Source], parts: Sequence[Examples], most: int | None) -> Examples:
    """Some pictures of a part of each source, with labels that mean what they mean in the first."""
    first = parts[0]
    if first.classes is not None:
        others = zip(sources[1:], parts[1:], strict=True)
        parts = [first, *(matched(part, first.classes, None, type(source).__name__) for source, part in others)]
    parts = [part.some(part.places(_limit(part, most))) for part in parts]
    if len(parts) == 1:
        return parts[0]
    read = [part.take() for part in parts]
    if len({labels is None for _, labels in read}) > 1:
        raise DataError("`also` must have classes where `target` has any, and only there. Received: classes in one")
    labels = None if read[0][1] is None else np.concatenate([some for _, some in read if some is not None])
    notes = [note for part in parts for note in part.notes]
    images = np.concatenate([some for some, _ in read])
    return Examples.from_arrays(images, labels, first.num_classes, notes, first.classes)


def measured_attributes(names: str, channels: int) -> list[Attribute]:
    """Attributes by their names, between commas; the first three of the kind of picture for `auto`.

    Raises:
        ConfigError: If there is no such attribute of pictures with so many channels.
    """
    known = {one.name: one for one in MEASURED if channels in one.channels}
    wanted = list(known)[:AUTO] if names == "auto" else [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"`attributes` must be auto, or of {', '.join(known)}. Received: {', '.join(unknown)}")
    return [known[name] for name in wanted]


def _told(words: AttributeWords) -> str:
    return f"{words.low[0]} is a {words.name} below {words.below:.3g}, {words.high[0]} one above {words.above:.3g}"
