"""The blocks of a network, for methods that look at what is inside of it."""

import keras

from tfgantl.errors import ConfigError


def block_features(network: keras.Model, largest_map: int | None = None) -> keras.Model:
    """The same network, sharing its layers, that gives the outputs of its blocks `block0_…`, `block1_…`.

    Args:
        network: Network of this package.
        largest_map: Side of the largest feature map to give, maps only; `None` for all blocks.

    Raises:
        ConfigError: If there is none.
    """
    last = {}  # block → its last layer: reshaped or activated
    for layer in network.layers:
        block, _, part = layer.name.partition("_")
        if block.startswith("block") and part in ("relu", "reshape"):
            last[block] = layer.output
    if largest_map is not None:
        last = {b: x for b, x in last.items() if len(x.shape) == 4 and 1 < x.shape[1] <= largest_map}
    if not last:
        raise ConfigError(
            f"the {network.name} must have blocks with feature maps of 2 to {largest_map or 'any number of'} pixels. "
            f"Received: {', '.join(layer.name for layer in network.layers)}"
        )
    return keras.Model(network.inputs, list(last.values()))
