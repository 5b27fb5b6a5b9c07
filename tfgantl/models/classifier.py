"""The small image classifier that accuracies and features are measured with."""

import keras
from keras import layers

from tfgantl.models.layers.dropout import Dropout


def small_cnn(image_size: int, channels: int, num_classes: int, width: int = 32, units: int = 64) -> keras.Model:
    """One 3 x 3 convolution a stage, halving until at most 8 pixels a side, then a dense layer.

    There is no batch normalisation: on a hundred images its moving statistics lag behind the weights.

    Args:
        image_size: Height and width in pixels, at least 8.
        channels: 1 or 3.
        num_classes: Number of logits.
        width: Channels of the first stage; doubled at each further one.
        units: Width of the dense layer.

    Returns:
        Functional model: images float32 (batch, image_size, image_size, channels) in [-1, 1] → logits float32
        (batch, num_classes).
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x, side, stage = images, image_size, 1
    while side > 8 or stage == 1:
        x = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal", name=f"block{stage}_conv")(x)
        x = layers.ReLU(name=f"block{stage}_relu")(x)
        x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
        width, side, stage = 2 * width, side // 2, stage + 1
    x = layers.Flatten(name="flatten")(x)
    x = Dropout(0.3, seed=1, name="dropout")(x)
    x = layers.Dense(units, activation="relu", name="dense")(x)
    logits = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(images, logits, name="small_cnn")
