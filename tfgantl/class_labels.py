"""Labels that are numbers of classes, as arrays of users have them."""

from typing import Any

import numpy as np

from tfgantl.errors import DataError


def checked_labels(labels: Any, count: int, num_classes: int) -> np.ndarray:
    """Labels as networks take them.

    Args:
        labels: Numbers of classes (count,), or (count, 1) as data sets of Keras have them.
        count: Number of images, or of codes, that they are of.
        num_classes: Number of classes.

    Returns:
        int32 (count,).

    Raises:
        DataError: If they are others than whole numbers of classes, one for each.

    Example:
        >>> checked_labels([[3], [7]], count=2, num_classes=10)
        array([3, 7], dtype=int32)
    """
    try:
        labels = np.asarray(labels)
    except ValueError:  # lists of unequal lengths
        raise DataError(f"labels must be ({count},), one class an image. Received: a ragged list") from None
    if labels.shape not in ((count,), (count, 1)):
        raise DataError(f"labels must be ({count},), one class an image. Received: {labels.shape}")
    if labels.dtype.kind not in "iuf":
        raise DataError(f"labels must be numbers of classes. Received: {labels.dtype}")
    if (fractions := labels[labels != np.floor(labels)]).size:
        raise DataError(f"labels must be whole numbers. Received: {fractions[0]}")
    if count and not (0 <= labels.min() and labels.max() < num_classes):
        raise DataError(f"labels must be in [0, {num_classes - 1}]. Received: [{labels.min()}, {labels.max()}]")
    return labels.reshape(count).astype(np.int32)
