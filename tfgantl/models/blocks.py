"""Features of the blocks of a network, for methods that look at what is inside of it."""

import keras

from tfgantl.errors import ConfigError
from tfgantl.models.structure import structure_of


def block_features(network: keras.Model, largest_map: int | None = None) -> keras.Model:
    """The same network, sharing its layers, that gives the features of its blocks.

    Args:
        network: A generator or a discriminator.
        largest_map: Side of the largest feature map to give, maps only; `None` for all blocks.

    Returns:
        Model: inputs of the network → a feature of each block, (batch, height, width, channels) or (batch, units).

    Raises:
        ConfigError: If there is none.
    """
    features = [block.feature for block in structure_of(network).blocks if block.feature is not None]
    if largest_map is not None:
        features = [x for x in features if len(x.shape) == 4 and 1 < x.shape[1] <= largest_map]
    if not features:
        raise ConfigError(
            f"the {network.name} must have blocks with feature maps of 2 to {largest_map or 'any number of'} pixels. "
            f"Received: {', '.join(layer.name for layer in network.layers)}"
        )
    return keras.Model(network.inputs, features)


def deepest_map(discriminator: keras.Model) -> keras.KerasTensor:
    """Output (batch, height, width, channels) of the last layer within the blocks that still gives a map.

    Where places of that map see the whole image, the network names another one.

    Raises:
        ConfigError: If there is none.
    """
    structure = structure_of(discriminator)
    if structure.patches is not None:
        return structure.patches
    outputs = [layer.output for block in structure.blocks for layer in block.layers]
    maps = [x for x in outputs if len(x.shape) == 4]
    if not maps:
        raise ConfigError(
            f"the {discriminator.name} must have convolution blocks to judge patches. "
            f"Received: {', '.join(layer.name for layer in discriminator.layers)}"
        )
    return maps[-1]
