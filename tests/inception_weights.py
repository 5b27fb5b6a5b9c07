"""Random weights of the Inception network, as PyTorch and TensorFlow name them, and pictures to look at."""

import numpy as np

from tfgantl.data.photographs import photograph
from tfgantl.metrics.inception.blocks import CLASSES, FEATURES, all_names

PHOTOGRAPHS = ("astronaut", "coffee")


def torch_arrays(seed=0):
    """Weights by the names of PyTorch, of which features are about as large as those of the trained network."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for names in all_names():
        filters, kernel, read = names.convolution.filters, names.convolution.kernel, names.channels
        scale = np.float32(1.0 / np.sqrt(read * np.prod(kernel)))
        arrays[f"{names.torch}.conv.weight"] = (
            rng.standard_normal((filters, read, *kernel), np.float32) * scale
        )  # fmt: skip
        for part, low, high in (("weight", 0.8, 1.6), ("bias", -0.1, 0.3), ("running_mean", -0.2, 0.2)):
            arrays[f"{names.torch}.bn.{part}"] = rng.uniform(low, high, filters).astype("f")
        arrays[f"{names.torch}.bn.running_var"] = rng.uniform(0.3, 1.5, filters).astype("f")
    arrays["fc.weight"] = rng.standard_normal((CLASSES, FEATURES), np.float32) / 20
    arrays["fc.bias"] = np.zeros(CLASSES, "f")
    return arrays


def tensorflow_arrays(arrays):
    """The same by the names of the graph of 2015."""
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
