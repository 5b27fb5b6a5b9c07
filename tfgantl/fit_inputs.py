"""What `GAN.fit` takes: arrays or data sets of images, with labels or without, checked before the first step."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgantl.class_labels import checked_labels
from tfgantl.errors import DataError
from tfgantl.images import to_unit

Batch: TypeAlias = tf.Tensor | tuple[tf.Tensor, ...]
TOLERANCE = 0.01  # beyond [-1, 1]: resized images overshoot by rounding
OUTSIDE = "images of every batch must be in [-1, 1], or be uint8"
NO_CLASSES = "labels of every batch must be numbers of classes"
NARROW = 0.5  # a smaller range of pixels says nothing about how they were scaled


def images_and_labels(batch: Batch, num_classes: int | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Takes a batch of Keras apart; part of the traced graph.

    Args:
        batch: Images (batch, height, width, channels), or `(images,)`, or `(images, labels)`. Integers are pixels in
            [0, 255], and are mapped.
        num_classes: Number of classes of a conditional pair, or `None`, which leaves labels alone.

    Returns:
        float32 images in [-1, 1], and labels (batch,) or `None`.

    Raises:
        DataError: If labels are needed and there are none.
    """
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    check_unweighted(weights)
    # What `check_inputs` has looked at is the first batch of a data set.
    if images.dtype == tf.uint8:
        images = to_unit(images)
    elif images.dtype.is_integer:
        images = to_unit(_asserted(images, tf.reduce_all((images >= 0) & (images <= 255)), OUTSIDE))
    else:
        images = _asserted(images, tf.reduce_max(tf.abs(images)) <= 1 + TOLERANCE, OUTSIDE)
    if num_classes is None:
        return images, None
    if labels is None:
        raise DataError(f"a pair with {num_classes} classes must have images and labels. Received: images alone")
    if labels.shape.rank == 2 and labels.shape[-1] == 1:  # as Keras' own data sets have them
        labels = tf.squeeze(labels, -1)
    if labels.shape.rank == 1:  # vectors of captions are no classes
        of_classes = (labels >= 0) & (labels < num_classes)
        if labels.dtype.is_floating:
            of_classes &= labels == tf.floor(labels)
        labels = _asserted(labels, tf.reduce_all(of_classes), NO_CLASSES)
    return images, labels


def _asserted(tensor: tf.Tensor, fits: tf.Tensor, message: str) -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.Assert(condition=fits, data=[message])]):
        return tf.identity(tensor)


def check_inputs(
    x: Any, y: np.ndarray | tf.Tensor | None, shape: tuple[int, int, int], num_classes: int | None, look: bool = True
) -> None:
    """Refuses in one line what cannot be trained on, and warns of pixels that are scaled otherwise.

    Arrays are looked at as a whole, data sets by their first batch; generators of batches are not touched.

    Args:
        x: What `fit` was given.
        y: Labels, if they come beside `x`.
        shape: (height, width, channels) that the pair works on.
        num_classes: Number of its classes, or `None`.
        look: Whether to draw a batch of a data set.

    Raises:
        DataError: If images have another shape or another range, or labels are no classes.
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        if not isinstance(spec, tf.TensorSpec | tuple):
            raise DataError(
                "a data set must give images, or (images, labels): map it with lambda x: (x['image'], x['label']). "
                f"Received: elements of {type(spec).__name__}"
            )
        images, *others = spec if isinstance(spec, tuple) else (spec,)
        _check_shape(images.shape, shape)
        _check_given(bool(others), num_classes)
        if len(others) > 1:
            check_unweighted(others[1])
        if num_classes is not None and others[0].shape.rank == 2 and others[0].shape[-1] not in (1, None):
            raise DataError(f"labels must be (batch,), one class an image. Received: {tuple(others[0].shape)}")
        if look:
            first = next(iter(x), None)
            if first is not None:
                _check_range((first[0] if isinstance(first, tuple) else first).numpy())
    elif isinstance(x, np.ndarray | tf.Tensor):
        _check_shape(x.shape, shape)
        _check_given(y is not None, num_classes)
        _check_range(np.asarray(x))
        if num_classes is not None:
            checked_labels(y, len(x), num_classes)
    elif isinstance(x, list | tuple):
        raise DataError(f"images must be one array or data set. Received: a {type(x).__name__} of {len(x)}")


def check_unweighted(*weights: Any) -> None:
    """Refuses weights of images or classes, as no adversarial loss has them.

    Raises:
        DataError: If one is not `None`.
    """
    if any(some is not None for some in weights):
        raise DataError("`sample_weight` and `class_weight` must be left out: all images count alike. Received: some")


@contextmanager
def telling_of_batches() -> Iterator[None]:
    """Context manager around training on batches: one that does not fit is told in one line.

    Raises:
        DataError: If there is such a batch.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for message, received in ((OUTSIDE, "pixels outside"), (NO_CLASSES, "others")):
            if message in str(error):
                raise DataError(f"{message}. Received: a later batch with {received}") from None
        raise


def _check_shape(received: Any, shape: tuple[int, int, int]) -> None:
    known = tf.TensorShape(received)
    if not known.is_compatible_with([None, *shape]):
        raise DataError(f"images must be (n, {', '.join(map(str, shape))}). Received: {tuple(received)}")


def in_unit_range(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1], or what a generator without a bound makes; integers are pixels in [0, 255], and are mapped.

    Raises:
        DataError: If they are pixels of another range.
    """
    images = np.asarray(images)
    if images.dtype.kind in "iu" and images.size and 0 <= images.min() <= images.max() <= 255:
        return to_unit(images)
    if images.dtype.kind in "iu" or (images.size and images.min() >= 0 and images.max() > 1 + TOLERANCE):
        raise DataError(f"images must be in [-1, 1], or be uint8. Received: [{images.min():g}, {images.max():g}]")
    return images


def _check_given(given: bool, num_classes: int | None) -> None:
    if num_classes is not None and not given:
        raise DataError(f"a pair with {num_classes} classes must have images and labels. Received: images alone")


def _check_range(images: np.ndarray) -> None:
    if not images.size:
        raise DataError(f"there must be at least one image. Received: {images.shape}")
    if images.dtype.kind not in "iuf" and images.dtype.name != "bfloat16":
        raise DataError(f"images must be uint8, or floating-point numbers in [-1, 1]. Received: {images.dtype}")
    low, high = images.min(), images.max()
    if images.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise DataError(f"images of integers must be in [0, 255]. Received: [{low}, {high}]")
        warnings.warn(f"images of {images.dtype} are mapped from [0, 255] to [-1, 1]", stacklevel=4)
    elif not (low >= -1 - TOLERANCE and high <= 1 + TOLERANCE):  # also for NaN
        raise DataError(f"images must be in [-1, 1], or be uint8. Received: [{low:g}, {high:g}]")
    elif low >= 0 and high - low > NARROW:
        warnings.warn(
            f"images must be in [-1, 1], and these are in [{low:g}, {high:g}]: if they were scaled to [0, 1], train on "
            "2 * images - 1",
            stacklevel=4,
        )
