"""What a network is made of: blocks, normalisations, kernels, its ends. Networks answer, and methods ask.

A network made of Keras' own layers needs to say nothing: its structure is read from its layers. One with layers of its
own, or with other networks inside, has a method `structure()` that returns a `Structure`.
"""

from dataclasses import dataclass

import keras
from keras import layers

from tfgantl.errors import ConfigError
from tfgantl.models.kernels import Kernel, is_kernel_layer, keras_kernels
from tfgantl.models.layers import Noise

NORMALISATIONS = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)
# What may stand behind the feature of a block, and belongs to the block all the same.
AFTER_FEATURES = (
    layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.UpSampling2D, layers.MaxPooling2D,
    layers.AveragePooling2D, layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D, layers.Flatten,
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A kernel and what comes with it: normalisation, activation, dropout.

    Args:
        layers: In the order in which they are called.
        feature: Symbolic output that stands for the block, (batch, height, width, channels) or (batch, units): after
            the activation, before dropout and pooling. `None` where it is not part of the network's own graph, or says
            nothing of the image, as in a mapping of latents.
    """

    layers: tuple[keras.layers.Layer, ...]
    feature: keras.KerasTensor | None


@dataclass(frozen=True)
class LatentInput:
    """Where latents enter a network: a kernel that they are multiplied by, and what can take up a shift of them.

    Args:
        kernel: Variable (latents [+ label_dim], units); the first rows are those of the latents.
        shift: Variable (units,): a bias, or the moving mean of the normalisation behind the kernel.
        factor: What must be added to `shift` for each unit that is to be added to the product: 1 for a bias, -1 for a
            mean, the gain of the kernel if it has one.
        latents: How many there are.
    """

    kernel: keras.Variable
    shift: keras.Variable
    factor: float
    latents: int


@dataclass(frozen=True)
class Structure:
    """What transfer methods, penalties and refitting ask of a generator or a discriminator.

    Args:
        network: The network itself.
        blocks: All but the output layers: from the latents of a generator on, and from the image of a discriminator.
        norms: Layers with a scale and a shift that can be trained alone.
        outputs: Layers that make the image, or the logits with the projection of labels; the first has the kernel. They
            are left out where filters are compared, and trained where all else of a discriminator is frozen.
        kernels: All kernels that can be adapted, also those of `outputs`.
        label_tables: Embeddings of labels (classes, units).
        latent_inputs: Where latents enter a generator; empty if a scale and shift of them cannot be merged.
        latent_mapping: Layers that map noise to the latents that blocks see; empty in most networks.
        styles: Symbolic output (batch, layers, units) of the mapping, where each layer reads a vector of its own;
            `None` in most networks.
        patches: Symbolic output (batch, height, width, channels) of a discriminator whose places see parts of the
            image; `None` for the deepest map of the blocks.
        core: The network without what was put before it, such as a miner: the one that its family knows.
    """

    network: keras.Model
    blocks: tuple[Block, ...]
    norms: tuple[keras.layers.Layer, ...]
    outputs: tuple[keras.layers.Layer, ...]
    kernels: tuple[Kernel, ...]
    label_tables: tuple[keras.Variable, ...] = ()
    latent_inputs: tuple[LatentInput, ...] = ()
    latent_mapping: tuple[keras.layers.Layer, ...] = ()
    styles: keras.KerasTensor | None = None
    patches: keras.KerasTensor | None = None
    core: keras.Model | None = None

    @property
    def makes_images(self) -> bool:
        """Whether the network is a generator: its output has the rank of images."""
        return len(self.network.outputs[0].shape) == 4

    @property
    def latent_dim(self) -> int:
        """Length of the noise vector of a generator, which is called with standard normal noise."""
        return self.network.inputs[0].shape[-1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images that the network makes or takes."""
        images = self.network.outputs[0] if self.makes_images else self.network.inputs[0]
        return tuple(images.shape[1:])

    @property
    def num_classes(self) -> int | None:
        """Number of classes of a conditional network, else `None`."""
        return getattr(self.network, "num_classes", None)

    @property
    def inner_kernels(self) -> tuple[Kernel, ...]:
        """All kernels but those of the output layers."""
        ends = {id(variable) for layer in self.outputs for variable in layer.variables}
        return tuple(kernel for kernel in self.kernels if id(kernel.variable) not in ends)

    @property
    def last_features(self) -> keras.KerasTensor | None:
        """What the output layers see: (batch, units) of a discriminator; `None` if there are no output layers."""
        return self.outputs[0].input if self.outputs else None


def structure_of(network: keras.Model) -> Structure:
    """Asks a network what it is made of; reads it from the layers of one that does not say.

    Args:
        network: A network of this package, or any functional or sequential model.

    Raises:
        ConfigError: If it is neither, and has no method `structure`.
    """
    if hasattr(network, "structure"):
        return network.structure()
    if not getattr(network, "inputs", None) or not getattr(network, "outputs", None):
        raise ConfigError(
            f"the {network.name} must be a functional or sequential model, or have a method `structure`. "
            f"Received: {type(network).__name__}"
        )
    groups, tables = _groups(network)
    takes_images = len(network.inputs[0].shape) == 4
    outputs = [*groups.pop(), *(tables if takes_images else [])] if groups else []
    blocks = tuple(Block(tuple(group), _feature(group)) for group in groups)
    return Structure(
        network=network,
        blocks=blocks,
        norms=normalisations(network),
        outputs=tuple(outputs),
        kernels=tuple(keras_kernels(network)),
        label_tables=label_tables(network),
        latent_inputs=() if takes_images or not blocks else _latent_inputs(network, blocks[0].layers),
        core=network,
    )


def structure_of_named_blocks(network: keras.Model, beside: tuple[keras.layers.Layer, ...] = ()) -> Structure:
    """Reads a network whose blocks cannot be told from its graph, since shortcuts pass their normalisations by.

    Args:
        network: One whose layers are named `block…_…`, in the order of the blocks, `to_images…` or `logits`, and
            `label_projection`; what has another name has no weights, or embeds labels.
        beside: Layers of the network that its output does not depend on; they count as outputs, and are not adapted.
    """
    groups: dict[str, list[keras.layers.Layer]] = {}
    ends: list[keras.layers.Layer] = []
    for layer in network.layers:
        if layer.name.startswith("block"):
            groups.setdefault(layer.name.partition("_")[0], []).append(layer)
        elif layer.name.startswith(("to_images", "logits", "label_projection")) and layer.weights:
            ends.append(layer)
    blocks = tuple(Block(tuple(group), _feature(group)) for group in groups.values())
    takes_images = len(network.inputs[0].shape) == 4
    # Places of the last maps see the whole image; those of 16 pixels are what CDC's authors judge patches by.
    least = min(16, network.inputs[0].shape[1] // 2)
    patches = [x for x in (block.feature for block in blocks) if takes_images and x is not None and x.shape[1] >= least]
    own = {id(weight) for layer in network.layers for weight in layer.weights}
    return Structure(
        network=network,
        blocks=blocks,
        norms=tuple(layer for layer in network.layers if isinstance(layer, (*NORMALISATIONS, Noise))),
        outputs=(*sorted(ends, key=lambda layer: layer.name.startswith("label_projection")), *beside),
        kernels=tuple(kernel for kernel in keras_kernels(network) if id(kernel.variable) in own),
        label_tables=label_tables(network),
        latent_inputs=() if takes_images else _latent_inputs(network, blocks[0].layers),
        patches=patches[-1] if patches else None,
        core=network,
    )


def _groups(network: keras.Model) -> tuple[list[list[keras.layers.Layer]], list[keras.layers.Layer]]:
    """Layers by the kernel that they come with, and embeddings.

    A group begins at a kernel through which everything passes that comes later. So a chain has a group for each kernel,
    and what lies between two such kernels, such as a residual block with its shortcut, is one group.
    """
    groups: list[list[keras.layers.Layer]] = []
    tables: list[keras.layers.Layer] = []
    operations = (getattr(network, "_functional", None) or network).operations  # a sequential model holds a functional
    inside = {id(operation) for operation in operations}
    # By whom each output is still to be used; layers may have been called in other models, too.
    awaited = {id(op): {id(node.operation) for node in op._outbound_nodes} & inside for op in operations}
    waiting: set[int] = set()
    labels = {id(x._keras_history.operation) for x in network.inputs[1:]}  # they only accompany images or latents
    for operation in operations:
        producers = {id(node.operation) for node in operation._inbound_nodes[0].parent_nodes}
        if producers and producers <= labels:  # an embedding, or what becomes of it
            tables.append(operation)
            labels.add(id(operation))
        elif is_kernel_layer(operation) and not waiting - producers:
            groups.append([operation])
        elif groups and isinstance(operation, keras.layers.Layer) and not isinstance(operation, layers.InputLayer):
            groups[-1].append(operation)
        for producer in producers & inside:
            awaited[producer].discard(id(operation))
            if not awaited[producer]:
                waiting.discard(producer)
        if id(operation) not in labels:
            waiting.add(id(operation))
    return groups, tables


def normalisations(network: keras.Model) -> tuple[keras.layers.Layer, ...]:
    """Normalisations of Keras in a network, however deep, that have a scale or a shift."""
    matching = (layer for layer in network._flatten_layers(include_self=False) if isinstance(layer, NORMALISATIONS))
    return tuple(layer for layer in matching if layer.center or layer.scale)


def label_tables(network: keras.Model) -> tuple[keras.Variable, ...]:
    """Tables (classes, units) of all embeddings of Keras in a network, however deep."""
    matching = (layer for layer in network._flatten_layers(include_self=False) if isinstance(layer, layers.Embedding))
    return tuple(layer.embeddings for layer in matching)


def _feature(group: list[keras.layers.Layer]) -> keras.KerasTensor:
    return next(layer for layer in reversed(group) if not isinstance(layer, AFTER_FEATURES)).output


def _latent_inputs(network: keras.Model, first_block: tuple[keras.layers.Layer, ...]) -> tuple[LatentInput, ...]:
    """The dense layer that sees the latents, alone or with the embedding of a label behind them."""
    dense, latents = first_block[0], network.inputs[0]
    seen = dense.input
    operation = seen._keras_history.operation
    if isinstance(operation, layers.Concatenate):
        seen = operation.input[0]
    if not isinstance(dense, layers.Dense) or seen is not latents:
        return ()
    if dense.use_bias:
        return (LatentInput(dense.kernel, dense.bias, 1.0, latents.shape[-1]),)
    for layer in first_block[1:]:
        if isinstance(layer, layers.BatchNormalization) and layer.moving_mean.shape == (dense.units,):
            return (LatentInput(dense.kernel, layer.moving_mean, -1.0, latents.shape[-1]),)
    return ()
