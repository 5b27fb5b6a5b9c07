"""How far generated images are from pictures, for the search of codes: by pixels, and by what a network sees."""

from collections.abc import Sequence
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.metrics.extractors import EXTRACTORS, Extractor
from tfgantl.metrics.perceptual import LAYERS, perceptual_distance
from tfgantl.models.copies import weights_hash
from tfgantl.models.inference import in_batches
from tfgantl.models.structure import structure_of
from tfgantl.models.vgg import smallest_side, vgg16
from tfgantl.progress import log

SEEN = LAYERS[:4]  # of VGG16: the fifth sees too little of the place of things


class Reconstruction:
    """Distance of images from pictures of the same size.

    Args:
        features: Images in [-1, 1] → list of feature maps, or `None` for pixels alone.
        name: What the features are, for reports.
        weight: Of the features; pixels count 1.

    Example:
        >>> reconstruction = reconstruction_for((28, 28, 1))
        >>> reconstruction.name
        'digits'
    """

    def __init__(self, features: keras.Model | None, name: str, weight: float = 1.0) -> None:
        self.features, self.name, self.weight = features, name, weight

    @cached_property
    def identity(self) -> str:
        """The name, and a hash of the weights where the name does not tell these: those of VGG16 may be anybody's."""
        is_vgg = self.features is not None and self.name == "vgg16"
        return f"{self.name} {weights_hash(self.features)}" if is_vgg else self.name

    def __call__(self, images: tf.Tensor, pictures: tf.Tensor, weights: tf.Tensor | float = 1.0) -> tf.Tensor:
        """What is minimised, (batch,): mean absolute difference of pixels, plus the weighted distance of features.

        Args:
            images: float32 (batch, height, width, channels) in [-1, 1].
            pictures: The same shape.
            weights: Of each pixel, (batch, height, width, 1) or a number; where they differ, features are of both with
                their pixels weighted.
        """
        loss = tf.reduce_mean(weights * tf.abs(images - pictures), axis=(1, 2, 3))
        if self.features is None:
            return loss
        return loss + self.weight * self.distance(weights * images, weights * pictures)

    def distance(self, images: tf.Tensor, pictures: tf.Tensor) -> tf.Tensor:
        """Distance of features alone, (batch,), from 0 to at most 2; see `perceptual_distance`."""
        return perceptual_distance(self.features, images, pictures)

    def measured(self, images: np.ndarray, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """What is reported of each image: PSNR in dB, mean absolute difference (of a range of 2), and distance.

        Args:
            images: float32 (n, height, width, channels) in [-1, 1].
            pictures: The same shape.

        Returns:
            `psnr`, `l1` and, if there are features, `perceptual`, each (n,).
        """
        squared = np.square(images - pictures).mean((1, 2, 3))
        found = {
            "psnr": 10 * np.log10(4.0 / np.maximum(squared, 1e-10)),
            "l1": np.abs(images - pictures).mean((1, 2, 3)),
        }
        if self.features is not None:
            found["perceptual"] = in_batches(self.distance, [images, pictures], 64)
        return found


def reconstruction_for(image_shape: Sequence[int], weights: str | None = "imagenet") -> Reconstruction:
    """The distance that suits images of a shape.

    VGG16 for colour images, where its weights are; else a shipped extractor for images of this shape; else pixels.

    Args:
        image_shape: Height, width and channels.
        weights: Those of VGG16, as for `tfgantl.models.vgg.vgg16`; `None` not to use it.
    """
    height, width, channels = image_shape
    shape = (height, width, channels)
    if shape[-1] == 3 and min(shape[:2]) >= smallest_side(SEEN) and weights is not None:
        try:
            return Reconstruction(vgg16(SEEN, weights, shape), "vgg16")
        except ArtifactError as error:
            log(f"pictures are compared by pixels, as VGG16 is not there: {error}")
    for path in sorted(EXTRACTORS.glob("*/metadata.json")):
        extractor = Extractor.load(path.parent.name)
        if extractor.input_shape == shape:
            blocks = [block.feature for block in structure_of(extractor.classifier).blocks]
            maps = [feature for feature in blocks if feature is not None and len(feature.shape) == 4]
            return Reconstruction(keras.Model(extractor.classifier.inputs, maps), extractor.name)
    return Reconstruction(None, "pixels")
