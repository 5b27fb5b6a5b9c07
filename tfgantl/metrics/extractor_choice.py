"""Which extractor measures a target: the named one, the one that suits its data, or one trained on the spot."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.errors import ArtifactError
from tfgantl.files import cache_directory
from tfgantl.metrics.classification import SmallClassifier, affine_augmentation
from tfgantl.metrics.extractors import RUN, Extractor, pooled_blocks
from tfgantl.metrics.inception.extractor import InceptionExtractor, is_inception
from tfgantl.metrics.network_extractor import NetworkExtractor, is_network
from tfgantl.metrics.perceptual import PerceptualExtractor
from tfgantl.models.inference import predict_pixels
from tfgantl.progress import log
from tfgantl.versions import versions

STEPS = 1000  # batches that an extractor is trained on


def choose_extractor(handle: str, suggested: str | None, train: Examples, seed: int = 0) -> Extractor:
    """The extractor for a target: the named one, the one that suits its data, or one trained on the spot.

    Args:
        handle: `auto`, or what `load_extractor` takes.
        suggested: Name of the shipped extractor that suits the data source, or `None`.
        train: Training images of the target. Nothing else is looked at: an extractor that knew images of the models
            that it compares would favour them.
        seed: Makes the training repeatable.
    """
    shape = (train.image_size, train.image_size, train.channels)
    if handle != "auto":
        return load_extractor(handle, shape)
    if suggested is not None:
        extractor = Extractor.load(suggested)
        if extractor.input_shape == shape:
            return extractor
    return cached_extractor(train, seed)


def load_extractor(handle: str, shape: tuple[int, int, int]) -> Extractor:
    """The extractor behind a name or a path.

    Args:
        handle: `inception`, `inception-clean` or `inception-pytorch`, be it with `:PATH` to its weights; `vgg16` for
            color images; a `.keras` or `.onnx` file or a SavedModel with a network of one's own (`NetworkExtractor`);
            or what `Extractor.load` takes.
        shape: Height, width and channels of the images.

    Raises:
        ArtifactError: If there is none, or it is damaged.
        ConfigError: If it is none for images of this shape.
    """
    if is_inception(handle):
        return InceptionExtractor(handle)
    if handle == "vgg16":
        return PerceptualExtractor(shape)
    if is_network(handle):
        return NetworkExtractor(handle)
    return Extractor.load(handle)


class ImageFeatures:
    """What an extractor makes of images, as a function of images alone.

    Args:
        handle: As for `load_extractor`.

    Raises:
        ArtifactError: If there is no such extractor, or it is damaged.
    """

    def __init__(self, handle: str):
        self.handle = handle
        # VGG16 is made for one size of images, which is not known yet.
        self._extractor = None if handle == "vgg16" else load_extractor(handle, (0, 0, 3))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features float32 (n, d) of images uint8 (n, height, width, channels).

        Raises:
            ArtifactError: If the images are none for the extractor.
            ConfigError: The same.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ArtifactError(
                f"extractor `{self.handle}` takes uint8 images (n, height, width, channels). "
                f"Received: {images.dtype} {images.shape}"
            )
        if self._extractor is None or (self.handle == "vgg16" and self._extractor.input_shape != images.shape[1:]):
            self._extractor = load_extractor(self.handle, images.shape[1:])
        return np.asarray(self._extractor(images)[0], np.float32)


def cached_extractor(train: Examples, seed: int = 0) -> Extractor:
    """Like `train_extractor`, but trained once for the same images: it is kept in the cache of the user.

    Args:
        train: Training images of the target.
        seed: Makes the training repeatable.
    """
    key = f"{train.fingerprint} {train.num_classes} {seed} {STEPS} {versions()}"
    path = cache_directory() / "extractors" / hashlib.sha256(key.encode()).hexdigest()[:16]
    extractor = _read(path)
    if extractor is None:
        log(f"features to measure with are trained in {STEPS} steps, once for these images, and kept in {path}")
        images, labels = train.subset(10_000)
        extractor = train_extractor(images, labels, train.num_classes, seed, STEPS)
        with suppress(OSError):  # a home that cannot be written costs the time again
            if path.exists():  # damaged
                shutil.rmtree(path)
            extractor.save(path)
    extractor.classes = train.classes  # whose names the key does not tell
    keras.utils.set_random_seed(seed)  # what is drawn next does not depend on whether it was trained
    return extractor


def _read(path: Path) -> Extractor | None:
    try:
        found = Extractor.load(str(path)) if path.is_dir() else None
    except ArtifactError:  # damaged; it is trained anew
        return None
    if found is not None:
        found.name = RUN
    return found


def train_extractor(
    images: np.ndarray,
    labels: np.ndarray | None,
    num_classes: int | None,
    seed: int = 0,
    steps: int = STEPS,
    name: str = RUN,
    batch_size: int = 128,
) -> Extractor:
    """Trains an extractor on images of the domain, never on test images.

    With labels it learns to tell the classes. Without, it learns to tell by how many quarters an image was turned
    (RotNet; Gidaris et al., 2018, https://arxiv.org/abs/1803.07728), and does not predict labels.

    Args:
        images: uint8 (n, side, side, channels).
        labels: int (n,), or `None`.
        num_classes: Number of classes, or `None`.
        seed: Makes the training repeatable.
        steps: Number of batches.
        name: How the numbers made with it are labelled.
        batch_size: Images a step.
    """
    predicts_labels = True
    if labels is None or num_classes is None:
        predicts_labels = False
        turned = [np.rot90(images, quarter, axes=(1, 2)) for quarter in range(4)]
        labels, num_classes = np.repeat(np.arange(4), len(images)), 4
        images = np.concatenate(turned)
    side, channels = images.shape[2:]
    classifier = SmallClassifier(side, channels, num_classes, steps).train(
        images, labels, seed, batch_size, affine_augmentation(seed), title="extractor"
    )
    return Extractor(classifier, name, _root_mean_square(classifier, images[:2000]), predicts_labels)


def _root_mean_square(classifier: keras.Model, images: np.ndarray) -> float:
    features = keras.Model(classifier.inputs, pooled_blocks(classifier))
    return float(np.sqrt(np.mean(np.square(predict_pixels(features, images)))))
