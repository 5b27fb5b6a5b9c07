"""Another image size for the generator of a DCGAN: a stage is grown or dropped, and its first feature map is resized.

Grown stages start as near to an identity as they can be. A leaky ReLU of slope a gives r(x) - r(-x) = (1 + a) x, so a
pair of channels +x and -x carries x through it exactly. Dropped stages are replaced by the least-squares fit of what
the last two did.
"""

from math import prod

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.refit.editable import EditableNetwork, sample_outputs
from tfgantl.pretrained.refit.least_squares import fit_transposed
from tfgantl.pretrained.refit.resampling import SAMPLES, bilinear, neutral_norm, pooled, taps


def resize_generator(network: EditableNetwork, size: int) -> None:
    """Changes the size of the images that a generator makes.

    Raises:
        ArtifactError: If no number of stages leads to that size.
    """
    strides = network.config["strides"]
    base = network.config["image_size"] // prod(strides)
    plans = {}
    for stages in range(2 - len(strides), 5):
        remaining = strides[: len(strides) + min(stages, 0)]
        growth = prod(remaining) * 2 ** max(stages, 0)
        if set(strides[len(remaining) :]) <= {2} and size % growth == 0:
            plans[stages] = size // growth
    if not plans:
        raise ArtifactError(
            f"`image_size` must be a multiple of {2 ** (len(strides) - 1)} or so for a generator with the strides "
            f"{list(strides)}. Received: {size}"
        )
    stages = min(plans, key=lambda s: (abs(np.log2(plans[s] / base)), abs(s)))
    for _ in range(-stages):
        _drop_generator_stage(network)
    if plans[stages] != base:
        _resize_first_map(network, base, plans[stages])
    for _ in range(stages):
        _grow_generator_stage(network)


def _resize_first_map(network: EditableNetwork, base: int, new: int) -> None:
    width, how = network.config["filters"][0], f"first feature map {base} → {new}"
    for path in ("kernel", "gamma", "beta", "moving_mean", "moving_variance"):
        path = f"block0_dense/{path}" if path == "kernel" else f"block0_bn/{path}"
        values = network.arrays[path]
        if values.shape[-1] == base * base * width:  # a normalisation a channel stays as it is
            maps = bilinear(values.reshape(-1, base, base, width), new)
            network.change(path, maps.reshape(*values.shape[:-1], -1), how)
    network.config["image_size"] = network.config["image_size"] // base * new


def _grow_generator_stage(network: EditableNetwork) -> None:
    config = network.config
    size, channels, count = config["image_size"], config["channels"], config["kernel_size"]
    block, width = len(config["filters"]), max(2 * channels, config["filters"][-1] // 2)
    images = network.arrays.pop("to_images_conv/kernel")  # (height, width, channels, in)
    network.changes.pop("to_images_conv/kernel", None)
    config.update(image_size=2 * size, filters=[*config["filters"], width], strides=[*config["strides"], 2])
    how = f"grown for {size} → {2 * size} px"
    fresh = network.build().get_layer(f"block{block}_conv").kernel.numpy()
    fresh[:, :, :channels], fresh[:, :, channels : 2 * channels] = images, -images
    network.change(f"block{block}_conv/kernel", fresh, how)
    enlarge = np.zeros((count, count, channels, width), np.float32)
    for c in range(channels):
        enlarge[:, :, c, c] = taps(count, up=True) / (1 + config["negative_slope"])
        enlarge[:, :, c, channels + c] = -enlarge[:, :, c, c]
    network.change("to_images_conv/kernel", enlarge, how)
    grown = network.build()
    (values,) = sample_outputs(grown, [grown.get_layer(f"block{block}_conv").output], SAMPLES)
    mean, scale = neutral_norm(network, f"block{block}_bn", values)
    pairs = np.arange(width) < 2 * channels
    for name, values in (("gamma", np.where(pairs, scale, 1)), ("beta", np.where(pairs, mean, 0))):
        network.change(f"block{block}_bn/{name}", values, how)
    for name in ("moving_mean", "moving_variance"):
        network.change(f"block{block}_bn/{name}", network.arrays[f"block{block}_bn/{name}"], how)


def _drop_generator_stage(network: EditableNetwork) -> None:
    config, built = network.config, network.build()
    size, stride, block = config["image_size"], config["strides"][-2], len(config["filters"]) - 1
    before, images = sample_outputs(built, [built.get_layer(f"block{block}_conv").input, built.output], 4 * SAMPLES)
    wanted = np.arctanh(np.clip(pooled(images), -0.97, 0.97))
    kernel = fit_transposed(before, wanted, config["kernel_size"], stride)
    for layer in (f"block{block}_conv", f"block{block}_bn"):
        network.forget(layer)
    network.change("to_images_conv/kernel", kernel, f"fitted for {size} → {size // 2} px")
    config.update(image_size=size // 2, filters=config["filters"][:-1], strides=config["strides"][:-1])
