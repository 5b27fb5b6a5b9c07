"""Parts of a network that a stage can freeze, by what they are and not by their names. Imports no TensorFlow.

A part is a function of the `Structure` of a network that gives layers; freezing one freezes all within it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    from keras.layers import Layer

    from tfgantl.models.structure import Structure

Part = Callable[["Structure"], "list[Layer]"]


def everything(structure: Structure) -> list[Layer]:
    """All layers."""
    return list(structure.network._flatten_layers(include_self=False, recursive=False))  # also those beside the graph


def all_but_norms(structure: Structure) -> list[Layer]:
    """All layers but the normalisations, whose statistics stay alive, too; all of them if there are none."""
    return _all_but(structure, structure.norms)


def all_but_outputs(structure: Structure) -> list[Layer]:
    """All layers but those that make the image, or the logits."""
    return _all_but(structure, structure.outputs)


def all_but_latent_mapping(structure: Structure) -> list[Layer]:
    """All layers but those that map noise to latents, such as a miner."""
    return _all_but(structure, structure.latent_mapping)


def all_blocks(structure: Structure) -> list[Layer]:
    """The layers of all blocks."""
    return [layer for block in structure.blocks for layer in block.layers]


def first_blocks(count: int) -> Part:
    """The first blocks: next to the latents of a generator, or next to the image of a discriminator.

    Args:
        count: Number of blocks.

    Returns:
        A part, which raises `ConfigError` for a network with fewer blocks.
    """

    def part(structure: Structure) -> list[Layer]:
        if len(structure.blocks) < count:
            raise ConfigError(
                f"the {structure.network.name} must have {count} blocks to freeze. Received: {len(structure.blocks)}"
            )
        return [layer for block in structure.blocks[:count] for layer in block.layers]

    return part


def _all_but(structure: Structure, spared: tuple[Layer, ...]) -> list[Layer]:
    """Layers at any depth that neither are, nor lie in, nor hold one that is spared."""
    within = {id(inner) for layer in spared for inner in layer._flatten_layers()}
    inner_layers = structure.network._flatten_layers(include_self=False)
    return [layer for layer in inner_layers if not any(id(inner) in within for inner in layer._flatten_layers())]
