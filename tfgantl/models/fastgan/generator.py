"""The generator of FastGAN: gated blocks, noise, and excitation of large maps by small ones."""

from typing import Any

import keras
from keras import layers

from tfgantl.models.conditional import generator_inputs
from tfgantl.models.layers import BatchNormalization, Conv2D, DoublingConv2D, GatedLinearUnit, Noise
from tfgantl.models.specifications.base import doubled_widths
from tfgantl.models.specifications.fastgan import START, check_size
from tfgantl.models.structure import Structure, structure_of_named_blocks

REACH = 4  # doublings that an excitation skips


@keras.saving.register_keras_serializable(package="tfgantl")
class FastGANGenerator(keras.Model):
    """Noise [and labels] → images.

    Blocks are named `block0` (dense, to 4 x 4) to `blockN`, each of twice the side, then `to_images`. A convolution
    comes with a batch normalisation and a gated linear unit; blocks of odd number have two, and noise before each
    normalisation: fresh in training, else a stored map, so that an image depends on its own row alone.

    Channels of a map of 64 px or more are scaled by what the map of a sixteenth of its side says (`…_excitation_…`),
    from 4 to 64 px, from 8 to 128 px and so on; for images below 64 px, those of the last map by the first.

    Args:
        image_size: Height and width in pixels, a power of 2 from 8 to 1024.
        channels: 1 or 3.
        latent_dim: Length of the noise.
        width: Channels next to the image; twice as many wherever the side is halved,
        most: and at most this many.
        num_classes: Number of classes, or `None` for an unconditional generator.
        label_dim: Length of the label embedding.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.

    Raises:
        ConfigError: If images can have no such size.

    Example:
        >>> generator = FastGANGenerator(32, 3, 128, width=8)
        >>> generator(keras.random.normal((4, 128))).shape
        TensorShape([4, 32, 32, 3])

    Reference:
        Liu et al., 2021, https://arxiv.org/abs/2101.04775
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        latent_dim: int,
        width: int = 32,
        most: int = 1024,
        num_classes: int | None = None,
        label_dim: int = 16,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "generator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        check_size(image_size)
        first, *others = doubled_widths(image_size, width, most)
        inputs, x = generator_inputs(latent_dim, num_classes, label_dim, dtype, text_dim)
        x = layers.Dense(START * START * 2 * first, name="block0_dense", dtype=dtype)(x)
        x = layers.Reshape((START, START, 2 * first), name="block0_reshape", dtype=dtype)(x)
        maps = [_gated(x, "block0", "", dtype)]
        for block, filters in enumerate(others, start=1):
            name_, double = f"block{block}", block % 2 == 1
            x = DoublingConv2D(2 * filters, 3, use_bias=False, name=f"{name_}_conv1", dtype=dtype)(maps[-1])
            x = Noise(2 * block, name=f"{name_}_noise1", dtype=dtype)(x) if double else x
            x = _gated(x, name_, "1", dtype)
            if double:
                x = Conv2D(2 * filters, 3, padding="same", use_bias=False, name=f"{name_}_conv2", dtype=dtype)(x)
                x = Noise(2 * block + 1, name=f"{name_}_noise2", dtype=dtype)(x)
                x = _gated(x, name_, "2", dtype)
            if block >= REACH or block == len(others):
                x = _excited(x, maps[max(block - REACH, 0)], f"{name_}_excitation", dtype)
            maps.append(x)
        x = Conv2D(channels, 3, padding="same", name="to_images_conv", dtype=dtype)(maps[-1])
        images = layers.Activation("tanh", name="to_images", dtype="float32")(x)
        super().__init__(inputs=inputs, outputs=images, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.latent_dim = latent_dim
        self.width = width
        self.most = most
        self.num_classes = num_classes
        self.label_dim = label_dim
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def structure(self) -> Structure:
        """An excitation belongs to the block of the map that it scales; strengths of noise are like normalisations."""
        return structure_of_named_blocks(self)

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "most": self.most,
            "num_classes": self.num_classes,
            "label_dim": self.label_dim,
            "dtype": self.hidden_dtype,
            "text_dim": self.text_dim,
            "name": self.name,
        }


def _gated(x: keras.KerasTensor, block: str, index: str, dtype: str) -> keras.KerasTensor:
    x = BatchNormalization(momentum=0.9, name=f"{block}_bn{index}", dtype=dtype)(x)
    return GatedLinearUnit(name=f"{block}_gate{index}", dtype=dtype)(x)


def _excited(x: keras.KerasTensor, small: keras.KerasTensor, name: str, dtype: str) -> keras.KerasTensor:
    """A map, each of its channels times a share in (0, 1) that a smaller map decides."""
    filters, side = x.shape[-1], small.shape[1]
    if side > START:
        small = layers.AveragePooling2D(side // START, name=f"{name}_pool", dtype=dtype)(small)
    share = Conv2D(filters, START, name=f"{name}_conv1", dtype=dtype)(small)
    share = layers.LeakyReLU(0.1, name=f"{name}_relu", dtype=dtype)(share)
    share = Conv2D(filters, 1, activation="sigmoid", name=f"{name}_conv2", dtype=dtype)(share)
    return layers.Multiply(name=f"{name}_product", dtype=dtype)([x, share])
