"""Extractors: the small, named and hashed networks on whose features images are compared.

Features are the spatial means of all convolution blocks of a classifier, as the features of the usual FID are the
spatial means of Inception's last block. The dense layer behind them would be a poor choice: it is trained to ignore
whatever does not tell classes apart, and hardly notices noise, ghosts, or missing styles (docs/architecture.md).

An extractor lies in a directory with `classifier.keras` and `metadata.json`.
"""

import json
import os
import re
from pathlib import Path

import keras
import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.errors import ArtifactError, intact
from tfgantl.images import to_unit
from tfgantl.metrics.classification import SmallClassifier, affine_augmentation
from tfgantl.models.copies import weights_hash
from tfgantl.untrusted.networks import load_network

EXTRACTORS = Path(__file__).parent.parent / "presets" / "extractors"


class Extractor:
    """Maps images to features, and to class probabilities if it was trained on classes.

    Features are divided by their root mean square over the images that the extractor was trained on, so that kernel
    and Fréchet distances have about the same size for all extractors.

    Args:
        classifier: Images in [-1, 1] → logits, with convolution blocks that end in `block1_relu`, `block2_relu` ….
        name: How the numbers made with it are labelled.
        scale: What features are divided by.
        judges: Whether its logits stand for the classes of the data, so that it can judge labels.
        accuracy: Name of a data source → share of its test images that it tells the class of.
    """

    def __init__(
        self,
        classifier: keras.Model,
        name: str,
        scale: float,
        judges: bool,
        accuracy: dict[str, float] | None = None,
    ):
        self.classifier = classifier
        self.name = name
        self.scale = scale
        self.judges = judges
        self.accuracy = accuracy or {}
        self._both = keras.Model(classifier.inputs, [_pooled(classifier), classifier.outputs[0]])

    @property
    def hash(self) -> str:
        """Hash of all weights."""
        return weights_hash(self.classifier)

    @property
    def features(self) -> keras.Model:
        """Images in [-1, 1] → the features that images are compared on."""
        scaled = keras.layers.Rescaling(1 / self.scale, name="features")(_pooled(self.classifier))
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
        features, logits = self._both.predict(to_unit(images), batch_size=256, verbose=0)
        return features / self.scale, logits.argmax(1)

    @property
    def id(self) -> str:
        """Name and hash, for tables."""
        return f"{self.name}@{self.hash}"

    def save(self, directory: str | Path) -> None:
        """Writes the extractor into a new directory, which appears as a whole."""
        final = Path(directory)
        directory = final.with_name(f".{final.name}.{os.getpid()}")
        directory.mkdir(parents=True)
        plain = keras.Model(self.classifier.inputs[0], self.classifier.outputs[0])  # without the optimizer
        plain.save(directory / "classifier.keras")
        metadata = {"scale": self.scale, "judges": self.judges, "hash": self.hash, "accuracy": self.accuracy}
        (directory / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
        directory.rename(final)

    @classmethod
    def load(cls, handle: str) -> "Extractor":
        """Loads a shipped extractor by name, or one from a directory, and compares its hash.

        Raises:
            ArtifactError: If there is none, or its weights are not those that its hash was made of.
        """
        directory = directory_of(handle)
        known = sorted(path.name for path in EXTRACTORS.iterdir() if path.is_dir()) if EXTRACTORS.is_dir() else []
        if not is_extractor(handle):
            raise ArtifactError(
                f"`extractor` must be auto, vgg16, {', '.join(known)}, or a directory with metadata.json. "
                f"Received: {handle}"
            )
        with intact(f"{directory}: must hold metadata.json and a Keras model classifier.keras"):
            metadata = json.loads((directory / "metadata.json").read_text())
            classifier = load_network(directory / "classifier.keras")
            accuracy = {str(name): float(share) for name, share in metadata.get("accuracy", {}).items()}
            extractor = cls(classifier, directory.name, float(metadata["scale"]), bool(metadata["judges"]), accuracy)
            expected = metadata["hash"]
        if extractor.hash != expected:
            raise ArtifactError(
                f"{directory}: the weights must have the hash {metadata['hash']}. Received: {extractor.hash}"
            )
        return extractor


def directory_of(handle: str) -> Path:
    """The directory that a name of a shipped extractor, or a path, stands for."""
    return EXTRACTORS / handle if (EXTRACTORS / handle).is_dir() else Path(handle)


def is_extractor(handle: str) -> bool:
    """Whether there is one behind a handle."""
    return (directory_of(handle) / "metadata.json").is_file()


def _pooled(classifier: keras.Model):
    blocks = [layer.output for layer in classifier.layers if re.fullmatch(r"block\d+_relu", layer.name)]
    if not blocks:
        raise ArtifactError("the classifier of an extractor must have a layer `block1_relu`. Received: none")
    return keras.layers.Concatenate(name="pooled")([keras.layers.GlobalAveragePooling2D()(x) for x in blocks])


def _root_mean_square(classifier: keras.Model, images: np.ndarray) -> float:
    features = keras.Model(classifier.inputs, _pooled(classifier))
    return float(np.sqrt(np.mean(np.square(features.predict(to_unit(images), batch_size=256, verbose=0)))))


def train_extractor(
    images: np.ndarray,
    labels: np.ndarray | None,
    num_classes: int | None,
    seed: int = 0,
    steps: int = 1000,
    name: str = "run",
) -> Extractor:
    """Trains an extractor on images of the domain, never on test images.

    With labels it learns to tell the classes. Without, it learns to tell by how many quarters an image was turned
    (RotNet; Gidaris et al., 2018, https://arxiv.org/abs/1803.07728), and does not judge labels.

    Args:
        images: uint8 (n, side, side, channels).
        labels: int (n,), or `None`.
        num_classes: Number of classes, or `None`.
        seed: Makes the training repeatable.
        steps: Number of batches.
        name: How the numbers made with it are labelled.
    """
    judges = labels is not None
    if not judges:
        turned = [np.rot90(images, quarter, axes=(1, 2)) for quarter in range(4)]
        labels, num_classes = np.repeat(np.arange(4), len(images)), 4
        images = np.concatenate(turned)
    classifier = SmallClassifier(*images.shape[2:], num_classes, steps).train(
        images, labels, seed, 128, affine_augmentation(seed), title="extractor"
    )
    return Extractor(classifier, name, _root_mean_square(classifier, images[:2000]), judges)


def choose_extractor(handle: str, suggested: str | None, train: Examples, seed: int = 0) -> Extractor:
    """The extractor for a target: the named one, the one that suits its data, or one trained on the spot.

    Args:
        handle: `auto`, `vgg16` for color images, or what `Extractor.load` takes.
        suggested: Name of the shipped extractor that suits the data source, or `None`.
        train: Training images of the target. Nothing else is looked at: an extractor that knew images of the models
            that it compares would favour them.
        seed: Makes the training repeatable.
    """
    shape = (train.image_size, train.image_size, train.channels)
    if handle == "vgg16":
        from tfgantl.metrics.perceptual import PerceptualExtractor

        return PerceptualExtractor(shape)
    if handle != "auto":
        return Extractor.load(handle)
    if suggested is not None:
        extractor = Extractor.load(suggested)
        if extractor.input_shape == shape:
            return extractor
    images, labels = train.some(10_000)
    return train_extractor(images, labels, train.num_classes, seed)
