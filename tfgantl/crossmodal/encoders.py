"""A text encoder and an image encoder that were trained together, with the captions that they can give pictures."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.text_checks import check_text
from tfgantl.crossmodal.text_encoder import TextEncoder, read_phrases
from tfgantl.crossmodal.wrapped_text import WrappedTextEncoder
from tfgantl.errors import ArtifactError, RunError, TfgantlError, intact
from tfgantl.files import expanded, fitted
from tfgantl.models.copies import layers_hash, weights_hash
from tfgantl.models.inference import predict_pixels
from tfgantl.regular_files import read_regular
from tfgantl.untrusted.networks import load_network

TEXT, IMAGE, FACTS = "text.keras", "image.keras", "encoders.json"
MAX_SCALE = 1e4  # of cosines, which are learnt to be divided by 0.01 at the least
MAX_BANK = 2**28  # bytes of what is said of encoders, with all captions
NAME = "text/encoders"  # of those that are shipped
PRESET = Path(__file__).parent.parent / "presets" / NAME


@dataclass(eq=False)
class TextImageEncoders:
    """Two encoders into one space, where a phrase is near the images that it is true of.

    Args:
        text: Phrases, string (batch,) → vectors (batch, dimension) of length 1.
        image: Images in [-1, 1] → vectors (batch, dimension) of length 1.
        scale: What similarities are multiplied by to be logits; the inverse of the learnt temperature.
        bank: Captions that pictures can be given.
        metadata: What was measured when they were made.
    """

    text: TextEncoder | WrappedTextEncoder
    image: keras.Model
    scale: float
    bank: CaptionBank
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return tuple(self.image.input_shape[1:])

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights of both, and of the vocabulary."""
        parts = [weights_hash(self.text), weights_hash(self.image), *self.text.vocabulary]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    @property
    def layers_hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the layers of both, which weights do not tell apart."""
        parts = [layers_hash(self.text), layers_hash(self.image)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    @property
    def facts_hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of all else: the scale, the captions, and what was measured."""
        return _digest({"scale": self.scale, "bank": self.bank.to_json(), "metadata": self.metadata})[:12]

    def embed_texts(self, texts: Sequence[str], check: bool = True) -> np.ndarray:
        """Vectors float32 (n, dimension) of texts.

        Raises:
            DataError: If a text is empty, too long or has no known word, unless `check` is false.
        """
        if check:
            for text in texts:
                check_text(text, self.text)
        return read_phrases(self.text, texts)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        """Vectors float32 (n, dimension) of uint8 images (n, height, width, channels).

        Raises:
            ArtifactError: If the images have another size.
        """
        if images.shape[1:] != self.image_shape:
            raise ArtifactError(f"the image encoder takes images of {self.image_shape}. Received: {images.shape[1:]}")
        return predict_pixels(self.image, images)

    def similarity(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Cosines float32 (images, texts), 1 where both are the same point.

        Raises:
            DataError: If a text cannot be used.
            ArtifactError: If the images have another size.
        """
        return self.embed_images(images) @ self.embed_texts(texts).T

    def are_in(self, directory: Path) -> bool:
        """Whether they were saved into a directory: the same weights, layers, words, captions and scale."""
        try:
            saved = TextImageEncoders.load(directory)
        except TfgantlError:
            return False
        mine, theirs = ((one.hash, one.layers_hash, one.scale, json.dumps(one.bank.to_json())) for one in (self, saved))
        return mine == theirs

    def save(self, directory: str | Path) -> None:
        """Writes both into a new directory, which appears as a whole.

        Raises:
            RunError: If it exists.
        """
        final = Path(directory)
        if final.exists():
            raise RunError(f"`out_dir` must not exist. Received: {final}")
        temporary = final.with_name(fitted(f".{final.name}", f".{os.getpid()}"))
        try:
            temporary.mkdir(parents=True)
            self.text.save(temporary / TEXT)
            self.image.save(temporary / IMAGE)
            facts = {"scale": self.scale, "hash": self.hash, "bank": self.bank.to_json(), "metadata": self.metadata}
            (temporary / FACTS).write_text(json.dumps({**facts, "digest": _digest(facts)}, indent=1) + "\n")
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @classmethod
    def load(cls, handle: str | Path | None = None) -> "TextImageEncoders":
        """Reads them from a directory, and compares their hashes.

        Args:
            handle: The directory; those that are shipped, of handwritten and printed digits, if not given or
                `text/encoders`.

        Raises:
            ArtifactError: If they are missing, damaged, or not what was saved.
        """
        directory = PRESET if handle in (None, NAME) else expanded(handle)
        if not (directory / FACTS).is_file():
            raise ArtifactError(f"encoders must be a directory with {FACTS}. Received: {directory}")
        with intact(f"{directory}: must hold {FACTS}, {TEXT} and {IMAGE}"):
            facts = json.loads(read_regular(directory / FACTS, MAX_BANK))
            text, image = load_network(directory / TEXT), load_network(directory / IMAGE)
            bank, scale = CaptionBank.from_json(facts["bank"]), float(facts["scale"])
            expected, digest = facts["hash"], facts.pop("digest")
            metadata = dict(facts.get("metadata") or {})
        if not isinstance(text, TextEncoder | WrappedTextEncoder) or text.output_shape != image.output_shape:
            raise ArtifactError(
                f"{directory}: must hold a text encoder and an image encoder of the same dimension. Received: "
                f"{type(text).__name__} of {text.output_shape} and one of {image.output_shape}"
            )
        if not isfinite(scale) or not 0 < scale <= MAX_SCALE:
            raise ArtifactError(
                f"{directory}: `scale` must be a finite number above 0, at most {MAX_SCALE:g}. Received: {scale}"
            )
        encoders = cls(text, image, scale, bank, metadata)
        if encoders.hash != expected or _digest(facts) != digest:
            raise ArtifactError(f"{directory}: must be as it was saved, with the hash {expected}. Received: another")
        return encoders


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
