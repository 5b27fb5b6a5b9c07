"""Another image size, other channels or other classes for a StyleGAN2, nearly all of it exactly.

Stored weights are multiplied by gains when a network runs, and gains depend on the number of inputs: where that
changes, stored weights change so that effective ones do not.
"""

from math import sqrt

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.models.specifications.stylegan2 import LARGEST, SMALLEST
from tfgantl.models.stylegan2.dense_layers import ROOT_2, SLOPE
from tfgantl.models.stylegan2.generator import MAPPING_RATE, widths
from tfgantl.models.stylegan2.image_layers import filtered
from tfgantl.pretrained.refit.base import Refit
from tfgantl.pretrained.refit.channels import spread_channels
from tfgantl.pretrained.refit.editable import EditableNetwork, outputs_of
from tfgantl.pretrained.refit.resampling import SAMPLES

MAX_PIXELS = 2**20  # of images whose feature maps are held in memory
PAIR = ROOT_2 * (1.0 + SLOPE)  # √2 lrelu(x) - √2 lrelu(-x) is so many times x


class StyleGAN2Refit(Refit):
    """Fits the networks of `StyleGAN2`.

    A grown generator gives its old image, doubled; one that loses its last blocks, the sum of colours up to there. A
    grown discriminator gives the logits of the filtered and halved image; one that loses its first block gets the
    colours that come nearest to what the block made, by least squares.
    """

    samples = SAMPLES

    def resize_generator(self, network: EditableNetwork, size: int) -> None:
        old = network.config["image_size"]
        _check_size(size)
        blocks = len(_filters(network))
        network.config["image_size"] = size
        for block in range(len(_filters(network)), blocks):  # dropped
            for layer in {path.partition("/")[0] for path in network.arrays if path.startswith(f"block{block}_")}:
                network.forget(layer)
        for block, width in enumerate(_filters(network)):
            if block >= blocks:
                how = f"grown for {old} → {size} px"
                network.change(f"block{block}_to_rgb/kernel", np.zeros((1, 1, width, network.config["channels"])), how)
                network.change(f"block{block}_to_rgb_bias/bias", np.zeros(network.config["channels"]), how)

    def resize_discriminator(self, network: EditableNetwork, size: int, images: np.ndarray) -> None:
        _check_size(size)
        images = images[: max(4, MAX_PIXELS // network.config["image_size"] ** 2)]
        while network.config["image_size"] > size:
            images = _drop_discriminator_block(network, images)
        while network.config["image_size"] < size:
            _grow_discriminator_block(network)

    def change_channels(self, network: EditableNetwork, channels: int) -> None:
        old = network.config["channels"]
        how = f"{old} → {channels} channels"
        if not network.makes_images:
            values = spread_channels(network.arrays["block1_from_rgb/kernel"], 2, channels, False)
            network.change("block1_from_rgb/kernel", values * sqrt(channels / old), how)
            return
        for block in range(len(_filters(network))):
            for path, axis in ((f"block{block}_to_rgb/kernel", 3), (f"block{block}_to_rgb_bias/bias", 0)):
                network.change(path, spread_channels(network.arrays[path], axis, channels, True), how)

    def label_table(self, network: EditableNetwork) -> str:
        return "mapping_label/embeddings" if network.makes_images else "label_table/embeddings"

    def label_rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        return rows * sqrt(num_classes / len(rows))

    def add_labels(self, network: EditableNetwork) -> None:
        how = f"no → {network.config['num_classes']} classes"
        if network.makes_images:
            kernel, style_dim = network.arrays["mapping_0/kernel"], network.config["style_dim"]
            inputs = len(kernel)
            nothing = np.zeros((style_dim, kernel.shape[1]), np.float32)
            kernel = np.concatenate([kernel, nothing]) * sqrt((inputs + style_dim) / inputs)
            network.change("mapping_0/kernel", kernel, how)
            return
        # What features are compared with is a vector of ones for all labels: the last weights that could tell them
        # apart are 0, and get gradients.
        kernel, bias = network.arrays["logits/kernel"], network.arrays["logits/bias"]
        units, last = len(kernel), network.config["label_layers"] - 1
        network.change("logits/kernel", np.repeat(kernel, units, 1) / sqrt(units), how)
        network.change("logits/bias", np.repeat(bias, units) / sqrt(units), how)
        if last < 0:
            network.change("label_table/embeddings", np.zeros((network.config["num_classes"], units)), how)
            network.change("label_table/bias", np.ones(units), how)
        else:
            network.change(f"label_{last}/kernel", np.zeros((units, units)), how)
            network.change(f"label_{last}/bias", np.full(units, 1.0 / ROOT_2 / MAPPING_RATE), how)

    def fold_labels(self, network: EditableNetwork, rows: np.ndarray, how: str) -> None:
        name = "mapping_label" if network.makes_images else "label_table"
        rows = rows / sqrt(len(rows)) + network.arrays[f"{name}/bias"]
        network.forget(name)
        if network.makes_images:
            label = _unit(rows.mean(0, keepdims=True))[0]
            kernel, size = network.arrays["mapping_0/kernel"], network.config["latent_dim"]
            shift = label @ kernel[size:] / sqrt(len(kernel))
            network.change("mapping_0/kernel", kernel[:size] * sqrt(size / len(kernel)), how)
            network.change("mapping_0/bias", network.arrays["mapping_0/bias"] + shift, how)
            return
        vectors = _unit(rows)
        for i in range(network.config["label_layers"]):
            kernel, bias = network.arrays[f"label_{i}/kernel"], network.arrays[f"label_{i}/bias"]
            x = MAPPING_RATE * (vectors @ kernel / sqrt(len(kernel)) + bias)
            vectors = ROOT_2 * np.where(x > 0, x, SLOPE * x)
            network.forget(f"label_{i}")
        mean = vectors.mean(0)[:, None] / sqrt(vectors.shape[1])
        network.change("logits/kernel", network.arrays["logits/kernel"] @ mean, how)
        network.change("logits/bias", network.arrays["logits/bias"] @ mean, how)


def _check_size(size: int) -> None:
    if size & (size - 1) or not SMALLEST <= size <= LARGEST:
        raise ArtifactError(
            f"`image_size` must be a power of 2 from {SMALLEST} to {LARGEST} for a StyleGAN2. Received: {size}"
        )


def _filters(network: EditableNetwork) -> list[int]:
    return widths(*(network.config[name] for name in ("image_size", "base", "most")))


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-8)


def _shift_blocks(network: EditableNetwork, by: int) -> None:
    """Numbers the blocks behind the first one anew."""
    blocks = range(1, len(_filters(network)))
    for block in reversed(blocks) if by > 0 else blocks[1:]:
        for part in ("conv0", "conv1", "skip"):
            network.rename(f"block{block}_{part}", f"block{block + by}_{part}")


def _grow_discriminator_block(network: EditableNetwork) -> None:
    """A first block of which only its filter is left: pairs +x and -x carry colours through its activations."""
    size, channels = network.config["image_size"], network.config["channels"]
    how = f"grown for {size} → {2 * size} px"
    old, bias = network.arrays["block1_from_rgb/kernel"][0, 0], network.arrays["block1_from_rgb/bias"]
    _shift_blocks(network, 1)
    network.forget("block1_from_rgb")
    network.config["image_size"] = 2 * size
    width, following = _filters(network)[:-3:-1]
    if width < 2 * channels:
        raise ArtifactError(
            f"a discriminator must have at least {2 * channels} channels at {2 * size} px to be grown. "
            f"Received: {width}"
        )
    fresh = network.build()
    first = fresh.get_layer("block1_from_rgb").kernel.numpy()
    second = fresh.get_layer("block1_conv0").kernel.numpy()
    third = np.zeros((3, 3, width, following), np.float32)
    pairs, gains = slice(0, 2 * channels), [sqrt(channels), sqrt(9 * width), sqrt(9 * width)]
    both = np.concatenate([np.eye(channels), -np.eye(channels)], 1)  # (channels, 2 channels): x, and -x
    first[0, 0, :, pairs] = both * gains[0]
    second[:, :, :, pairs] = 0
    second[1, 1, pairs, pairs] = both.T @ both / PAIR * gains[1]
    third[1, 1, pairs] = both.T @ (ROOT_2 * old / sqrt(channels)) / PAIR * gains[2]
    network.change("block1_from_rgb/kernel", first, how)
    network.change("block1_from_rgb/bias", np.zeros(width), how)
    network.change("block1_conv0/kernel", second, how)
    network.change("block1_conv0/bias", np.zeros(width), how)
    network.change("block1_conv1/kernel", third, how)
    network.change("block1_conv1/bias", ROOT_2 * bias, how)
    network.change("block1_skip/kernel", np.zeros((1, 1, width, following)), how)


def _drop_discriminator_block(network: EditableNetwork, images: np.ndarray) -> np.ndarray:
    """Colours of halved images in place of the first block; exact if that was grown. Returns the halved images."""
    size, channels = network.config["image_size"], network.config["channels"]
    built = network.build()
    (maps,) = outputs_of(keras.Model(built.inputs[0], built.get_layer("block1_scaled").output), [images])
    halved = filtered(tf.constant(images), padding=1, stride=2).numpy()
    wanted = maps.reshape(-1, maps.shape[-1]) / ROOT_2
    wanted = np.where(wanted > 0, wanted, wanted / SLOPE)
    seen = np.concatenate([halved.reshape(-1, channels), np.ones((len(wanted), 1), np.float32)], 1)
    solution = np.linalg.lstsq(seen, wanted, rcond=None)[0]
    for part in ("from_rgb", "conv0", "conv1", "skip"):
        network.forget(f"block1_{part}")
    _shift_blocks(network, -1)
    network.config["image_size"] = size // 2
    how = f"fitted for {size} → {size // 2} px"
    network.change("block1_from_rgb/kernel", solution[None, None, :channels] * sqrt(channels), how)
    network.change("block1_from_rgb/bias", solution[channels], how)
    return halved
