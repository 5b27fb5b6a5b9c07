"""The same architecture again, with fresh weights or with the same ones."""

import keras


def fresh_copy(network: keras.Model, dtype: str) -> keras.Model:
    """A network of the same architecture with fresh weights.

    Args:
        network: Any model of this package; other functional models keep their own dtype.
        dtype: Keras dtype policy of the hidden layers.
    """
    config = network.get_config()
    if "dtype" in config:
        return type(network).from_config({**config, "dtype": dtype})
    return keras.models.clone_model(network)


def float32_copy(network: keras.Model) -> keras.Model:
    """A network of the same architecture and weights that computes in float32 whatever the original computes in."""
    copy = fresh_copy(network, "float32")
    copy.set_weights(network.get_weights())
    return copy
