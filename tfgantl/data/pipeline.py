"""The one way from examples to batches. Batch t depends on (seed, t) only, so a run can start anywhere."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import tensorflow as tf

from tfgantl.data.examples import Examples
from tfgantl.errors import DataError
from tfgantl.images import to_unit


def batches(
    examples: Examples,
    batch_size: int,
    seed: int,
    start: int = 0,
    stop: int | None = None,
    mirror: bool = False,
    independent: bool = False,
    shares: int = 1,
    mine: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """Endless shuffled batches for training.

    Sources keep decoded and resized images in memory as uint8, a quarter of the size of what networks see; each epoch
    takes every image once, in an order of its own; a batch may reach over the end of an epoch.

    Args:
        examples: Where images come from.
        batch_size: Images a batch; at most the number of examples.
        seed: Chooses the order and the flips.
        start: Number of the first batch.
        stop: Number of the batch before which to end; `None` for no end.
        mirror: Flips half of the images left to right.
        independent: Draws each batch by itself, out of all images, as accountants of differential privacy assume.
        shares: Number of equal shares that each batch is dealt out in: row i is in share i modulo their number. It must
            divide `batch_size`.
        mine: Shares that are wanted, one after the other, of each batch.

    Returns:
        A dataset of images float32 (batch_size / shares, side, side, channels) in [-1, 1], with labels int32
        (batch_size / shares,) beside them if there are any.

    Raises:
        DataError: If there are fewer examples than a batch holds.

    Example:
        >>> for images, labels in batches(HandwrittenDigits().load("train"), 32, seed=0).take(1):
        ...     print(images.shape, labels.shape)
        (32, 28, 28, 1) (32,)
    """
    if examples.size is not None and batch_size > examples.size:
        raise DataError(f"`batch_size` must be at most {examples.size}, the number of images. Received: {batch_size}")

    @lru_cache(maxsize=2)
    def order(epoch: int, size: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(size)

    def draw(number: np.ndarray) -> tuple[np.ndarray, ...]:
        t, share = int(number) // len(mine), mine[int(number) % len(mine)]
        position = t * batch_size + np.arange(batch_size, dtype=np.int64)
        size = examples.size
        if size is None:
            index = position
        elif independent:
            index = np.random.default_rng([seed, t]).choice(size, batch_size, replace=False)
        else:
            epochs = position // size
            index = np.concatenate([order(int(e), size)[position[epochs == e] % size] for e in np.unique(epochs)])
        images, labels = examples.read(index[share::shares])
        if mirror:
            flip = np.random.default_rng([seed, t, 1]).random(batch_size)[share::shares] < 0.5
            images = np.where(flip[:, None, None, None], images[:, :, ::-1], images)
        return (images,) if labels is None else (images, labels)

    shape = (batch_size // shares, examples.image_size, examples.image_size, examples.channels)
    types = (tf.uint8,) if examples.num_classes is None else (tf.uint8, tf.int32)

    @tf.autograph.experimental.do_not_convert  # it has no control flow, and converting it takes a while
    def to_batch(t: tf.Tensor) -> tuple[tf.Tensor, ...]:
        images, *labels = tf.numpy_function(draw, [t], types)
        images = to_unit(tf.ensure_shape(images, shape))
        return (images, *(tf.ensure_shape(y, shape[:1]) for y in labels))

    end = np.iinfo(np.int64).max if stop is None else stop * len(mine)
    numbers = tf.data.Dataset.range(start * len(mine), end)
    return numbers.map(to_batch, num_parallel_calls=1, deterministic=True).prefetch(tf.data.AUTOTUNE)
