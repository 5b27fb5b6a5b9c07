"""Extractors: the small, named and hashed networks on whose features images are compared.

Features are the spatial means of all convolution blocks of a classifier, as the features of the usual FID are the
spatial means of Inception's last block. The dense layer behind them would be a poor choice: it is trained to ignore
whatever does not tell classes apart, and hardly notices noise, ghosts, or missing styles (docs/architecture.md).

An extractor lies in a directory with `classifier.keras` and `metadata.json`.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgantl.errors import ArtifactError, intact
from tfgantl.files import fitted
from tfgantl.models.classifier import differing_layers
from tfgantl.models.copies import same_copy, weights_hash
from tfgantl.models.inference import predict_pixels
from tfgantl.models.structure import structure_of
from tfgantl.regular_files import read_regular
from tfgantl.untrusted.networks import load_network

EXTRACTORS = Path(__file__).parent.parent / "presets" / "extractors"
RUN = "run"  # name of those that are trained on the spot, on the images that they are to measure


class Extractor:
    """Maps images to features, and to class probabilities if it was trained on classes.

    Features are divided by their root mean square over the images that the extractor was trained on, so that kernel
    and Fréchet distances have about the same size for all extractors.

    Args:
        classifier: Images in [-1, 1] → logits, with convolution blocks, whose features are those after the activations.
        name: How the numbers made with it are labelled.
        scale: What features are divided by.
        predicts_labels: Whether its logits stand for the classes of the data, so that labels can be checked.
        accuracy: Name of a data source → share of its test images that it classifies correctly.
        classes: Name of each class by its label, as far as they have names.

    Attributes:
        comparable: Whether numbers are those that papers print: only on the Inception network of 2015.
    """

    comparable = False

    def __init__(
        self,
        classifier: keras.Model,
        name: str,
        scale: float,
        predicts_labels: bool,
        accuracy: dict[str, float] | None = None,
        classes: Sequence[str] | None = None,
    ):
        self.classifier = classifier
        self.name = name
        self.scale: float | np.ndarray = scale
        self.predicts_labels = predicts_labels
        self.accuracy = accuracy or {}
        self.classes: tuple[str, ...] | None = None if classes is None else tuple(classes)
        self._both = keras.Model(classifier.inputs, [pooled_blocks(classifier), classifier.outputs[0]])

    @property
    def hash(self) -> str:
        """Hash of all weights, and of what is computed with them where that is not as usual."""
        own = weights_hash(self.classifier)
        return hashlib.sha256(f"{own} {self._unusual}".encode()).hexdigest()[:12] if self._unusual else own

    @cached_property
    def _unusual(self) -> str:
        return differing_layers(self.classifier)

    @property
    def features(self) -> keras.Model:
        """Images in [-1, 1] → the features that images are compared on."""
        scaled = keras.layers.Rescaling(1 / self.scale, name="features")(pooled_blocks(self.classifier))
        return keras.Model(self.classifier.inputs, scaled, name="features")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return tuple(self.classifier.input_shape[1:])

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Looks at images.

        Args:
            images: uint8 (n, height, width, channels) of the size the extractor was made for.

        Returns:
            Features float32 (n, d) and predicted classes int64 (n,).

        Raises:
            ArtifactError: If the images have another size.
        """
        if images.shape[1:] != self.input_shape:
            raise ArtifactError(
                f"extractor `{self.name}` takes images of {self.input_shape}. Received: {images.shape[1:]}"
            )
        features, logits = predict_pixels(self._both, images)
        return features / self.scale, logits.argmax(1)

    @property
    def id(self) -> str:
        """Name and hash, for tables."""
        return f"{self.name}@{self.hash}"

    def on_one_device(self) -> "Extractor":
        """The same without copies of its weights on several devices."""
        copy = same_copy(self.classifier)
        return Extractor(copy, self.name, self.scale, self.predicts_labels, self.accuracy, self.classes)  # type: ignore[arg-type]

    def save(self, directory: str | Path) -> None:
        """Writes the extractor into a new directory, which appears as a whole."""
        final = Path(directory)
        directory = final.with_name(fitted(f".{final.name}", f".{os.getpid()}"))
        directory.mkdir(parents=True)
        plain = keras.Model(self.classifier.inputs[0], self.classifier.outputs[0])  # without the optimizer
        plain.save(directory / "classifier.keras")
        metadata = {
            "scale": self.scale,
            "judges": self.predicts_labels,
            "hash": self.hash,
            "accuracy": self.accuracy,
            "classes": None if self.classes is None else list(self.classes),
        }
        metadata["digest"] = _digest(metadata)
        (directory / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
        directory.rename(final)

    @classmethod
    def load(cls, handle: str) -> "Extractor":
        """Loads a shipped extractor by name, or one from a directory, and compares its hash.

        Raises:
            ArtifactError: If there is none, or its weights or what is written of them are not what was saved.
        """
        directory = directory_of(handle)
        known = sorted(path.name for path in EXTRACTORS.iterdir() if path.is_dir()) if EXTRACTORS.is_dir() else []
        if not is_extractor(handle):
            raise ArtifactError(
                f"`extractor` must be auto, inception, vgg16, {', '.join(known)}, a directory with metadata.json, or a "
                f".keras, .onnx or SavedModel network. "
                f"Received: {handle}"
            )
        with intact(f"{directory}: must hold metadata.json and a Keras model classifier.keras"):
            metadata = json.loads(read_regular(directory / "metadata.json"))
            classifier = load_network(directory / "classifier.keras")
            accuracy = {str(name): float(share) for name, share in metadata.get("accuracy", {}).items()}
            scale, judges, expected = float(metadata["scale"]), bool(metadata["judges"]), metadata["hash"]
            classes = None if metadata.get("classes") is None else [str(name) for name in metadata["classes"]]
            if not judges or (classes is not None and len(classes) != classifier.output_shape[-1]):
                classes = None
            extractor = cls(classifier, directory.name, scale, judges, accuracy, classes)
        if extractor.hash != expected:
            raise ArtifactError(f"{directory}: the weights must have the hash {expected}. Received: {extractor.hash}")
        # The hash names an extractor in tables, and is of its weights alone; verdicts depend on more.
        digest = _digest(metadata)
        if metadata.get("digest", digest) != digest:  # earlier versions wrote none
            raise ArtifactError(
                f"{directory}: metadata.json must be as it was saved, with the digest {metadata['digest']}. "
                f"Received: {digest}"
            )
        if not (isfinite(scale) and scale > 0):
            raise ArtifactError(f"{directory}: `scale` must be a finite number above 0. Received: {scale}")
        return extractor


def _digest(metadata: dict[str, Any]) -> str:
    """Hash of what is written beside the weights, their own among it."""
    plain = {key: value for key, value in metadata.items() if key != "digest"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def directory_of(handle: str) -> Path:
    """The directory that a name of a shipped extractor, or a path, stands for."""
    return EXTRACTORS / handle if (EXTRACTORS / handle).is_dir() else Path(handle)


def is_extractor(handle: str) -> bool:
    """Whether there is one behind a handle."""
    return (directory_of(handle) / "metadata.json").is_file()


def pooled_blocks(classifier: keras.Model) -> keras.KerasTensor:
    """Spatial means (batch, d) of the outputs of all blocks, as one symbolic tensor."""
    features = [block.feature for block in structure_of(classifier).blocks]
    maps = [feature for feature in features if feature is not None and len(feature.shape) == 4]
    if not maps:
        raise ArtifactError("the classifier of an extractor must have convolution blocks. Received: none")
    return keras.layers.Concatenate(name="pooled")([keras.layers.GlobalAveragePooling2D()(x) for x in maps])
