"""A discriminator on frozen features of VGG16: transfer into the discriminator, which needs no trained GAN."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from tfgantl.models.feature_resolution import STEP, check_resolution
from tfgantl.models.kernels import Kernel
from tfgantl.models.layers import LinearResizing, SpectralConv2D
from tfgantl.models.structure import Structure
from tfgantl.models.vgg import ConstantConv2D, load_vgg16_weights, vgg16

# Layers of VGG16, and the root mean squares of their maps for photographs of 64 and 128 pixels.
MAPS = {"block2_conv2": 500.0, "block3_conv3": 600.0, "block4_conv3": 120.0, "block5_conv3": 10.0}
LEAST_DEFAULT = 64  # below it, the deepest maps have hardly any places left
COARSE = 4  # side of the maps that logits are made of, or just above


@keras.saving.register_keras_serializable(package="tfgantl")
class ProjectedDiscriminator(keras.Model):
    """Images [and labels] → logits of four heads, each of which sees VGG16 at another depth.

    The maps of four depths are divided by their usual size and mixed across channels by fixed random 1 x 1
    convolutions, then across depths, from the deepest up, by upsampling, sums and fixed random 3 x 3 convolutions. On
    each of the four sums there is a head, `head1` (next to the image) to `head4`, of convolutions with a spectral norm
    of about 1, which halve finer maps more often: all heads end with as many places, a logit each. With classes, the
    projection of the label on the mean of the features is added to the logits of a head.

    Weights of VGG16 are 0 until `load_features` is called. They and the random convolutions are constants: saved
    with the network, and never trained.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        num_classes: Number of classes, or `None` for an unconditional discriminator.
        resolution: Side in pixels that VGG16 sees, a multiple of 16 from 32 to 1024; `None` for that of the images,
            rounded up, and at least 64.
        width: Channels of the mixed maps and of the heads.
        seed: Chooses the random convolutions.
        dtype: Keras dtype policy of all but resizing and logits.

    Raises:
        ConfigError: If `resolution` is none of those.

    Example:
        >>> discriminator = ProjectedDiscriminator(28, 1, width=8)  # and then load_features("imagenet")
        >>> discriminator(keras.random.normal((2, 28, 28, 1))).shape
        TensorShape([2, 64])

    Reference:
        Sauer et al., 2021, https://arxiv.org/abs/2111.01007
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int | None = None,
        resolution: int | None = None,
        width: int = 64,
        seed: int = 0,
        dtype: str = "float32",
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        resolution = resolution or max(LEAST_DEFAULT, -(-image_size // STEP) * STEP)
        check_resolution(resolution)
        images = keras.Input((image_size, image_size, channels), name="images")
        x = images
        if resolution != image_size:
            x = LinearResizing(resolution, resolution, name="resized", dtype="float32")(x)
        with keras.name_scope("vgg16"):  # or weights of both would have one path beside some discriminators
            features = vgg16(tuple(MAPS), None, (resolution, resolution, channels), dtype=dtype, constant=True)
        maps = features(x)
        inputs: Any = images
        labels = None
        if num_classes is not None:
            labels = keras.Input((), dtype="int32", name="labels")
            inputs = [images, labels]
        mixed = _mixed(maps, width, seed, dtype)
        logits = [_head(number, x, labels, num_classes, dtype) for number, x in enumerate(mixed, start=1)]
        super().__init__(
            inputs=inputs, outputs=layers.Concatenate(name="logits", dtype="float32")(logits), name=name, **kwargs
        )

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.num_classes = num_classes
        self.resolution = resolution
        self.width = width
        self.random_seed = seed
        self.hidden_dtype = dtype

    def load_features(self, weights: str) -> None:
        """Takes the weights of VGG16, as those of `tfgantl.models.vgg.vgg16` are named.

        Raises:
            ArtifactError: If they are missing, damaged or of another network.
        """
        load_vgg16_weights(self.get_layer("vgg16"), weights)

    def structure(self) -> Structure:
        """Heads are outputs: there is no block behind them that could be frozen, compared, or judge patches."""
        heads = [layer for layer in self.layers if layer.name.startswith("head") and layer.weights]
        tables = [layer for layer in heads if isinstance(layer, layers.Embedding)]
        convolutions = [layer for layer in heads if layer not in tables]
        return Structure(
            network=self,
            blocks=(),
            norms=(),
            outputs=(*convolutions, *tables),
            kernels=tuple(Kernel(x.kernel, 3) for x in convolutions),
            label_tables=tuple(x.embeddings for x in tables),
            core=self,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "num_classes": self.num_classes,
            "resolution": self.resolution,
            "width": self.width,
            "seed": self.random_seed,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }


def _mixed(maps: list[keras.KerasTensor], width: int, seed: int, dtype: str) -> Iterator[keras.KerasTensor]:
    """Maps (batch, side, side, channels) of four depths → (batch, side, side, width), mixed, in the same order."""
    mixed: list[keras.KerasTensor] = []
    for level, (x, size) in reversed(list(enumerate(zip(maps, MAPS.values(), strict=True), start=1))):
        x = layers.Rescaling(1.0 / size, name=f"scaled{level}", dtype=dtype)(x)
        x = _random(width, 1, 1.0, seed + 2 * level, f"channels{level}", dtype)(x)
        if mixed:
            side = x.shape[1]
            above = LinearResizing(side, side, name=f"upsampled{level}", dtype=dtype)(mixed[0])
            x = layers.Add(name=f"sum{level}", dtype=dtype)([x, above])
            x = _random(width, 3, 0.5, seed + 2 * level + 1, f"depths{level}", dtype)(x)
        mixed.insert(0, x)
    return iter(mixed)


def _random(width: int, side: int, scale: float, seed: int, name: str, dtype: str) -> ConstantConv2D:
    """A random convolution that keeps the mean square of what it sees, times `scale`."""
    initializer = keras.initializers.VarianceScaling(scale, "fan_in", "untruncated_normal", seed=seed)
    return ConstantConv2D(width, side, padding="same", kernel_initializer=initializer, name=name, dtype=dtype)


def _head(
    number: int, x: keras.KerasTensor, labels: keras.KerasTensor | None, num_classes: int | None, dtype: str
) -> keras.KerasTensor:
    """Logits float32 (batch, places) of a mixed map."""
    name, width, last = f"head{number}", x.shape[-1], len(MAPS) - number
    while x.shape[1] // 2**last > COARSE:
        last += 1
    for halving in range(1, last + 1):
        x = SpectralConv2D(width, 4, 2, padding="same", name=f"{name}_conv{halving}", dtype=dtype)(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu{halving}", dtype=dtype)(x)
    x = SpectralConv2D(width, 3, padding="same", name=f"{name}_last_conv", dtype=dtype)(x)
    x = layers.LeakyReLU(0.2, name=f"{name}_last_relu", dtype=dtype)(x)
    logits = SpectralConv2D(1, 1, name=f"{name}_logits", dtype="float32")(x)
    logits = layers.Flatten(name=f"{name}_places", dtype="float32")(logits)
    if labels is None:
        return logits
    features = layers.GlobalAveragePooling2D(name=f"{name}_mean", dtype="float32")(x)
    embedding = layers.Embedding(
        num_classes, width, embeddings_initializer="zeros", name=f"{name}_label_projection", dtype="float32"
    )(labels)
    projection = layers.Dot(axes=1, name=f"{name}_projection", dtype="float32")([features, embedding])
    return layers.Add(name=f"{name}_conditional", dtype="float32")([logits, projection])
