"""Another image size: a stage is grown or dropped, and the first feature map of the generator is resized.

Grown stages start as near to an identity as they can be. A leaky ReLU of slope a gives r(x) - r(-x) = (1 + a) x, so a
pair of channels +x and -x carries x through it exactly. Dropped stages are replaced by the least-squares fit of what
the last two did.
"""

from math import prod

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.models.mlp import MLPDiscriminator, MLPGenerator
from tfgantl.transfer.weights.leastsquares import fit_convolution, fit_transposed
from tfgantl.transfer.weights.parts import Part, outputs_of

SAMPLES = 64  # images that statistics are measured on


def fit_generator_size(part: Part, size: int) -> None:
    """Changes the size of the images that a generator makes.

    Raises:
        ArtifactError: If no number of stages leads to that size.
    """
    if part.config["image_size"] == size:
        return
    if part.kind is MLPGenerator:
        for path in ("to_images_dense/kernel", "to_images_dense/bias"):
            _resize_images(part, path, size, axis=-1)
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


def fit_discriminator_size(part: Part, size: int, images: np.ndarray) -> None:
    """Changes the size of the images that a discriminator takes.

    Args:
        part: The discriminator.
        size: Wanted side.
        images: float32 samples of the source, of the size that the discriminator takes now.
    """
    old = part.config["image_size"]
    if old == size:
        return
    if part.kind is MLPDiscriminator:
        _resize_images(part, "block1_dense/kernel", size, axis=0)
        part.config["image_size"] = size
        return
    blocks = len(part.config["filters"])
    last = _last_side(old, blocks)
    allowed = [stages for stages in range(1 - blocks, 5) if old % 2 ** max(-stages, 0) == 0]
    sides = {stages: _last_side(size, blocks + stages) for stages in allowed}
    stages = min(sides, key=lambda s: (abs(np.log2(sides[s] / last)), abs(s)))
    for _ in range(-stages):
        images = _drop_discriminator_stage(part, images)
    for _ in range(stages):
        images = _grow_discriminator_stage(part, images)
    part.config["image_size"] = size
    if sides[stages] != last:
        width, how = part.config["filters"][-1], f"last feature map {last} → {sides[stages]}"
        for path in ("logits/kernel", "label_projection/embeddings"):
            if path in part.arrays:
                values = part.arrays[path]
                values = values.T if path == "logits/kernel" else values
                maps = _bilinear(values.reshape(-1, last, last, width), sides[stages]) * (last / sides[stages]) ** 2
                maps = maps.reshape(len(values), -1)
                part.change(path, maps.T if path == "logits/kernel" else maps, how)


