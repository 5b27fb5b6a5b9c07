"""Gray ↔ color: weights that belong to channels become more or fewer, and the image stays what it was."""

import numpy as np


def spread_channels(values: np.ndarray, axis: int, channels: int, makes_images: bool) -> np.ndarray:
    """Changes the channels of a weight next to the image, 1 → 3 or 3 → 1.

    Args:
        values: The weight.
        axis: Its axis that counts the channels.
        channels: Wanted number, 1 or 3.
        makes_images: Whether the weight makes an image, whose channels must then be equal, or takes one, over whose
            channels it must sum up to the same.
    """
    if channels == 3:
        return np.repeat(values, 3, axis) / (1 if makes_images else 3)
    return (np.mean if makes_images else np.sum)(values, axis, keepdims=True)
