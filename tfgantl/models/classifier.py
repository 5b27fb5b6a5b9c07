"""The small image classifier that accuracies and features are measured with."""

import json
from typing import Any

import keras
from keras import layers

from tfgantl.models.layers.dropout import Dropout

# What the layers of a `small_cnn` compute with beside their weights, by their kinds.
USUAL: dict[str, dict[str, Any]] = {
    "InputLayer": {}, "Dropout": {}, "Flatten": {"data_format": "channels_last"},
    "Conv2D": {
        "kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "dilation_rate": [1, 1], "groups": 1,
        "data_format": "channels_last", "activation": "linear", "use_bias": True,
    },
    "ReLU": {"negative_slope": 0.0, "threshold": 0.0, "max_value": None},
    "MaxPooling2D": {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid", "data_format": "channels_last"},
    "Dense": {"activation": "relu", "use_bias": True},
}  # fmt: skip


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


def differing_layers(classifier: keras.Model) -> str:
    """What the layers of a classifier compute with where that is not as in a `small_cnn`; empty if it is.

    Weights say nothing of activations, strides and the like, and no network is built to compare with: that would draw
    random numbers.
    """
    kinds = [type(layer).__name__ for layer in classifier.layers]
    told = [
        {name: layer.get_config().get(name) for name in USUAL.get(kind, {})}
        for kind, layer in zip(kinds, classifier.layers, strict=True)
    ]
    wanted = [dict(USUAL.get(kind, {"kind": kind})) for kind in kinds]
    if kinds[-1] == "Dense":
        wanted[-1]["activation"] = "linear"
    stages = (len(kinds) - 5) // 3
    usual = ["InputLayer", *["Conv2D", "ReLU", "MaxPooling2D"] * stages, "Flatten", "Dropout", "Dense", "Dense"]
    found, expected = (json.dumps(part, sort_keys=True) for part in (told, wanted))
    return "" if kinds == usual and found == expected else json.dumps([kinds, found])
