"""Networks of classifiers that are moved between domains: images → features, and features → logits."""

import keras
from keras import layers


def convolutional_features(image_size: int, channels: int, width: int = 32, units: int = 128) -> keras.Model:
    """Two convolutions of 3 x 3 a stage with batch normalisation, halving until at most 8 pixels a side.

    Batch normalisation is what lets a network take on the statistics of another domain
    (Li et al., 2017, https://arxiv.org/abs/1603.04779).

    Args:
        image_size: Height and width in pixels, at least 4.
        channels: 1 or 3.
        width: Channels of the first stage; doubled at the second one.
        units: Number of features.

    Returns:
        Functional model: images float32 (batch, image_size, image_size, channels) in [-1, 1] → features float32
        (batch, units).
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x, side, stage = images, image_size, 1
    while side > 8 or stage == 1:
        x = layers.Conv2D(width * min(stage, 2), 3, padding="same", use_bias=False, name=f"block{stage}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{stage}_norm")(x)
        x = layers.ReLU(name=f"block{stage}_relu")(x)
        x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
        side, stage = side // 2, stage + 1
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.3, seed=1, name="dropout")(x)
    x = layers.Dense(units, use_bias=False, name="bottleneck")(x)
    x = layers.BatchNormalization(momentum=0.9, name="bottleneck_norm")(x)
    return keras.Model(images, layers.ReLU(name="features")(x), name="features")


def dense_features(image_size: int, channels: int, units: int = 128) -> keras.Model:
    """One dense layer on all pixels: the small classifier that introductions to MNIST begin with.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        units: Number of features.

    Returns:
        Functional model as that of `convolutional_features`.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x = layers.Flatten(name="flatten")(images)
    x = layers.Dense(units, activation="relu", name="block1_dense")(x)
    return keras.Model(images, layers.Dropout(0.2, seed=1, name="dropout")(x), name="features")


def linear_head(units: int, num_classes: int) -> keras.Model:
    """Features float32 (batch, units) → logits float32 (batch, num_classes)."""
    features = keras.Input((units,), name="features")
    return keras.Model(features, layers.Dense(num_classes, name="logits")(features), name="head")
