"""Gray ↔ color: the layers next to the image get more or fewer channels, and the image stays what it was."""

import numpy as np

from tfgantl.models.mlp import MLPDiscriminator, MLPGenerator
from tfgantl.pretrained.refit.parts import Part


def fit_channels(part: Part, channels: int) -> None:
    """Changes the number of channels, 1 → 3 or 3 → 1.

    A generator of gray images makes the same in color; one of color images makes the mean of the three channels before
    the last tanh. The discriminator gives a gray image in color the logits that it gave the gray one (1 → 3), and the
    other way round (3 → 1), exactly.

    Args:
        part: Generator or discriminator.
        channels: Wanted number, 1 or 3.
    """
    old = part.config["channels"]
    if old == channels:
        return
    makes_images = "latent_dim" in part.config
    how = f"{old} → {channels} channels"
    if part.kind in (MLPGenerator, MLPDiscriminator):
        side = part.config["image_size"]
        if makes_images:
            for path in ("to_images_dense/kernel", "to_images_dense/bias"):
                values = part.arrays[path].reshape(-1, side, side, old)
                fitted = _spread(values, 3, channels, makes_images)
                part.change(path, fitted.reshape(*part.arrays[path].shape[:-1], -1), how)
        else:
            values = part.arrays["block1_dense/kernel"].reshape(side, side, old, -1)
            fitted = _spread(values, 2, channels, makes_images)
            part.change("block1_dense/kernel", fitted.reshape(side * side * channels, -1), how)
    else:
        # Axis 2 of both kernels is that of the image: a transposed convolution has (height, width, out, in).
        path = "to_images_conv/kernel" if makes_images else "block1_conv/kernel"
        part.change(path, _spread(part.arrays[path], 2, channels, makes_images), how)
    part.config["channels"] = channels


def _spread(values, axis, channels, makes_images):
    if channels == 3:
        return np.repeat(values, 3, axis) / (1 if makes_images else 3)
    return (np.mean if makes_images else np.sum)(values, axis, keepdims=True)
