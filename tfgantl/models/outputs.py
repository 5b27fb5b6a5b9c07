"""What the last layers of a pair must give: images in [-1, 1], and logits."""

import keras
import numpy as np

from tfgantl.errors import ConfigError

PROBABILITIES = ("sigmoid", "hard_sigmoid", "softmax")
POSITIVE = (*PROBABILITIES, "relu", "relu6", "softplus", "exponential")  # which never make the dark half of [-1, 1]
_BY_CLASS = {keras.layers.Softmax: "softmax", keras.layers.ReLU: "relu"}
_MOVING = (
    keras.layers.Reshape, keras.layers.Flatten, keras.layers.Permute, keras.layers.Cropping2D, keras.layers.Dropout,
    keras.layers.UpSampling2D, keras.layers.Identity,
)  # fmt: skip


def check_generator(generator: keras.Model) -> None:
    """Refuses a generator of images in [0, 1] or [0, 255], as many tutorials have it.

    Raises:
        ConfigError: If it ends in a sigmoid or the like, or takes labels and does not say how many classes there are.
    """
    activation = last_activation(generator, before_scaling=True)
    if activation in POSITIVE:
        raise ConfigError(
            f"`generator` must make images in [-1, 1], as with tanh. Received: one that ends in {activation}"
        )
    if len(generator.inputs) > 1 and getattr(generator, "num_classes", None) is None:
        raise ConfigError(
            "`generator` must have an attribute `num_classes` if it takes labels: generator.num_classes = 10. "
            f"Received: {len(generator.inputs)} inputs and no `num_classes`"
        )


def check_discriminator(discriminator: keras.Model) -> None:
    """Refuses a discriminator that gives probabilities, which every loss would take for logits.

    Raises:
        ConfigError: If it ends in a sigmoid or a softmax.
    """
    activation = last_activation(discriminator)
    if activation in PROBABILITIES:
        raise ConfigError(
            "`discriminator` must give logits, without an activation at the end. "
            f"Received: one that ends in {activation}"
        )


def last_activation(network: keras.Model, before_scaling: bool = False) -> str | None:
    """Name of the activation that makes the output of a network, or `None` if there is none, or it cannot be known.

    Args:
        network: Any network. Layers that only move pixels are passed over.
        before_scaling: Whether layers that multiply pixels, and add nothing, are passed over, too.
    """
    for last in reversed(getattr(network, "layers", [])):
        if isinstance(last, _MOVING):
            continue
        if before_scaling and isinstance(last, keras.layers.Rescaling) and not np.any(last.offset):
            continue
        if isinstance(last, keras.Model):
            return last_activation(last, before_scaling)
        activation = getattr(last, "activation", None)
        return getattr(activation, "__name__", None) if activation is not None else _BY_CLASS.get(type(last))
    return None
