"""The residual GAN with spectral norms, unconditional or class-conditional."""

from typing import Any

import keras
from keras import layers

from tfgantl.models.conditional import discriminator_outputs, generator_inputs
from tfgantl.models.layers import (
    BatchNormalization,
    Conv2D,
    DoublingConv2D,
    HalvingSpectralConv2D,
    SpectralConv2D,
    SpectralDense,
)
from tfgantl.models.specifications.base import doubled_widths, sides
from tfgantl.models.structure import Structure, structure_of_named_blocks


@keras.saving.register_keras_serializable(package="tfgantl")
class SNGANGenerator(keras.Model):
    """Noise [and labels] → images, by residual blocks that double the side.

    Blocks are named `block0` (dense) to `blockN`, then `to_images`. A block is twice a batch normalisation, a ReLU and
    a convolution, beside a `skip` of 1 x 1. That is applied before the map is doubled, which gives the same for a
    quarter of the work.

    Args:
        image_size: Height and width in pixels: 4 to 7, times a power of 2.
        channels: 1 or 3.
        latent_dim: Length of the noise.
        width: Channels next to the image; twice as many wherever the side is halved,
        most: and at most this many.
        num_classes: Number of classes, or `None` for an unconditional generator.
        label_dim: Length of the label embedding.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.

    Example:
        >>> generator = SNGANGenerator(28, 1, 128, width=16)
        >>> generator(keras.random.normal((4, 128))).shape
        TensorShape([4, 28, 28, 1])

    Reference:
        Miyato et al., 2018, https://arxiv.org/abs/1802.05957
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        latent_dim: int,
        width: int = 64,
        most: int = 1024,
        num_classes: int | None = None,
        label_dim: int = 16,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "generator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        base, (first, *others) = sides(image_size)[0], doubled_widths(image_size, width, most)
        inputs, x = generator_inputs(latent_dim, num_classes, label_dim, dtype, text_dim)
        x = layers.Dense(base * base * first, name="block0_dense", dtype=dtype)(x)
        x = layers.Reshape((base, base, first), name="block0_reshape", dtype=dtype)(x)
        for block, filters in enumerate(others, start=1):
            name_ = f"block{block}"
            skip = Conv2D(filters, 1, use_bias=False, name=f"{name_}_skip", dtype=dtype)(x)
            skip = layers.UpSampling2D(name=f"{name_}_skip_up", dtype=dtype)(skip)
            x = _normalised(x, f"{name_}_bn1", dtype)
            x = DoublingConv2D(filters, 3, use_bias=False, name=f"{name_}_conv1", dtype=dtype)(x)
            x = _normalised(x, f"{name_}_bn2", dtype)
            x = Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name_}_conv2", dtype=dtype)(x)
            x = layers.Add(name=f"{name_}_sum", dtype=dtype)([x, skip])
        x = _normalised(x, f"block{len(others)}_bn3", dtype)
        x = Conv2D(channels, 3, padding="same", name="to_images_conv", dtype=dtype)(x)
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
        """Blocks are the residual ones, each with its shortcut; the normalisation before the image ends the last."""
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


@keras.saving.register_keras_serializable(package="tfgantl")
class SNGANDiscriminator(keras.Model):
    """Images [and labels] → logits, by residual blocks whose kernels all have a spectral norm of about 1.

    Blocks are named `block1` (next to the image) to `blockN`, the last of which keeps the side; then the sum over all
    places, `logits` and, if conditional, `label_projection`. A block is twice a ReLU (but at the image) and a
    convolution, beside a `skip` of 1 x 1; all but the last then halve the side by averaging. The skip comes after it,
    which gives the same for a quarter of the work.

    Args:
        image_size: Height and width in pixels: 4 to 7, times a power of 2.
        channels: 1 or 3.
        width: Channels next to the image; twice as many wherever the side is halved,
        most: and at most this many.
        num_classes: Number of classes, or `None` for an unconditional discriminator.
        dtype: Keras dtype policy of the residual blocks.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.

    Example:
        >>> discriminator = SNGANDiscriminator(28, 1, width=16)
        >>> discriminator(keras.random.normal((4, 28, 28, 1))).shape
        TensorShape([4, 1])

    Reference:
        Miyato et al., 2018, https://arxiv.org/abs/1802.05957
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        width: int = 64,
        most: int = 1024,
        num_classes: int | None = None,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        images = keras.Input((image_size, image_size, channels), name="images")
        filters = doubled_widths(image_size, width, most)[:0:-1]
        x = images
        for block, following in enumerate([*filters, filters[-1]], start=1):
            name_, halves, inner = f"block{block}", block <= len(filters), following if block == 1 else x.shape[-1]
            skip = x
            if block > 1:
                x = layers.ReLU(name=f"{name_}_relu1", dtype=dtype)(x)
            x = SpectralConv2D(inner, 3, padding="same", name=f"{name_}_conv1", dtype=dtype)(x)
            x = layers.ReLU(name=f"{name_}_relu2", dtype=dtype)(x)
            last_conv = HalvingSpectralConv2D if halves else SpectralConv2D
            x = last_conv(following, 3, padding="same", name=f"{name_}_conv2", dtype=dtype)(x)
            if halves:
                skip = layers.AveragePooling2D(2, name=f"{name_}_skip_pool", dtype=dtype)(skip)
                skip = SpectralConv2D(following, 1, name=f"{name_}_skip", dtype=dtype)(skip)
            x = layers.Add(name=f"{name_}_sum", dtype=dtype)([x, skip])
        places = float(x.shape[1] ** 2)
        x = layers.ReLU(name=f"block{len(filters) + 1}_relu3", dtype=dtype)(x)
        x = layers.GlobalAveragePooling2D(name="mean", dtype="float32")(x)
        features = layers.Rescaling(places, name="features", dtype="float32")(x)
        inputs, logits = discriminator_outputs(images, features, num_classes, SpectralDense, text_dim)
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.width = width
        self.most = most
        self.num_classes = num_classes
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def structure(self) -> Structure:
        """Blocks are the residual ones, each with its shortcut."""
        return structure_of_named_blocks(self)

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "width": self.width,
            "most": self.most,
            "num_classes": self.num_classes,
            "dtype": self.hidden_dtype,
            "text_dim": self.text_dim,
            "name": self.name,
        }


def _normalised(x: keras.KerasTensor, name: str, dtype: str) -> keras.KerasTensor:
    x = BatchNormalization(momentum=0.9, name=name, dtype=dtype)(x)
    return layers.ReLU(name=name.replace("bn", "relu"), dtype=dtype)(x)
