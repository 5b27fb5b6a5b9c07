"""Inception as an extractor: features for FID and KID, and probabilities of ImageNet's classes for the score."""

import re
from functools import cached_property
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.inception.network import inception_network
from tfgantl.metrics.inception.resizing import Resizing, resized_clean, resized_in_graph
from tfgantl.metrics.inception.weights import FILE, assign_inception_weights, read_inception_weights
from tfgantl.models.copies import weights_hash
from tfgantl.models.inference import in_batches
from tfgantl.progress import bar

HANDLE = re.compile(r"inception(?:-(pytorch|clean))?(?::(.+))?", re.DOTALL)
BATCH = 32
SHOWN = 200  # images that take long enough for a bar


def is_inception(handle: str) -> bool:
    """Whether a handle is `inception`, `inception-clean` or `inception-pytorch`, be it with `:PATH`."""
    return HANDLE.fullmatch(handle) is not None


class InceptionExtractor(Extractor):
    """The features that FID and KID are defined on, of images of any size, gray ones among them.

    Args:
        handle: `inception`, `inception-clean` or `inception-pytorch`, which differ in how images are resized, and
            after a colon where the weights are; see `read_inception_weights`.

    Attributes:
        resizing: How images are resized: `tensorflow`, `clean` or `pytorch`.
        published: Whether the weights are known to be those that published numbers are made with.

    Raises:
        ArtifactError: If there are no weights.

    Reference:
        Heusel et al., 2017, https://arxiv.org/abs/1706.08500
    """

    comparable = True

    def __init__(self, handle: str = "inception"):
        match = HANDLE.fullmatch(handle)
        if match is None:
            raise ArtifactError(
                f"`extractor` must be inception, inception-clean or inception-pytorch, and may be followed by :PATH. "
                f"Received: {handle}"
            )
        found = read_inception_weights(match[2])
        self.classifier = inception_network()
        assign_inception_weights(self.classifier, found.arrays)
        self.resizing = cast(Resizing, match[1] or "tensorflow")
        self.name = f"inception-{match[1]}" if match[1] else "inception"
        self.published: bool = found.published
        self.scale, self.predicts_labels, self.classes, self.accuracy = 1.0, False, None, {}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        raise ArtifactError("`input_shape` must be asked of an extractor for one size. Received: Inception, for all")

    @cached_property
    def hash(self) -> str:
        """Hash of all weights."""
        return weights_hash(self.classifier)

    @property
    def id(self) -> str:
        """Name and hash, and a warning where the weights are not known to be the published ones."""
        known = "" if self.published else f", weights that are not known to be {FILE}"
        return f"{self.name}@{self.hash}{known}"

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Looks at images.

        Args:
            images: uint8 (n, height, width, 1 or 3) of any size.

        Returns:
            Features float32 (n, 2048) and the likeliest of the network's classes int64 (n,).
        """
        features = self._features(images)
        return features, self.logits(features).argmax(1)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits float32 (n, 1008) of features (n, 2048), without the bias, as the Inception score takes them."""
        return features @ self.classifier.get_layer("logits").kernel.numpy()

    def _features(self, images: np.ndarray) -> np.ndarray:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise ArtifactError(
                f"extractor `{self.name}` takes uint8 images (n, height, width, 1 or 3). Received: {images.dtype} "
                f"{images.shape}"
            )
        with bar(len(images), "Inception features", "image", shown=len(images) > SHOWN) as progress:

            def forward(batch: tf.Tensor) -> tf.Tensor:
                pixels = resized_clean(batch.numpy()) if self.resizing == "clean" else batch
                features = self._forward(tf.constant(pixels))
                progress.update(len(batch))
                return features

            return in_batches(forward, [images], BATCH)

    @cached_property
    def _forward(self) -> Any:
        network = keras.Model(self.classifier.inputs, self.classifier.outputs[0])

        def forward(images: tf.Tensor) -> tf.Tensor:
            images = tf.repeat(images, 3 // tf.shape(images)[-1], axis=-1)  # gray ones, too: one graph serves both
            images = tf.ensure_shape(images, [None, None, None, 3])
            return network(resized_in_graph(images, self.resizing), training=False)

        return tf.function(forward, autograph=False, jit_compile=False, reduce_retracing=True)
