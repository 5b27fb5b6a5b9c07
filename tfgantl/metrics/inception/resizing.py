"""From pictures of any size to what Inception takes: three ways that published numbers were made in."""

from typing import Literal

import numpy as np
import tensorflow as tf
from PIL import Image

from tfgantl.metrics.inception.network import SIDE

Resizing = Literal["tensorflow", "pytorch", "clean"]
RESIZINGS = ("tensorflow", "pytorch", "clean")


def resized_in_graph(images: tf.Tensor, resizing: Resizing) -> tf.Tensor:
    """Pixels as the network takes them, for the two ways that are operations of TensorFlow.

    Args:
        images: (batch, height, width, 3) with values in [0, 255].
        resizing: `tensorflow`, as its version 1 did: bilinear, corners on corners, which shifts by up to half of a
            pixel; `pytorch`: bilinear, centres on centres, and mapped to [-1, 1], as pytorch-fid has it; `clean`:
            images have been resized already.

    Returns:
        float32 (batch, 299, 299, 3).
    """
    pixels = tf.cast(images, tf.float32)
    if resizing != "clean":
        pixels = tf.raw_ops.ResizeBilinear(
            images=pixels, size=[SIDE, SIDE], align_corners=False, half_pixel_centers=resizing == "pytorch"
        )
    return pixels / 127.5 - 1.0 if resizing == "pytorch" else (pixels - 128.0) / 128.0


def resized_clean(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Pictures resized without aliasing: bicubic, over the area of a pixel of the result, in floating point.

    Args:
        images: uint8 (n, height, width, channels).
        side: Height and width of the result.

    Returns:
        float32 (n, side, side, channels) in [0, 255].

    Reference:
        Parmar et al., 2022, https://arxiv.org/abs/2104.11222
    """
    channels = images.shape[-1]
    result = np.empty((len(images), side, side, channels), np.float32)
    for i, image in enumerate(images):
        for channel in range(channels):
            plane = Image.fromarray(image[..., channel].astype(np.float32))
            result[i, ..., channel] = np.asarray(plane.resize((side, side), Image.Resampling.BICUBIC))
    return np.clip(result, 0.0, 255.0)
