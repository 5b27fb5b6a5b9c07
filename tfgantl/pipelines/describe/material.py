"""What encoders are trained and measured on: pictures, and captions of files, of named parts, or that are measured."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.crossmodal.attribute_words import AttributeWords
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.caption_files import load_captioned
from tfgantl.crossmodal.caption_templates import describe_attributes
from tfgantl.crossmodal.captions import MEASURED_CAPTIONS, PART_CAPTIONS, Captions
from tfgantl.crossmodal.part_captions import PREFIX, NamedPart, describe_parts, named_parts, whole_descriptions
from tfgantl.data import Examples, Source
from tfgantl.data.archives import read_arrays, shapes_in
from tfgantl.data.classes import matched
from tfgantl.data.sources import Arrays
from tfgantl.editing.attributes import MEASURED, Attribute
from tfgantl.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tfgantl.pipelines.describe.train import DescribeTrainConfig

AUTO = 3  # attributes of a picture that are told by default
MAX_TEST = 1000  # held-out pictures


@dataclass(frozen=True)
class CaptionedMaterial:
    """Pictures with captions, in two parts that share nothing.

    Args:
        images: uint8 (n, height, width, channels) for training.
        captions: Of these.
        test_images: Held out.
        test_captions: Of the held-out ones: all that can be said of each, in one phrase, where captions are made.
        bank: Captions that pictures are described by.
        facts: What the held-out pictures show, int16 (n, names of the bank), if it is known.
        notes: For the log.
    """

    images: np.ndarray
    captions: Captions
    test_images: np.ndarray
    test_captions: Captions
    bank: CaptionBank
    facts: np.ndarray | None
    notes: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of the training pictures and captions."""
        return hashlib.sha256(self.images.tobytes() + self.captions.fingerprint.encode()).hexdigest()[:16]


def gather(config: "DescribeTrainConfig") -> CaptionedMaterial:
    """Reads pictures, and reads or makes their captions.

    Raises:
        DataError: If they cannot be used.
        ConfigError: If an attribute is not known.
    """
    target = config.target.sized(config.image_size, config.channels)
    if config.captions == MEASURED_CAPTIONS:
        return _measured(config, [target, *(one.sized(config.image_size, config.channels) for one in config.also)])
    if config.captions == PART_CAPTIONS:
        return _of_parts(config, target)
    return _of_files(config, target)


def _of_files(config: "DescribeTrainConfig", target: Source) -> CaptionedMaterial:
    examples, captions = load_captioned(target, config.captions, config.on_bad_captions)
    images, own = _some(examples["train"], captions["train"], config.samples)
    test_images, test = _some(examples["test"], captions["test"], MAX_TEST)
    notes = tuple(dict.fromkeys((*examples["train"].notes, *own.notes)))
    return CaptionedMaterial(images, own, test_images, test, CaptionBank.of_captions(own), None, notes)


def _some(part: Examples, captions: Captions, limit: int) -> tuple[np.ndarray, Captions]:
    """At most so many pictures, always the same, and their captions."""
    at = _places(len(captions), limit)
    return part.read(at)[0], captions.of_some(at)


def _places(count: int, limit: int) -> np.ndarray:
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def _of_parts(config: "DescribeTrainConfig", target: Source) -> CaptionedMaterial:
    if not isinstance(target, Arrays):
        raise ConfigError(f"`captions` may be parts for a target `Arrays`. Received: {type(target).__name__}")
    path = Path(target.path)
    names = tuple(name for name in shapes_in(path) if name.startswith(PREFIX))
    parts = named_parts(read_arrays(path, names, target.max_bytes))
    found = {}
    for split, limit in (("train", config.samples), ("test", MAX_TEST)):
        examples = target.load(split)
        places = examples.files or ()
        at = _places(len(places), limit)
        rows = np.array([int(places[i]) for i in at])
        own = tuple(NamedPart(part.name, part.words, part.of_pictures[rows]) for part in parts)
        found[split] = examples.read(at)[0], own
    (images, own), (test_images, test) = found["train"], found["test"]
    captions = describe_parts(own, config.seed, config.each)
    told = f"parts that captions name: {', '.join(part.name for part in parts)}"
    whole = Captions.of([phrase] for phrase in whole_descriptions(test))
    bank = CaptionBank.of_captions(Captions.of([phrase] for phrase in whole_descriptions(own)))
    return CaptionedMaterial(images, captions, test_images, whole, bank, None, (told,))


def _measured(config: "DescribeTrainConfig", sources: list[Source]) -> CaptionedMaterial:
    train, test = _united(sources, "train", config.samples), _united(sources, "test", MAX_TEST)
    attributes = chosen_attributes(config.attributes, train.channels)
    images, labels = train.take()
    captions, templates = describe_attributes(
        labels, train.classes, _values(attributes, images), config.seed, config.each, held_out=config.held_out
    )
    test_images, test_labels = test.take()
    _, own = describe_attributes(
        test_labels, test.classes, values := _values(attributes, test_images), config.seed, words=templates.words
    )
    levels = np.stack([one.levels(values[one.name]) for one in templates.words], 1) if templates.words else None
    levels = np.zeros((len(test_images), 0), np.int16) if levels is None else levels.astype(np.int16)
    whole = Captions.of([phrase] for phrase in own.full_phrases(test_labels, levels))
    bank = CaptionBank.of_templates(templates)
    facts = own.facts(test_labels, levels)[:, 0 if templates.class_names else 1 :][:, : len(bank.names)]
    return CaptionedMaterial(images, captions, test_images, whole, bank, facts, tuple(map(_told, templates.words)))


def _united(sources: list[Source], split: str, limit: int) -> Examples:
    """Some pictures of each source, with labels that mean what they mean in the first."""
    parts = [source.load(split) for source in sources]
    first = parts[0]
    if first.classes is not None:
        parts = [first] + [matched(part, first.classes, None, type(part).__name__) for part in parts[1:]]
    read = [part.subset(limit) for part in parts]
    if len({labels is None for _, labels in read}) > 1:
        raise DataError("`also` must have classes where `target` has any, and only there. Received: classes in one")
    labels = None if read[0][1] is None else np.concatenate([some for _, some in read if some is not None])
    images = np.concatenate([some for some, _ in read])
    return Examples.from_arrays(images, labels, first.num_classes, classes=first.classes)


def chosen_attributes(names: str, channels: int) -> list[Attribute]:
    """Attributes by their names, between commas; the first three of the kind of picture for `auto`.

    Raises:
        ConfigError: If there is no such attribute of pictures with so many channels.
    """
    known = {one.name: one for one in MEASURED if channels in one.channels}
    wanted = list(known)[:AUTO] if names == "auto" else [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"`attributes` must be auto, or of {', '.join(known)}. Received: {', '.join(unknown)}")
    return [known[name] for name in wanted]


def _values(attributes: list[Attribute], images: np.ndarray) -> dict[str, np.ndarray]:
    return {attribute.name: attribute(images) for attribute in attributes}


def _told(words: AttributeWords) -> str:
    return f"{words.low[0]} is a {words.name} below {words.below:.3g}, {words.high[0]} one above {words.above:.3g}"
