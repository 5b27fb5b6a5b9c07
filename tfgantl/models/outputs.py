"""What the last layers of a pair must give: images in [-1, 1], and logits."""

import keras

from tfgantl.errors import ConfigError

PROBABILITIES = ("sigmoid", "hard_sigmoid", "softmax")


def check_generator(generator: keras.Model) -> None:
    """Refuses a generator of images in [0, 1], as many tutorials have it.

    Raises:
        ConfigError: If it ends in a sigmoid, or takes labels and does not say how many classes there are.
    """
    activation = last_activation(generator)
    if activation in PROBABILITIES:
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


def last_activation(network: keras.Model) -> str | None:
    """Name of the activation that makes the output of a network, or `None` if there is none, or it cannot be known."""
    layers = getattr(network, "layers", [])
    last = layers[-1] if layers else None
    if isinstance(last, keras.Model):
        return last_activation(last)
    activation = getattr(last, "activation", None)
    return getattr(activation, "__name__", None) if activation is not None else _named_by_class(last)


def _named_by_class(layer: keras.layers.Layer | None) -> str | None:
    return "softmax" if isinstance(layer, keras.layers.Softmax) else None
