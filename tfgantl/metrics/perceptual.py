"""How alike images look to VGG16: a distance between two of them, and features to compare sets of them."""

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data.decode import decode_picture
from tfgantl.data.photographs import photograph
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.metrics.extractors import Extractor
from tfgantl.models.inference import predict_pixels
from tfgantl.models.vgg import smallest_side, vgg16

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
BATCH = 32
# What the features of an extractor are scaled on.
SCALED_ON = ("astronaut", "chelsea", "china", "coffee", "flower", "motorcycle_left", "rocket")


def normalised(features: tf.Tensor) -> tf.Tensor:
    """Features (batch, height, width, channels) of length 1 at each position, flat and so that their length is 1.

    Returns:
        float32 (batch, height · width · channels).
    """
    values = tf.math.l2_normalize(tf.cast(features, tf.float32), axis=-1, epsilon=1e-10)
    shape = tf.shape(values)
    return tf.reshape(values, (shape[0], -1)) / tf.sqrt(tf.cast(shape[1] * shape[2], tf.float32))


def perceptual_distance(network: keras.Model, images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The plain VGG16 distance: squared differences of normalised features, in the mean over positions and layers.

    It has the form of LPIPS without the weights that were fitted to the judgement of people, and is not to be called
    that.

    Args:
        network: `vgg16` for any layers, such as `LAYERS`.
        images: float32 (batch, height, width, channels) in [-1, 1].
        others: The same.

    Returns:
        float32 (batch,), from 0 for the same images to at most 2 where all features are positive.

    Reference:
        Zhang et al., 2018, https://arxiv.org/abs/1801.03924 (the uncalibrated baseline there)
    """
    pairs = zip(tf.nest.flatten(network(images)), tf.nest.flatten(network(others)), strict=True)
    distances = [tf.reduce_sum(tf.square(normalised(a) - normalised(b)), axis=1) for a, b in pairs]
    return tf.add_n(distances) / len(distances)


class PerceptualExtractor(Extractor):
    """Features of color images: spatial means of five layers of VGG16, trained on ImageNet.

    Each layer is divided by its root mean square over photographs that scikit-image and scikit-learn ship, so that all
    count alike, and the same images have the same features whatever they are compared with.

    Args:
        shape: Height, width and channels of the images.
        weights: As for `tfgantl.models.vgg.vgg16`.

    Raises:
        ConfigError: If the images are gray, or too small for the last layer.
        ArtifactError: If there are no weights.
    """

    def __init__(self, shape: tuple[int, int, int], weights: str = "imagenet"):
        if shape[-1] != 3 or min(shape[:2]) < smallest_side(LAYERS):
            raise ConfigError(
                f"`extractor` vgg16 must have color images of at least {smallest_side(LAYERS)} pixels. "
                f"Received: {shape[0]} x {shape[1]} pixels, {shape[-1]} channels"
            )
        self.classifier = vgg16(LAYERS, weights, shape, pooling="avg")
        self.name, self.predicts_labels, self.classes = "vgg16", False, None
        photographs = np.stack([_square(name, shape[0]) for name in SCALED_ON])
        means = predict_pixels(self.classifier, photographs, BATCH)
        self.scale = np.concatenate([np.full(m.shape[1], np.sqrt(np.mean(np.square(m)))) for m in means])

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if images.shape[1:] != self.input_shape:
            raise ArtifactError(
                f"extractor `{self.name}` takes images of {self.input_shape}. Received: {images.shape[1:]}"
            )
        means = predict_pixels(self.classifier, images, BATCH)
        features = np.concatenate(means, axis=1) / np.asarray(self.scale, np.float32)
        return features, np.zeros(len(images), np.int64)


def _square(name: str, side: int) -> np.ndarray:
    picture = decode_picture(photograph(name), side, 3, 10**8)
    if isinstance(picture, str):
        raise ArtifactError(f"the photograph `{name}` must be usable. Received: one that {picture}")
    return picture
