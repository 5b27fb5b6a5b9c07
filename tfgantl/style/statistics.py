"""The statistics of a style as one vector: means and Gram matrices of features of VGG16."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfgantl.images import to_unit
from tfgantl.random_streams import Stream
from tfgantl.style.crops import crops
from tfgantl.style.losses import gram
from tfgantl.style.pictures import resized, shape_at

SKETCH = 16  # channels that those of a layer are projected to before their products are taken
PICTURE_SIZE = 2  # longer side of a picture over that of a crop, as paintings are trained
AT_A_TIME = 16  # crops


def statistics_of(features: Sequence[tf.Tensor]) -> tf.Tensor:
    """The statistics of images.

    Of each layer the mean of every channel, and the Gram matrix of 16 projections of the channels: all products of 256
    channels would be 32,896 numbers, and Gram matrices of random projections keep how far styles are from each other.
    The projections are the same everywhere, and so are no part of a model.

    Args:
        features: Of each layer, (batch, height, width, channels).

    Returns:
        float32 (batch, length): signed roots, as features of VGG16 are large.
    """
    parts = []
    for number, layer in enumerate(features):
        values = tf.cast(layer, tf.float32)
        sketch = min(SKETCH, values.shape[-1])
        projection = Stream.STYLE_SKETCH.generator(number).standard_normal((values.shape[-1], sketch))
        directions = tf.constant(np.linalg.qr(projection)[0].astype(np.float32))
        products = tf.reshape(gram(tf.linalg.matmul(values, directions)), (-1, sketch * sketch))
        upper = np.flatnonzero(np.triu(np.ones((sketch, sketch))))  # a symmetric matrix tells the rest twice
        parts += [tf.reduce_mean(values, (1, 2)), tf.gather(products, upper, axis=1)]
    found = tf.concat(parts, 1)
    return tf.sign(found) * tf.sqrt(tf.abs(found))


def crop_statistics(network: keras.Model, picture: np.ndarray, size: int, count: int, seed: int) -> np.ndarray:
    """Statistics float32 (count, length) of crops of a picture, as a network that paints sees its styles.

    Args:
        network: VGG16, which gives the layers of a style.
        picture: uint8 (height, width, 3).
        size: Height and width of the crops in pixels.
        count: Number of crops.
        seed: Chooses them.
    """
    small = resized(picture, shape_at(picture, PICTURE_SIZE * size))
    batch = min(AT_A_TIME, count)
    steps = -(-count // batch)
    found = [statistics_of(network(images, training=False)) for images in crops([small], size, batch, steps, seed)]
    return np.concatenate([np.asarray(one) for one in found])[:count]


def whole_statistics(network: keras.Model, picture: np.ndarray, size: int) -> np.ndarray:
    """Statistics float32 (1, length) of a whole picture, at the size that networks see their styles in."""
    small = resized(picture, shape_at(picture, PICTURE_SIZE * size))
    return np.asarray(statistics_of(network(to_unit(small)[None], training=False)))
