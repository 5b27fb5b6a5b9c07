"""Weights of the Inception network as TensorFlow names them, and pictures to look at."""

import numpy as np

from tfgantl.data.photographs import photograph
from tfgantl.metrics.inception.blocks import all_names

PHOTOGRAPHS = ("astronaut", "coffee")


def tensorflow_arrays(arrays):
    """Weights by the names of PyTorch by those of the graph of 2015."""
    parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    found = {"softmax/weights": arrays["fc.weight"].T, "softmax/biases": arrays["fc.bias"]}
    for names in all_names():
        found[f"{names.tensorflow}/conv2d_params"] = arrays[f"{names.torch}.conv.weight"].transpose(2, 3, 1, 0)
        for tensorflow, torch in parts.items():
            found[f"{names.tensorflow}/batchnorm/{tensorflow}"] = arrays[f"{names.torch}.bn.{torch}"]
    return found


def pictures():
    """Two noisy images of an odd size, uint8 (2, 40, 33, 3), and two photographs, uint8 (2, 340, 400, 3)."""
    from PIL import Image

    noise = np.random.default_rng(1).integers(0, 256, (2, 40, 33, 3), dtype=np.uint8)
    photographs = [np.asarray(Image.open(photograph(name)).convert("RGB"))[:340, :400] for name in PHOTOGRAPHS]
    return noise, np.stack(photographs)
