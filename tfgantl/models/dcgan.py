"""DCGAN at any size that the strides divide, unconditional or class-conditional."""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
from keras import layers

from tfgantl.models.conditional import discriminator_outputs, generator_inputs
from tfgantl.models.layers import BatchNormalization, Conv2D, Conv2DTranspose, Dropout


@keras.saving.register_keras_serializable(package="tfgantl")
class DCGANGenerator(keras.Model):
    """Noise [and labels] → images, by transposed convolutions.

    Blocks are named `block0` (dense) to `blockN`, and `to_images`; each holds a kernel, a batch normalisation and a
    leaky ReLU, and the last one a tanh.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        latent_dim: Length of the noise.
        filters: Channels of the first feature map and of each block after it.
        strides: Growth at each transposed convolution; the last one makes the image.
        kernel_size: Side of the kernels.
        num_classes: Number of classes, or `None` for an unconditional generator.
        label_dim: Length of the label embedding.
        negative_slope: Slope of the leaky ReLUs.
        norm_per_channel: Normalise the first feature map as all others, one statistic a channel; otherwise each of its
            values has statistics of its own.
        norm_epsilon: Added to the variance in batch normalisations.
        norm_momentum: Share of the old moving statistics that a training step keeps.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.

    Example:
        >>> generator = DCGANGenerator(28, 1, 100, (256, 128, 64), (1, 2, 2))
        >>> generator(keras.random.normal((4, 100))).shape
        TensorShape([4, 28, 28, 1])

    Reference:
        Radford et al., 2016, https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        latent_dim: int,
        filters: Sequence[int],
        strides: Sequence[int],
        kernel_size: int = 5,
        num_classes: int | None = None,
        label_dim: int = 16,
        negative_slope: float = 0.3,
        norm_per_channel: bool = False,
        norm_epsilon: float = 1e-3,
        norm_momentum: float = 0.99,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "generator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        base = image_size // prod(strides)
        norm = {"epsilon": norm_epsilon, "momentum": norm_momentum, "dtype": dtype}
        inputs, x = generator_inputs(latent_dim, num_classes, label_dim, dtype, text_dim)
        x = layers.Dense(base * base * filters[0], use_bias=False, name="block0_dense", dtype=dtype)(x)
        reshape = layers.Reshape((base, base, filters[0]), name="block0_reshape", dtype=dtype)
        if norm_per_channel:
            x = reshape(x)
        x = BatchNormalization(name="block0_bn", **norm)(x)
        x = layers.LeakyReLU(negative_slope, name="block0_relu", dtype=dtype)(x)
        if not norm_per_channel:
            x = reshape(x)
        for i, (width, stride) in enumerate(zip(filters[1:], strides[:-1], strict=True), start=1):
            x = Conv2DTranspose(
                width, kernel_size, stride, padding="same", use_bias=False, name=f"block{i}_conv", dtype=dtype
            )(x)
            x = BatchNormalization(name=f"block{i}_bn", **norm)(x)
            x = layers.LeakyReLU(negative_slope, name=f"block{i}_relu", dtype=dtype)(x)
        x = Conv2DTranspose(
            channels, kernel_size, strides[-1], padding="same", use_bias=False, name="to_images_conv", dtype=dtype
        )(x)
        images = layers.Activation("tanh", name="to_images", dtype="float32")(x)
        super().__init__(inputs=inputs, outputs=images, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.latent_dim = latent_dim
        self.filters = tuple(filters)
        self.strides = tuple(strides)
        self.kernel_size = kernel_size
        self.num_classes = num_classes
        self.label_dim = label_dim
        self.negative_slope = negative_slope
        self.norm_per_channel = norm_per_channel
        self.norm_epsilon = norm_epsilon
        self.norm_momentum = norm_momentum
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "latent_dim": self.latent_dim,
            "filters": list(self.filters),
            "strides": list(self.strides),
            "kernel_size": self.kernel_size,
            "num_classes": self.num_classes,
            "label_dim": self.label_dim,
            "negative_slope": self.negative_slope,
            "norm_per_channel": self.norm_per_channel,
            "norm_epsilon": self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
            "dtype": self.hidden_dtype,
            "text_dim": self.text_dim,
            "name": self.name,
        }


@keras.saving.register_keras_serializable(package="tfgantl")
class DCGANDiscriminator(keras.Model):
    """Images [and labels] → logits, by strided convolutions.

    Blocks are named `block1` (next to the image) to `blockN`, then `logits` and, if conditional, `label_projection`.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        filters: Channels of each block, which halves the image.
        kernel_size: Side of the kernels.
        num_classes: Number of classes, or `None` for an unconditional discriminator.
        dropout: Share dropped after each block.
        negative_slope: Slope of the leaky ReLUs.
        batch_norm: Normalise every block but the first, as Radford et al. do; the blocks then have no bias. Its
            statistics mix the images of a batch, which gradient penalties do not allow for.
        norm_epsilon: Added to the variance in batch normalisations.
        norm_momentum: Share of the old moving statistics that a training step keeps.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.

    Example:
        >>> discriminator = DCGANDiscriminator(28, 1, (64, 128))
        >>> discriminator(keras.random.normal((4, 28, 28, 1))).shape
        TensorShape([4, 1])
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        filters: Sequence[int],
        kernel_size: int = 5,
        num_classes: int | None = None,
        dropout: float = 0.3,
        negative_slope: float = 0.3,
        batch_norm: bool = False,
        norm_epsilon: float = 1e-3,
        norm_momentum: float = 0.99,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        images = keras.Input((image_size, image_size, channels), name="images")
        x = images
        for i, width in enumerate(filters, start=1):
            x = Conv2D(
                width, kernel_size, 2, padding="same", use_bias=not batch_norm, name=f"block{i}_conv", dtype=dtype
            )(x)
            if batch_norm and i > 1:
                x = BatchNormalization(epsilon=norm_epsilon, momentum=norm_momentum, name=f"block{i}_bn", dtype=dtype)(
                    x
                )
            x = layers.LeakyReLU(negative_slope, name=f"block{i}_relu", dtype=dtype)(x)
            if dropout:
                x = Dropout(dropout, seed=i, name=f"block{i}_dropout", dtype=dtype)(x)
        features = layers.Flatten(name="features", dtype=dtype)(x)
        inputs, logits = discriminator_outputs(images, features, num_classes, text_dim=text_dim)
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.filters = tuple(filters)
        self.kernel_size = kernel_size
        self.num_classes = num_classes
        self.dropout = dropout
        self.negative_slope = negative_slope
        self.batch_norm = batch_norm
        self.norm_epsilon = norm_epsilon
        self.norm_momentum = norm_momentum
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "filters": list(self.filters),
            "kernel_size": self.kernel_size,
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "negative_slope": self.negative_slope,
            "batch_norm": self.batch_norm,
            "norm_epsilon": self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
            "dtype": self.hidden_dtype,
            "text_dim": self.text_dim,
            "name": self.name,
        }
