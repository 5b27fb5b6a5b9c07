"""Squares cut from pictures at random, as batches of which each depends on (seed, number) only."""

import numpy as np
import tensorflow as tf
from PIL import Image

from tfgantl.images import to_unit

MIN_SHARE = 0.5  # of the short side of a picture


def crops(
    pictures: list[np.ndarray], size: int, batch_size: int, steps: int, seed: int, start: int = 0, in_turn: bool = False
) -> tf.data.Dataset:
    """Batches of crops: each from half to all of the short side of a picture, half of them mirrored.

    Args:
        pictures: uint8 (height, width, 3) of any size; smaller ones are enlarged.
        size: Height and width of the crops in pixels.
        batch_size: Crops a batch.
        steps: Number of the batch to end before.
        seed: Chooses pictures and places.
        start: Number of the first batch.
        in_turn: Take the pictures one after the other, and not at random.

    Returns:
        Dataset of float32 (batch_size, size, size, 3) in [-1, 1].
    """

    def batch(number: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([seed, int(number)])
        turns = int(number) * batch_size + np.arange(batch_size)
        chosen = (turn % len(pictures) if in_turn else rng.integers(len(pictures)) for turn in turns)
        return to_unit(np.stack([_crop(pictures[i], size, rng) for i in chosen]))

    data = tf.data.Dataset.range(start, steps)
    data = data.map(lambda number: tf.numpy_function(batch, [number], tf.float32), num_parallel_calls=1)
    return data.map(lambda images: tf.ensure_shape(images, (batch_size, size, size, 3))).prefetch(2)


def _crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    height, width = picture.shape[:2]
    side = int(min(height, width) * rng.uniform(MIN_SHARE, 1.0))
    top, left = (int(rng.integers(length - side + 1)) for length in (height, width))
    cut = Image.fromarray(picture[top : top + side, left : left + side])
    image = np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))
    return image[:, ::-1] if rng.random() < 0.5 else image
