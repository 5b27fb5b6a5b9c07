"""What growing and dropping stages have in common, in generators and discriminators."""

import numpy as np
import tensorflow as tf

from tfgantl.pretrained.refit.editable import EditableNetwork

SAMPLES = 64  # images that statistics are measured on


def bilinear(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps (n, side, side, channels) in another size."""
    return tf.image.resize(maps, (side, side), antialias=True).numpy()


def pooled(images: np.ndarray) -> np.ndarray:
    """Images of half the size."""
    n, side, _, channels = images.shape
    return images.reshape(n, side // 2, 2, side // 2, 2, channels).mean((2, 4))


def resize_pixels(network: EditableNetwork, path: str, size: int, axis: int) -> None:
    """Weights that belong to pixels, of a dense layer. Sums over an image stay what they were."""
    old, channels, values = network.config["image_size"], network.config["channels"], network.arrays[path]
    values = values.T if axis == 0 else values
    maps = bilinear(values.reshape(-1, old, old, channels), size) * ((old / size) ** 2 if axis == 0 else 1.0)
    maps = maps.reshape(*values.shape[:-1], -1)
    network.change(path, maps.T if axis == 0 else maps, f"{old} → {size} px")


def taps(kernel_size: int, up: bool) -> np.ndarray:
    """One side of the kernel of a linear upsampling, or of the average of two, at stride 2 with `padding="same"`."""
    taps, first = np.zeros(kernel_size, np.float32), (kernel_size - 2) // 2
    taps[first : first + 2] = 1.0 if up else 0.5
    if up and kernel_size >= 4:
        taps[first - 1 : first + 3] = (0.25, 0.75, 0.75, 0.25)
    return np.outer(taps, taps)


def neutral_norm(network: EditableNetwork, layer: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A normalisation that changes nothing: its scale and shift undo what its statistics do."""
    mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
    network.arrays[f"{layer}/moving_mean"], network.arrays[f"{layer}/moving_variance"] = mean, variance
    return mean, np.sqrt(variance + network.config["norm_epsilon"])
