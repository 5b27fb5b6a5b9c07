"""The generator of StyleGAN2, configurations E and F: colours are made at every size, and added up."""

from math import log2
from typing import Any, Self

import keras
import tensorflow as tf
from keras import layers

from tfgantl.errors import ConfigError
from tfgantl.models.copies import assign_weights
from tfgantl.models.kernels import Kernel
from tfgantl.models.layers import Noise
from tfgantl.models.specifications.stylegan2 import LARGEST, SMALLEST
from tfgantl.models.structure import Block, LatentInput, Structure
from tfgantl.models.stylegan2.batch_layers import DoubledImage, ImageRange
from tfgantl.models.stylegan2.dense_layers import LabelTable, ScaledDense, Style, UnitRMS
from tfgantl.models.stylegan2.image_layers import Bias, LearntConstant, ModulatedConv2D
from tfgantl.models.stylegan2.style_vectors import StyleVectors

MAPPING_RATE = 0.01  # how fast the mapping learns, relative to all else
START = 4  # side of the learnt constant
DEEPEST = 64  # layers of a mapping; a file that asks for a billion shall not be built


def widths(image_size: int, base: int, most: int) -> list[int]:
    """Channels of the feature maps of 4, 8, … pixels, up to the image: base / side, at most `most`.

    Raises:
        ConfigError: If it is no size that a StyleGAN2 can have.
    """
    if image_size & (image_size - 1) or not SMALLEST <= image_size <= LARGEST:
        raise ConfigError(
            f"the image size must be a power of 2 from {SMALLEST} to {LARGEST} for StyleGAN2. Received: {image_size}"
        )
    return [max(1, min(base // 2**k, most)) for k in range(2, int(log2(image_size)) + 1)]


def check_depth(count: int, name: str, least: int = 1) -> None:
    """Raises `ConfigError` for more layers of a mapping than anybody has."""
    if not least <= count <= DEEPEST:
        raise ConfigError(f"`{name}` of a StyleGAN2 must be in [{least}, {DEEPEST}]. Received: {count}")


@keras.saving.register_keras_serializable(package="tfgantl")
class StyleGAN2Generator(keras.Model):
    """Noise [and labels] → w → images.

    The mapping makes w of the noise (`mapping_0` …, then `w`). Blocks are `block0`, of 4 x 4 pixels, to `blockN`,
    each of twice the side. Each has convolutions `conv0` (which doubles the side; not in the first block) and `conv1`,
    whose kernels are scaled by styles of w, and colours `to_rgb`, which are added to those of the block before.

    Images are clipped to [-1, 1], but in training, where they have no bounds. Noise is added to feature maps: fresh in
    training, else a stored map, so that an image depends on its own row alone.

    Args:
        image_size: Height and width in pixels, a power of 2 of at least 8.
        channels: 1 or 3.
        latent_dim: Length of the noise.
        style_dim: Length of w.
        mapping_layers: Dense layers from the noise to w.
        base: Feature maps of side r have base / r channels,
        most: and at most this many.
        num_classes: Number of classes, or `None` for an unconditional generator.
        clamp: Bound of feature maps and colours, for networks that were trained with one; `None` for none.
        style_mixing: Probability that a batch of a training step mixes the styles of two images, see `StyleVectors`.
        truncation: How far w is from its average outside of training; 1 leaves it where it is.
        truncation_cutoff: How many of the vectors w are truncated, from the coarsest; `None` for all.
        dtype: Keras dtype policy of the convolutions.

    Example:
        >>> generator = StyleGAN2Generator(32, 3, 64, 64, 2, base=512, most=32)
        >>> generator(keras.random.normal((4, 64))).shape
        TensorShape([4, 32, 32, 3])
        >>> generator.truncated(0.7).truncation
        0.7

    Reference:
        Karras et al., 2020, https://arxiv.org/abs/1912.04958; with classes: 2020, https://arxiv.org/abs/2006.06676
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        latent_dim: int = 512,
        style_dim: int = 512,
        mapping_layers: int = 8,
        base: int = 32768,
        most: int = 512,
        num_classes: int | None = None,
        clamp: float | None = None,
        style_mixing: float = 0.9,
        truncation: float = 1.0,
        truncation_cutoff: int | None = None,
        dtype: str = "float32",
        name: str = "generator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        check_depth(mapping_layers, "mapping_layers")
        latents = keras.Input((latent_dim,), name="latents")
        labels = keras.Input((), dtype="int32", name="labels") if num_classes else None
        inputs = [latents, labels] if num_classes else latents
        mapping = Mapping(style_dim, mapping_layers, num_classes)
        w = layers.Identity(name="w", dtype="float32")(mapping([latents, labels] if num_classes else [latents]))
        filters = widths(image_size, base, most)
        vectors = StyleVectors(
            2 * len(filters), style_mixing, truncation, truncation_cutoff, mapping=mapping, name="styles",
            dtype="float32",
        )  # fmt: skip
        styles = vectors([w, *(inputs if num_classes else [inputs])])
        x = LearntConstant(START, filters[0], name="block0_constant", dtype=dtype)(styles)
        colours = None
        for block, width in enumerate(filters):
            for conv in (0, 1) if block else (1,):
                index = 2 * block - 1 + conv
                name_, up = f"block{block}_conv{conv}", block > 0 and conv == 0
                style = Style(x.shape[-1], index, name=f"{name_}_style", dtype="float32")(styles)
                x = ModulatedConv2D(width, 3, up, name=name_, dtype=dtype)([x, style])
                x = Noise(index, name=f"{name_}_noise", dtype=dtype)(x)
                x = Bias(clamp=clamp, name=f"{name_}_bias", dtype=dtype)(x)
            name_ = f"block{block}_to_rgb"
            style = Style(width, 2 * block + 1, name=f"{name_}_style", dtype="float32")(styles)
            rgb = ModulatedConv2D(channels, 1, demodulate=False, name=name_, dtype=dtype)([x, style])
            rgb = Bias(linear=True, clamp=clamp, name=f"{name_}_bias", dtype="float32")(rgb)
            if colours is not None:
                colours = DoubledImage(name=f"block{block}_doubled", dtype="float32")(colours)
                rgb = layers.Add(name=f"block{block}_colours", dtype="float32")([colours, rgb])
            colours = rgb
        images = ImageRange(name="images", dtype="float32")(colours)
        super().__init__(inputs=inputs, outputs=images, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.latent_dim = latent_dim
        self.style_dim = style_dim
        self.mapping_layers = mapping_layers
        self.base = base
        self.most = most
        self.num_classes = num_classes
        self.clamp = clamp
        self.style_mixing = style_mixing
        self.truncation = truncation
        self.truncation_cutoff = truncation_cutoff
        self.hidden_dtype = dtype

    def truncated(self, truncation: float, cutoff: int | None = None) -> Self:
        """The same generator, with copies of its weights, for better and less diverse images.

        Args:
            truncation: How far w is from its average; 1 leaves it where it is.
            cutoff: How many of the vectors w are truncated, from the coarsest; `None` for all.
        """
        copy = type(self).from_config(
            {**self.get_config(), "truncation": truncation, "truncation_cutoff": cutoff}
        )  # fmt: skip
        assign_weights(copy, self.get_weights())
        return copy

    def structure(self) -> Structure:
        """Blocks are the mapping as a whole, and each convolution; styles, noise and biases are like normalisations."""
        mapping = tuple(layer for layer in self.layers if layer.name.startswith("mapping_"))
        blocks = [Block((*mapping, self.get_layer("w"), self.get_layer("styles")), None)]
        outputs: list[keras.layers.Layer] = []
        styles, norms = [], []
        for layer in self.layers:
            if not isinstance(layer, ModulatedConv2D):
                continue
            first = [self.get_layer("block0_constant")] if layer.name == "block0_conv1" else []
            style, bias = (self.get_layer(f"{layer.name}_{part}") for part in ("style", "bias"))
            noise = [self.get_layer(f"{layer.name}_noise")] if layer.demodulate else []
            styles.append(style)
            norms += [style, *noise, bias]
            if layer.demodulate:
                blocks.append(Block((*first, style, layer, *noise, bias), bias.output))
            else:
                outputs += [layer, style, bias]
        kernels = [Kernel(x.kernel, 1, x.gain) for x in mapping if hasattr(x, "kernel")]
        kernels += [Kernel(x.kernel, 3, x.gain) for x in self.layers if isinstance(x, ModulatedConv2D)]
        return Structure(
            network=self,
            blocks=tuple(blocks),
            norms=tuple(norms),
            outputs=tuple(outputs),
            kernels=tuple(kernels),
            label_tables=tuple(x.embeddings for x in mapping if isinstance(x, LabelTable)),
            latent_inputs=tuple(LatentInput(x.kernel, x.bias, x.gain, self.style_dim) for x in styles),
            latent_mapping=mapping,
            styles=self.get_layer("styles").output,
            core=self,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "latent_dim": self.latent_dim,
            "style_dim": self.style_dim,
            "mapping_layers": self.mapping_layers,
            "base": self.base,
            "most": self.most,
            "num_classes": self.num_classes,
            "clamp": self.clamp,
            "style_mixing": self.style_mixing,
            "truncation": self.truncation,
            "truncation_cutoff": self.truncation_cutoff,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }


class Mapping:
    """Layers from `[latents]`, or `[latents, labels]`, to w; called once for the graph, and in training for mixing.

    No Keras layer, so that the network has them as its own, by their names.
    """

    def __init__(self, style_dim: int, mapping_layers: int, num_classes: int | None):
        float32: Any = {"dtype": "float32"}
        self.norm = UnitRMS(name="mapping_norm", **float32)
        self.dense = [
            ScaledDense(style_dim, MAPPING_RATE, name=f"mapping_{i}", **float32) for i in range(mapping_layers)
        ]
        if num_classes:
            self.table = LabelTable(num_classes, style_dim, name="mapping_label", **float32)
            self.label_norm = UnitRMS(name="mapping_label_norm", **float32)
            self.joined = layers.Concatenate(name="mapping_input", **float32)

    def __call__(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        x = self.norm(inputs[0])
        if len(inputs) == 2:
            x = self.joined([x, self.label_norm(self.table(inputs[1]))])
        for dense in self.dense:
            x = dense(x)
        return x
