"""Another image size for a generator: a stage is grown or dropped, and its first feature map is resized.

Grown stages start as near to an identity as they can be. A leaky ReLU of slope a gives r(x) - r(-x) = (1 + a) x, so a
pair of channels +x and -x carries x through it exactly. Dropped stages are replaced by the least-squares fit of what
the last two did.
"""

from math import prod

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.models.mlp import MLPGenerator
from tfgantl.pretrained.refit.least_squares import fit_transposed
from tfgantl.pretrained.refit.parts import Part, outputs_of
from tfgantl.pretrained.refit.resampling import SAMPLES, bilinear, neutral_norm, pooled, resize_pixels, taps


def fit_generator_size(part: Part, size: int) -> None:
    """Changes the size of the images that a generator makes.

    Raises:
        ArtifactError: If no number of stages leads to that size.
    """
    if part.config["image_size"] == size:
        return
    if part.kind is MLPGenerator:
        for path in ("to_images_dense/kernel", "to_images_dense/bias"):
            resize_pixels(part, path, size, axis=-1)
        part.config["image_size"] = size
        return
    strides = part.config["strides"]
    base = part.config["image_size"] // prod(strides)
    plans = {}
    for stages in range(2 - len(strides), 5):
        kept = strides[: len(strides) + min(stages, 0)]
        growth = prod(kept) * 2 ** max(stages, 0)
        if set(strides[len(kept) :]) <= {2} and size % growth == 0:
            plans[stages] = size // growth
    if not plans:
        raise ArtifactError(
            f"`image_size` must be a multiple of {2 ** (len(strides) - 1)} or so for a generator with the strides "
            f"{list(strides)}. Received: {size}"
        )
    stages = min(plans, key=lambda s: (abs(np.log2(plans[s] / base)), abs(s)))
    for _ in range(-stages):
        _drop_generator_stage(part)
    if plans[stages] != base:
        _resize_first_map(part, base, plans[stages])
    for _ in range(stages):
        _grow_generator_stage(part)


def _resize_first_map(part, base, new):
    width, how = part.config["filters"][0], f"first feature map {base} → {new}"
    for path in ("kernel", "gamma", "beta", "moving_mean", "moving_variance"):
        path = f"block0_dense/{path}" if path == "kernel" else f"block0_bn/{path}"
        values = part.arrays[path]
        if values.shape[-1] == base * base * width:  # a normalisation a channel stays as it is
            maps = bilinear(values.reshape(-1, base, base, width), new)
            part.change(path, maps.reshape(*values.shape[:-1], -1), how)
    part.config["image_size"] = part.config["image_size"] // base * new


def sample(generator: keras.Model, outputs, count: int = SAMPLES) -> list[np.ndarray]:
    """Values of symbolic tensors of a generator, for random latents and labels."""
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((count, generator.inputs[0].shape[-1]), np.float32)]
    if len(generator.inputs) == 2:
        inputs.append(np.arange(count) % generator.num_classes)
    symbolic = generator.inputs if len(inputs) > 1 else generator.inputs[0]
    return outputs_of(keras.Model(symbolic, outputs), inputs)


def _grow_generator_stage(part):
    config = part.config
    size, channels, count = config["image_size"], config["channels"], config["kernel_size"]
    block, width = len(config["filters"]), max(2 * channels, config["filters"][-1] // 2)
    images = part.arrays.pop("to_images_conv/kernel")  # (height, width, channels, in)
    part.changes.pop("to_images_conv/kernel", None)
    config.update(image_size=2 * size, filters=[*config["filters"], width], strides=[*config["strides"], 2])
    how = f"grown for {size} → {2 * size} px"
    fresh = part.build().get_layer(f"block{block}_conv").kernel.numpy()
    fresh[:, :, :channels], fresh[:, :, channels : 2 * channels] = images, -images
    part.change(f"block{block}_conv/kernel", fresh, how)
    enlarge = np.zeros((count, count, channels, width), np.float32)
    for c in range(channels):
        enlarge[:, :, c, c] = taps(count, up=True) / (1 + config["negative_slope"])
        enlarge[:, :, c, channels + c] = -enlarge[:, :, c, c]
    part.change("to_images_conv/kernel", enlarge, how)
    grown = part.build()
    (values,) = sample(grown, [grown.get_layer(f"block{block}_conv").output])
    mean, scale = neutral_norm(part, f"block{block}_bn", values)
    pairs = np.arange(width) < 2 * channels
    for name, kept in (("gamma", np.where(pairs, scale, 1)), ("beta", np.where(pairs, mean, 0))):
        part.change(f"block{block}_bn/{name}", kept, how)
    for name in ("moving_mean", "moving_variance"):
        part.change(f"block{block}_bn/{name}", part.arrays[f"block{block}_bn/{name}"], how)


def _drop_generator_stage(part):
    config, network = part.config, part.build()
    size, stride, block = config["image_size"], config["strides"][-2], len(config["filters"]) - 1
    before, images = sample(network, [network.get_layer(f"block{block}_conv").input, network.output], 4 * SAMPLES)
    wanted = np.arctanh(np.clip(pooled(images), -0.97, 0.97))
    kernel = fit_transposed(before, wanted, config["kernel_size"], stride)
    for layer in (f"block{block}_conv", f"block{block}_bn"):
        part.forget(layer)
    part.change("to_images_conv/kernel", kernel, f"fitted for {size} → {size // 2} px")
    config.update(image_size=size // 2, filters=config["filters"][:-1], strides=config["strides"][:-1])