def _last_side(size, blocks):
    for _ in range(blocks):
        size = -(-size // 2)
    return size


def _bilinear(maps, side):
    """Maps (n, side, side, channels) in another size."""
    return tf.image.resize(maps, (side, side), antialias=True).numpy()


def _resize_images(part, path, size, axis):
    """Weights that belong to pixels, of a dense layer. Sums over an image stay what they were."""
    old, channels, values = part.config["image_size"], part.config["channels"], part.arrays[path]
    values = values.T if axis == 0 else values
    maps = _bilinear(values.reshape(-1, old, old, channels), size) * ((old / size) ** 2 if axis == 0 else 1.0)
    maps = maps.reshape(*values.shape[:-1], -1)
    part.change(path, maps.T if axis == 0 else maps, f"{old} → {size} px")


def _resize_first_map(part, base, new):
    width, how = part.config["filters"][0], f"first feature map {base} → {new}"
    for path in ("kernel", "gamma", "beta", "moving_mean", "moving_variance"):
        path = f"block0_dense/{path}" if path == "kernel" else f"block0_bn/{path}"
        values = part.arrays[path]
        if values.shape[-1] == base * base * width:  # a normalisation a channel stays as it is
            maps = _bilinear(values.reshape(-1, base, base, width), new)
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


def _taps(kernel_size, up):
    """One side of the kernel of a linear upsampling, or of the average of two, at stride 2 with `padding="same"`."""
    taps, first = np.zeros(kernel_size, np.float32), (kernel_size - 2) // 2
    taps[first : first + 2] = 1.0 if up else 0.5
    if up and kernel_size >= 4:
        taps[first - 1 : first + 3] = (0.25, 0.75, 0.75, 0.25)
    return np.outer(taps, taps)


def _measured(part, layer, values):
    """A normalisation that changes nothing: its scale and shift undo what its statistics do."""
    mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
    part.arrays[f"{layer}/moving_mean"], part.arrays[f"{layer}/moving_variance"] = mean, variance
    return mean, np.sqrt(variance + part.config["norm_epsilon"])


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
        enlarge[:, :, c, c] = _taps(count, up=True) / (1 + config["negative_slope"])
        enlarge[:, :, c, channels + c] = -enlarge[:, :, c, c]
    part.change("to_images_conv/kernel", enlarge, how)
    grown = part.build()
    (values,) = sample(grown, [grown.get_layer(f"block{block}_conv").output])
    mean, scale = _measured(part, f"block{block}_bn", values)
    pairs = np.arange(width) < 2 * channels
    for name, kept in (("gamma", np.where(pairs, scale, 1)), ("beta", np.where(pairs, mean, 0))):
        part.change(f"block{block}_bn/{name}", kept, how)
    for name in ("moving_mean", "moving_variance"):
        part.change(f"block{block}_bn/{name}", part.arrays[f"block{block}_bn/{name}"], how)


def _drop_generator_stage(part):
    config, network = part.config, part.build()
    size, stride, block = config["image_size"], config["strides"][-2], len(config["filters"]) - 1
    before, images = sample(network, [network.get_layer(f"block{block}_conv").input, network.output], 4 * SAMPLES)
    wanted = np.arctanh(np.clip(_pooled(images), -0.97, 0.97))
    kernel = fit_transposed(before, wanted, config["kernel_size"], stride)
    for layer in (f"block{block}_conv", f"block{block}_bn"):
        part.forget(layer)
    part.change("to_images_conv/kernel", kernel, f"fitted for {size} → {size // 2} px")
    config.update(image_size=size // 2, filters=config["filters"][:-1], strides=config["strides"][:-1])


def _grow_discriminator_stage(part, images):
    config = part.config
    size, channels, count = config["image_size"], config["channels"], config["kernel_size"]
    width, blocks = max(2 * channels, config["filters"][0] // 2), len(config["filters"])
    how = f"grown for {size} → {2 * size} px"
    if config["batch_norm"]:  # the first block has no normalisation, but will be the second
        network = part.build()
        (values,) = outputs_of(keras.Model(network.inputs[0], network.get_layer("block1_conv").output), [images])
    for block in range(blocks, 0, -1):
        for layer in ("conv", "bn"):
            part.rename(f"block{block}_{layer}", f"block{block + 1}_{layer}")
    config.update(image_size=2 * size, filters=[width, *config["filters"]])
    if config["batch_norm"]:
        mean, scale = _measured(part, "block2_bn", values)
        for name, kept in (("gamma", scale), ("beta", mean)):
            part.change(f"block2_bn/{name}", kept, how)
    keras.utils.set_random_seed(part.seed)
    first = part.kind.from_config(config).get_layer("block1_conv").kernel.numpy()
    following = part.arrays["block2_conv/kernel"]
    second = np.zeros((*following.shape[:2], width, following.shape[3]), np.float32)
    for c in range(channels):
        first[:, :, :, c], first[:, :, :, channels + c] = 0, 0
        first[:, :, c, c] = _taps(count, up=False)
        first[:, :, c, channels + c] = -first[:, :, c, c]
        second[:, :, c] = following[:, :, c] / (1 + config["negative_slope"])
        second[:, :, channels + c] = -second[:, :, c]
    part.change("block1_conv/kernel", first, how)
    part.change("block2_conv/kernel", second, how)
    if not config["batch_norm"]:
        part.change("block1_conv/bias", np.zeros(width), how)
    return np.repeat(np.repeat(images, 2, 1), 2, 2)


def _drop_discriminator_stage(part, images):
    config, network = part.config, part.build()
    size, norm = config["image_size"], config["batch_norm"]
    small = _pooled(images)
    rng = np.random.default_rng(0)
    small = np.concatenate([small, small + 0.1 * rng.standard_normal(small.shape, np.float32)])
    layer = network.get_layer("block2_bn" if norm else "block2_conv")
    large = np.repeat(np.repeat(small, 2, 1), 2, 2)
    (wanted,) = outputs_of(keras.Model(network.inputs[0], layer.output), [large])
    kernel, bias = fit_convolution(small, wanted, config["kernel_size"], with_bias=not norm)
    for name in ("block1_conv", "block2_conv", "block2_bn"):
        part.forget(name)
    for block in range(3, len(config["filters"]) + 1):
        for name in ("conv", "bn"):
            part.rename(f"block{block}_{name}", f"block{block - 1}_{name}")
    how = f"fitted for {size} → {size // 2} px"
    part.change("block1_conv/kernel", kernel, how)
    if not norm:
        part.change("block1_conv/bias", bias, how)
    config.update(image_size=size // 2, filters=config["filters"][1:])
    return _pooled(images)


def _pooled(images):
    """Images of half the size."""
    n, side, _, channels = images.shape
    return images.reshape(n, side // 2, 2, side // 2, 2, channels).mean((2, 4))
