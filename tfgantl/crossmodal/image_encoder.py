"""The image encoder: an image in, a point on the unit sphere out, near those of the phrases that are true of it."""

import keras
from keras import layers

from tfgantl.models.layers import BatchNormalization

SMALLEST = 4  # side of the last maps: where something is counts, too
MOST = 96  # channels


def standardised() -> keras.layers.Layer:
    """Components of vectors to mean 0 and deviation 1 over the batch, ahead of the sphere.

    Without it, all vectors of an untrained encoder are nearly the same, whatever they are of; the first steps make them
    more so, as that is the nearest way to a loss that is no worse than chance, and there they stay. What comes before
    needs no bias.
    """
    return BatchNormalization(momentum=0.9, center=False, scale=False, name="standard")


def build_image_encoder(image_size: int, channels: int, dimension: int = 64, width: int = 16) -> keras.Model:
    """A 3 x 3 convolution with batch normalisation a stage, halving until at most 4 pixels a side, and a dense layer.

    Args:
        image_size: Height and width in pixels, at least 4.
        channels: 1 or 3.
        dimension: Length of the vectors.
        width: Channels of the first stage; doubled at each further one, up to 96.

    Returns:
        Functional model: images float32 (batch, image_size, image_size, channels) in [-1, 1] → vectors float32
        (batch, dimension) of length 1.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x, side, stage = images, image_size, 1
    while side > SMALLEST or stage == 1:
        x = layers.Conv2D(min(width, MOST), 3, padding="same", use_bias=False, name=f"block{stage}_conv")(x)
        x = BatchNormalization(momentum=0.9, name=f"block{stage}_norm")(x)
        x = layers.ReLU(name=f"block{stage}_relu")(x)
        x = layers.MaxPooling2D(padding="same", name=f"block{stage}_pool")(x)
        width, side, stage = 2 * width, -(-side // 2), stage + 1
    x = layers.Flatten(name="flatten")(x)
    x = standardised()(layers.Dense(dimension, use_bias=False, name="projection")(x))
    return keras.Model(images, layers.UnitNormalization(name="direction")(x), name="image_encoder")
