"""What encoders are trained and measured on: pictures, and captions of files, of named parts, or that are measured."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.captions import Captions
from tfgantl.pipelines.captioning import caption_pictures

if TYPE_CHECKING:
    from tfgantl.pipelines.describe.train import DescribeTrainConfig

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
    sources = [one.sized(config.image_size, config.channels) for one in (config.target, *config.also)]
    found = caption_pictures(
        sources, config.captions, {"train": config.samples, "test": MAX_TEST}, config.seed, config.on_bad_captions,
        config.attributes, config.held_out, config.each,
    )  # fmt: skip
    (images, _), (test_images, _) = (found.examples[split].take() for split in ("train", "test"))
    notes = tuple(dict.fromkeys((*found.examples["train"].notes, *found.notes)))
    return CaptionedMaterial(
        images, found.captions["train"], test_images, found.whole["test"], found.bank, found.facts.get("test"), notes
    )
