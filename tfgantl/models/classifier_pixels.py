"""Which pixels a classifier from outside takes: read from what it does to them first, or said by who knows it."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import keras
import numpy as np

from tfgantl.errors import ConfigError
from tfgantl.models.copies import assign_weights
from tfgantl.progress import log

RANGES = {"0..255": (0.0, 255.0), "0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0)}
OURS = "-1..1"
NEAR = 0.02  # how far a number may be off
# What a place of the image has after these follows from what it had before, by a factor and a summand of its channel.
LAYERS = {
    "ActivityRegularization", "AlphaDropout", "BatchNormalization", "CenterCrop", "Concatenate", "Cropping2D",
    "Dropout", "GaussianDropout", "GaussianNoise", "Identity", "Normalization", "Permute", "RandomBrightness",
    "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomPerspective", "RandomPosterization",
    "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
    "Rescaling", "Reshape", "Resizing", "SpatialDropout2D", "UpSampling2D",
}  # fmt: skip
OPERATIONS = {
    "Add", "Cast", "Concatenate", "Divide", "ExpandDims", "Flip", "GetItem", "Multiply", "Negative", "Repeat",
    "Squeeze", "Stack", "Subtract", "Transpose", "TrueDivide",
}  # fmt: skip


def is_classifier(network: keras.Model) -> bool:
    """Whether a network maps images to one number for each class."""
    inputs, output = getattr(network, "inputs", None) or [], getattr(network, "output_shape", None)
    return isinstance(output, tuple) and len(output) == 2 and len(inputs) == 1 and len(inputs[0].shape) == 4


def in_our_range(network: keras.Model, where: str, pixels: str | None = None) -> keras.Model:
    """A classifier that takes images in [-1, 1]; what was decided is said.

    Args:
        network: Any network; classifiers of this package, and what are none, are given back as they are.
        where: Where it is from, for messages.
        pixels: What it takes, of `RANGES`; `None` to read it from its first layers: `Rescaling`, `Normalization`,
            arithmetic with constants, behind layers that augment, and inside of networks that are layers.

    Returns:
        The network, or a copy behind a layer that maps pixels to those it takes, which its attribute `pixels` says.

    Raises:
        ConfigError: If `pixels` is given for what is no such classifier.
    """
    ours = keras.saving.get_registered_name(type(network)).startswith("tfgantl>")
    if ours or not is_classifier(network):
        if pixels is not None:
            raise ConfigError(
                f"`pixels` must only be given for a classifier of a .keras file. Received: it, for {where}"
            )
        return network
    taken = pixels or pixels_taken(network)
    if taken is None:
        log(f"{where}: which pixels the classifier takes cannot be told; [-1, 1] unless --pixels says another range")
        taken = OURS
    elif pixels is None:
        mapped = "" if taken == OURS else ", which those in [-1, 1] are mapped to"
        log(f"{where}: the classifier takes pixels in {in_brackets(taken)}{mapped}")
    network = network if taken == OURS else _behind_mapping(network, *RANGES[taken])
    network.pixels = in_brackets(taken)
    return network


def in_brackets(pixels: str) -> str:
    """A range as prose has it."""
    low, high = RANGES[pixels]
    return f"[{low:g}, {high:g}]"


def pixels_taken(network: keras.Model) -> str | None:
    """The range that what a network does to its pixels first is made for; `None` if that does not tell.

    Example:
        >>> layers = keras.layers
        >>> pixels_taken(keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)]))
        '0..255'
    """
    found = {made_for(*mapping) for mapping in _mappings(network)}
    return found.pop() if len(found) == 1 else None


def made_for(scale: float, offset: float) -> str | None:
    """The range whose pixels are brought by scale · pixel + offset to where networks have their inputs.

    Example:
        >>> made_for(1 / 127.5, -1.0), made_for(2.0, -1.0), made_for(0.5, 0.5), made_for(1.0, 0.0)
        ('0..255', '0..1', '-1..1', None)
    """
    if not abs(scale) > 0 or not np.isfinite([scale, offset]).all():
        return None
    zero, one = -offset / scale, 1 / abs(scale)  # the pixel that becomes 0, and how many steps become one of 1
    if 16 <= one <= 512 and -1 <= zero <= 256:
        return "0..255"
    if abs(one - 1) < NEAR and 2 < zero < 253:  # a mean is taken off
        return "0..255"
    if abs(zero + 1) < NEAR or (-1 < zero < -NEAR and one <= 1):
        return "-1..1"
    if abs(zero) < NEAR:
        return "0..1" if abs(255 * one - 1) < NEAR else None
    if not 0 < zero < 1 or one > 1 + NEAR:
        return None
    # No more than this is the standard deviation of numbers in [0, 1] with such a mean.
    return "0..1" if abs(zero - 0.5) < NEAR or one <= sqrt(zero * (1 - zero)) else "-1..1"


def _mappings(network: keras.Model) -> Iterator[tuple[float, float]]:
    """Scale and offset of what the layers see that do more to pixels than to scale them."""
    network = keras.Model(network.inputs[0], network.outputs)  # a sequential model as a graph
    known = {id(network.inputs[0])}
    for operation in network.operations:
        for node in operation._inbound_nodes:
            inputs = [tensor for tensor in keras.tree.flatten(node.input_tensors) if id(tensor) in known]
            if not inputs:
                continue
            if _only_scales(operation) and len(inputs) == len(keras.tree.flatten(node.input_tensors)):
                known.update(map(id, keras.tree.flatten(node.output_tensors)))
                continue
            for tensor in inputs:
                scale, offset = _measured(network, tensor)
                if isinstance(operation, keras.Model) and len(operation.inputs) == 1:
                    for inner, more in _mappings(operation):
                        yield inner * scale, inner * offset + more
                else:
                    yield scale, offset


def _only_scales(operation: Any) -> bool:
    if isinstance(operation, keras.Model):
        return all(_only_scales(part) for part in operation.layers if not isinstance(part, keras.layers.InputLayer))
    return type(operation).__name__ in (LAYERS if isinstance(operation, keras.layers.Layer) else OPERATIONS)


def _measured(network: keras.Model, tensor: keras.KerasTensor) -> tuple[float, float]:
    """How a tensor depends on the pixel, in the mean over channels."""
    if tensor is network.inputs[0]:
        return 1.0, 0.0
    part = keras.Model(network.inputs[0], tensor)
    shape = [1, *(side or 32 for side in network.inputs[0].shape[1:])]
    black, white = (float(np.mean(part(np.full(shape, v, np.float32), training=False))) for v in (0.0, 1.0))
    return white - black, black


def _behind_mapping(network: keras.Model, low: float, high: float) -> keras.Model:
    """A copy behind a layer that maps [-1, 1] to another range."""
    mapping = keras.layers.Rescaling((high - low) / 2, (high + low) / 2, name="from_network_range")

    def mapped(value: Any) -> Any:
        history = getattr(value, "_keras_history", None)
        return mapping(value) if history and isinstance(history.operation, keras.layers.InputLayer) else value

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return layer(*keras.tree.map_structure(mapped, args), **keras.tree.map_structure(mapped, kwargs))

    graph = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    # With layers of its own: one that is called in two places does not know what goes into it.
    behind = keras.models.clone_model(graph, call_function=call)
    assign_weights(behind, graph.get_weights())
    return behind
