"""The discriminator of FastGAN: residual blocks with spectral norms, and decoders that reconstruct real images."""

from collections.abc import Sequence
from math import log2
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfgantl.models.conditional import discriminator_outputs
from tfgantl.models.layers import (
    BatchNormalization,
    Conv2D,
    DoublingConv2D,
    GatedLinearUnit,
    SpectralConv2D,
    SpectralDense,
)
from tfgantl.models.specifications.base import doubled_widths
from tfgantl.models.specifications.fastgan import check_size
from tfgantl.models.structure import Structure, structure_of_named_blocks


@keras.saving.register_keras_serializable(package="tfgantl")
class FastGANDiscriminator(keras.Model):
    """Images [and labels] → logits.

    Blocks are named `block1` (next to the image) to `blockN`, each of which halves the side, down to 4 x 4; then
    `logits` and, if conditional, `label_projection`. A block but the first is the mean of two convolutions and of a
    `skip` of averaged places.

    Two decoders, which logits do not depend on, make features say what real images show: one makes the whole image, at
    half of its side, of the last map but one (8 x 8 for images of 32 px and more), the other a random quadrant of the
    image of the same quadrant of the map before (16 x 16). A `GAN` adds their loss to that of the discriminator.

    Convolutions but the first come with a batch normalisation. It is not for speed: behind a dozen kernels with a
    spectral norm of 1, images differ by a hundredth of what the first map shows, beside a mean that they all share,
    and the discriminator stays at chance; normalisations of one image keep the common part. In training real and
    generated images are normalised apart, as each have a pass of their own.

    Args:
        image_size: Height and width in pixels, a power of 2 from 8 to 1024.
        channels: 1 or 3.
        width: Channels next to the image; twice as many wherever the side is halved,
        most: and at most this many.
        num_classes: Number of classes, or `None` for an unconditional discriminator.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.

    Attributes:
        decoders: Network `[map, quadrant of a larger map]` → whole image and quadrant, both
            (batch, image_size / 2, image_size / 2, channels) in [-1, 1].
        supervised_maps: Symbolic outputs of the blocks that decoders see.

    Raises:
        ConfigError: If images can have no such size.

    Example:
        >>> discriminator = FastGANDiscriminator(32, 3, width=8)
        >>> discriminator(keras.random.normal((4, 32, 32, 3))).shape
        TensorShape([4, 1])

    Reference:
        Liu et al., 2021, https://arxiv.org/abs/2101.04775
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        width: int = 32,
        most: int = 1024,
        num_classes: int | None = None,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        check_size(image_size)
        images = keras.Input((image_size, image_size, channels), name="images")
        first, *others = doubled_widths(image_size, width, most)[:0:-1]
        x = SpectralConv2D(first, 4, 2, padding="same", name="block1_conv", dtype=dtype)(images)
        x = layers.LeakyReLU(0.2, name="block1_relu", dtype=dtype)(x)
        maps = [x]
        for block, filters in enumerate(others, start=2):
            name_ = f"block{block}"
            skip = layers.AveragePooling2D(2, name=f"{name_}_skip_pool", dtype=dtype)(x)
            skip = _normalised(skip, filters, 1, 1, f"{name_}_skip", dtype)
            x = _normalised(x, filters, 4, 2, f"{name_}_first", dtype)
            x = _normalised(x, filters, 3, 1, f"{name_}_second", dtype)
            x = layers.Average(name=f"{name_}_mean", dtype=dtype)([x, skip])
            maps.append(x)
        features = layers.Flatten(name="features", dtype="float32")(x)
        inputs, logits = discriminator_outputs(images, features, num_classes, SpectralDense, text_dim)
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        whole, large = maps[-2:][0], maps[-3:][0]  # the first map, where there are not as many
        self.supervised_maps = [whole, large]
        self.decoders = _decoders(whole.shape[1:], large.shape[1:], image_size // 2, channels, dtype)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.width = width
        self.most = most
        self.num_classes = num_classes
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def self_supervision(self, images: tf.Tensor, maps: Sequence[tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        """Mean absolute errors of both decoders, added up; the authors' distance is one of features of a network.

        Args:
            images: What the maps are of, (batch, height, width, channels).
            maps: What `supervised_maps` stands for.
            seed: int (2,), chooses the quadrant of a batch.

        Returns:
            Scalar float32.
        """
        whole, large = maps
        row, column = tf.unstack(tf.random.stateless_uniform((2,), seed, maxval=2, dtype=tf.int32))

        def quadrant(x: tf.Tensor) -> tf.Tensor:
            half = x.shape[1] // 2
            return x[:, row * half : (row + 1) * half, column * half : (column + 1) * half]

        large = tf.ensure_shape(quadrant(large), self.decoders.inputs[1].shape)
        made = self.decoders([whole, large], training=True)
        real = tf.nn.avg_pool2d(images, 2, 2, "VALID"), quadrant(images)
        return tf.add_n([tf.reduce_mean(tf.abs(one - other)) for one, other in zip(made, real, strict=True)])

    def structure(self) -> Structure:
        """Blocks are the residual ones, each with its shortcut; decoders are behind them, as logits are."""
        return structure_of_named_blocks(self, (self.decoders,))

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


def _normalised(x: keras.KerasTensor, filters: int, side: int, stride: int, name: str, dtype: str) -> keras.KerasTensor:
    x = SpectralConv2D(filters, side, stride, padding="same", use_bias=False, name=f"{name}_conv", dtype=dtype)(x)
    x = BatchNormalization(momentum=0.9, name=f"{name}_bn", dtype=dtype)(x)
    return layers.LeakyReLU(0.2, name=f"{name}_relu", dtype=dtype)(x)


def _decoders(
    whole: tuple[int, int, int], large: tuple[int, int, int], side: int, channels: int, dtype: str
) -> keras.Model:
    """Both decoders as one network, from maps of these shapes to images of this side."""
    inputs, outputs = [], []
    for name, (size, _, filters) in (("whole", whole), ("quadrant", (large[0] // 2, 0, large[2]))):
        x = keras.Input((size, size, filters), name=f"{name}_map")
        inputs.append(x)
        for i in range(int(log2(side // size))):
            filters = max(filters // 2, 1)
            x = DoublingConv2D(2 * filters, 3, use_bias=False, name=f"{name}_conv{i}", dtype=dtype)(x)
            x = BatchNormalization(momentum=0.9, name=f"{name}_bn{i}", dtype=dtype)(x)
            x = GatedLinearUnit(name=f"{name}_gate{i}", dtype=dtype)(x)
        x = Conv2D(channels, 3, padding="same", name=f"{name}_to_images_conv", dtype=dtype)(x)
        outputs.append(layers.Activation("tanh", name=f"{name}_to_images", dtype="float32")(x))
    return keras.Model(inputs, outputs, name="decoders")
