"""Another image size for the discriminator of a DCGAN: a stage is grown or dropped, and its last layer is fitted.

Stages are grown as those of a generator are. Where logits then differ from what they were, the last layer is changed a
little, by ridge regression, to give images of the source in the new size their old ones.
"""

import keras
import numpy as np
from sklearn.linear_model import Ridge

from tfgantl.pretrained.refit.editable import EditableNetwork, outputs_of
from tfgantl.pretrained.refit.least_squares import fit_convolution
from tfgantl.pretrained.refit.resampling import SAMPLES, bilinear, neutral_norm, pooled, taps

MAX_LOST_VARIANCE = 0.25  # of the logits, as a share, before the last layer is fitted


def resize_discriminator(network: EditableNetwork, size: int, images: np.ndarray) -> None:
    """Changes the size of the images that a discriminator takes.

    Args:
        network: The discriminator.
        size: Wanted side.
        images: float32 samples of the source, of the size that the discriminator takes now.
    """
    old = network.config["image_size"]
    blocks, whole = len(network.config["filters"]), images
    labels = [np.arange(len(images)) % network.config["num_classes"]] if network.config["num_classes"] else []
    (logits,) = outputs_of(network.build(), [images, *labels])
    images = images[:SAMPLES]  # for statistics and least squares, which hold whole feature maps in memory
    last = _last_side(old, blocks)
    allowed = [stages for stages in range(1 - blocks, 5) if old % 2 ** max(-stages, 0) == 0]
    sides = {stages: _last_side(size, blocks + stages) for stages in allowed}
    stages = min(sides, key=lambda s: (abs(np.log2(sides[s] / last)), abs(s)))
    for _ in range(-stages):
        images = _drop_discriminator_stage(network, images)
    for _ in range(stages):
        images = _grow_discriminator_stage(network, images)
    network.config["image_size"] = size
    if sides[stages] != last:
        width, how = network.config["filters"][-1], f"last feature map {last} → {sides[stages]}"
        for path in ("logits/kernel", "label_projection/embeddings"):
            if path in network.arrays:
                values = network.arrays[path]
                values = values.T if path == "logits/kernel" else values
                maps = bilinear(values.reshape(-1, last, last, width), sides[stages]) * (last / sides[stages]) ** 2
                maps = maps.reshape(len(values), -1)
                network.change(path, maps.T if path == "logits/kernel" else maps, how)
    _refit_logits(network, [bilinear(whole, size), *labels], logits)


def _refit_logits(network: EditableNetwork, inputs: list[np.ndarray], wanted: np.ndarray) -> None:
    """A small change of the last layer, that gives images of the new size the logits that they had, if they differ."""
    built = network.build()
    last = keras.Model(built.inputs, [built.get_layer("logits").input, built.output])
    features, present = outputs_of(last, inputs)
    if np.var(wanted - present) < MAX_LOST_VARIANCE * np.var(wanted):
        return
    features = features.reshape(len(features), -1)
    # The power of 10 was chosen on images that the fit did not see.
    ridge = Ridge(alpha=0.01 * np.square(features).sum(1).mean()).fit(features, (wanted - present)[:, 0])
    network.change("logits/kernel", network.arrays["logits/kernel"] + ridge.coef_[:, None], "fitted")
    network.change("logits/bias", network.arrays["logits/bias"] + ridge.intercept_, "fitted")


def _last_side(size: int, blocks: int) -> int:
    for _ in range(blocks):
        size = -(-size // 2)
    return size


def _grow_discriminator_stage(network: EditableNetwork, images: np.ndarray) -> np.ndarray:
    config = network.config
    size, channels, count = config["image_size"], config["channels"], config["kernel_size"]
    width, blocks = max(2 * channels, config["filters"][0] // 2), len(config["filters"])
    how = f"grown for {size} → {2 * size} px"
    if config["batch_norm"]:  # the first block has no normalisation, but will be the second
        built = network.build()
        (values,) = outputs_of(keras.Model(built.inputs[0], built.get_layer("block1_conv").output), [images])
    for block in range(blocks, 0, -1):
        for layer in ("conv", "bn"):
            network.rename(f"block{block}_{layer}", f"block{block + 1}_{layer}")
    config.update(image_size=2 * size, filters=[width, *config["filters"]])
    if config["batch_norm"]:
        mean, scale = neutral_norm(network, "block2_bn", values)
        for name, values in (("gamma", scale), ("beta", mean)):
            network.change(f"block2_bn/{name}", values, how)
    keras.utils.set_random_seed(network.seed)
    first = network.kind.from_config(config).get_layer("block1_conv").kernel.numpy()
    following = network.arrays["block2_conv/kernel"]
    second = np.zeros((*following.shape[:2], width, following.shape[3]), np.float32)
    for c in range(channels):
        first[:, :, :, c], first[:, :, :, channels + c] = 0, 0
        first[:, :, c, c] = taps(count, up=False)
        first[:, :, c, channels + c] = -first[:, :, c, c]
        second[:, :, c] = following[:, :, c] / (1 + config["negative_slope"])
        second[:, :, channels + c] = -second[:, :, c]
    network.change("block1_conv/kernel", first, how)
    network.change("block2_conv/kernel", second, how)
    if not config["batch_norm"]:
        network.change("block1_conv/bias", np.zeros(width), how)
    return np.repeat(np.repeat(images, 2, 1), 2, 2)


def _drop_discriminator_stage(network: EditableNetwork, images: np.ndarray) -> np.ndarray:
    config, built = network.config, network.build()
    size, norm = config["image_size"], config["batch_norm"]
    small = pooled(images)
    rng = np.random.default_rng(0)
    small = np.concatenate([small, small + 0.1 * rng.standard_normal(small.shape, np.float32)])
    layer = built.get_layer("block2_bn" if norm else "block2_conv")
    large = np.repeat(np.repeat(small, 2, 1), 2, 2)
    (wanted,) = outputs_of(keras.Model(built.inputs[0], layer.output), [large])
    kernel, bias = fit_convolution(small, wanted, config["kernel_size"], with_bias=not norm)
    for name in ("block1_conv", "block2_conv", "block2_bn"):
        network.forget(name)
    for block in range(3, len(config["filters"]) + 1):
        for name in ("conv", "bn"):
            network.rename(f"block{block}_{name}", f"block{block - 1}_{name}")
    how = f"fitted for {size} → {size // 2} px"
    network.change("block1_conv/kernel", kernel, how)
    if not norm:
        network.change("block1_conv/bias", bias, how)
    config.update(image_size=size // 2, filters=config["filters"][1:])
    return pooled(images)
