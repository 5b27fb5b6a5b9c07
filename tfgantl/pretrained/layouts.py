"""From the layout of PyTorch to that of Keras.

A kernel of `Conv2d` is (out, in, height, width), one of `ConvTranspose2d` (in, out, height, width); Keras has
(height, width, in, out) and (height, width, out, in). Both libraries correlate in the forward convolution and take its
gradient for the transposed one, so nothing is flipped. With kernel 4 and stride 2, `padding="same"` is PyTorch's
padding 1; with 3 or 5 and stride 2, Keras pads one side more than the other, as PyTorch never does. Where a feature map
is flattened, PyTorch puts channels first and Keras last.
"""

import re
from dataclasses import replace
from itertools import pairwise

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.models import Networks
from tfgantl.printing import printable
from tfgantl.untrusted.foreign_checkpoints import ForeignNetwork

EPSILON = 1e-5  # of PyTorch's batch normalisation, which state dicts do not keep
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def is_pytorch(arrays: dict[str, np.ndarray]) -> bool:
    """Whether the names are those of a PyTorch state dict: `main.0.weight`."""
    return bool(arrays) and all("." in name and "/" not in name for name in arrays)


def normalised_as_there(networks: Networks, arrays: dict[str, np.ndarray]) -> tuple[Networks, list[str]]:
    """Networks that add to variances what PyTorch adds, unless they say what they add, and a note if so.

    Args:
        networks: Specification, for the weights of a generator.
        arrays: These weights.
    """
    has_norms = any(name.endswith(".running_var") for name in arrays)
    if vars(networks).get("norm_epsilon", EPSILON) is not None or not (is_pytorch(arrays) and has_norms):
        return networks, []
    return replace(networks, norm_epsilon=EPSILON), [f"batch normalisation adds {EPSILON} to variances, as in PyTorch"]


def check_order(network: ForeignNetwork, where: str) -> None:
    """Refuses layers that only their order tells apart, of a file that keeps none.

    Args:
        network: Of a state dict.
        where: Name of the source for messages.

    Raises:
        ArtifactError: If two kernels have the same shape, and no numbers in their names say which comes first.
    """
    if network.is_ordered or not is_pytorch(network.arrays):
        return
    alike: dict[tuple[int, ...], list[str]] = {}
    for name, array in network.arrays.items():
        if array.ndim > 1:
            alike.setdefault(array.shape, []).append(name)
    for names in alike.values():
        for one, other in pairwise(names):  # they are sorted, so that it is neighbours that words would put in order
            parts = zip(*(re.split(r"(\d+)", name) for name in (one, other)), strict=False)
            place = next((i for i, (a, b) in enumerate(parts) if a != b), 0)
            if place % 2 == 0:
                raise ArtifactError(
                    f"{where}: layers of one shape must have numbers in their names, as .safetensors keeps no order. "
                    f"Received: {printable(one)[:60]} and {printable(other)[:60]}"
                )


def from_pytorch(
    arrays: dict[str, np.ndarray], network: keras.Model, where: str = "source"
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, str]]]:
    """Brings a state dict of stacked layers into the layout and under the names of a Keras network.

    Layers are paired in order, which a state dict keeps; kinds and shapes must agree at every one.

    Args:
        arrays: `<module>.<weight | bias | running_mean | running_var>` → array.
        network: Network of this package with the same layers.
        where: Name of the source for messages.

    Returns:
        `(converted, moves)`: path in the network → array, and path → (kind, detail) for the report.

    Raises:
        ArtifactError: If the two do not have the same layers.
    """
    modules: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        module, _, role = name.rpartition(".")
        if role != "num_batches_tracked":
            modules.setdefault(module, {})[role] = array
    goals = [layer for layer in network.layers if layer.weights]
    if len(modules) != len(goals):
        raise ArtifactError(
            f"{where}: must have the {len(goals)} layers with weights of the {network.name}: "
            f"{', '.join(layer.name for layer in goals)}. Received: {len(modules)}: {', '.join(modules)}"
        )
    converted, moves, pending = {}, {}, None
    for (module, parts), layer in zip(modules.items(), goals, strict=True):
        try:
            weights, pending = _convert(parts, layer, network, pending)
        except (KeyError, ValueError) as error:
            shapes = {role: array.shape for role, array in parts.items()}
            raise ArtifactError(
                f"{where}: {module} must fit the layer {layer.name} ({type(layer).__name__}). "
                f"Received: {shapes} ({error})"
            ) from error
        for role, (value, kind) in weights.items():
            converted[f"{layer.name}/{role}"] = value
            moves[f"{layer.name}/{role}"] = (kind, f"from {module}")
    if pending is not None:
        raise ArtifactError(f"{where}: the last layer must have no bias, as the {network.name}. Received: a bias")
    return converted, moves


def _convert(
    parts: dict[str, np.ndarray], layer: keras.layers.Layer, network: keras.Model, pending: np.ndarray | None
) -> tuple[dict[str, tuple[np.ndarray, str]], np.ndarray | None]:
    """One module for one layer: role → (array, kind), and a bias that the next normalisation must take up."""
    if isinstance(layer, keras.layers.BatchNormalization):
        norms = {NORM[role]: array for role, array in parts.items()}
        if pending is not None:
            norms["moving_mean"] = norms["moving_mean"] - pending
        size = layer.gamma.shape[0]
        if norms["gamma"].shape[0] == size:
            return {role: (_flattened(value, layer, network), "copied") for role, value in norms.items()}, None
        # One statistic a channel, for a network that keeps one for each value of its first feature map.
        return {role: (np.tile(v, size // v.shape[0]), "resized") for role, v in norms.items()}, None
    if pending is not None:
        raise ValueError("a bias before it that the network does not have")
    kernel, kind = _kernel(parts["weight"], layer, network)
    bias, has_bias = parts.get("bias"), getattr(layer, "bias", None) is not None
    if isinstance(layer, keras.layers.Embedding):
        return {"embeddings": (kernel, kind)}, None
    weights = {"kernel": (kernel, kind)}
    if has_bias:
        value = np.zeros(layer.bias.shape, np.float32) if bias is None else _flattened(bias, layer, network)
        weights["bias"] = (value, "copied" if bias is not None else "resized")
        return weights, None
    return weights, bias


def _kernel(weight: np.ndarray, layer: keras.layers.Layer, network: keras.Model) -> tuple[np.ndarray, str]:
    shape = tuple(layer.embeddings.shape if isinstance(layer, keras.layers.Embedding) else layer.kernel.shape)
    if isinstance(layer, keras.layers.Embedding):
        value, kind = weight, "copied"
    elif isinstance(layer, keras.layers.Dense):
        value, kind = _dense(weight, shape, layer, network), "transposed"
    else:
        value, kind = weight.transpose(2, 3, 1, 0), "transposed"
        step = getattr(layer, "strides", (1,))[0]
        if step > 1 and (shape[0] - step) % 2 and layer.padding == "same":
            raise ValueError(f"kernels of {shape[0]} px with strides of {step} lie elsewhere in Keras")
    if value.shape != shape:
        raise ValueError(f"shape {value.shape} in place of {shape}")
    return value, kind


def _dense(weight: np.ndarray, shape: tuple[int, ...], layer: keras.layers.Layer, network: keras.Model) -> np.ndarray:
    if weight.ndim == 4 and shape[1] == 1:  # the convolution that ends a discriminator
        return weight.transpose(2, 3, 1, 0).reshape(-1, 1)
    if weight.ndim == 4:  # the transposed convolution that starts a generator, from 1 x 1
        return weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
    sides = _map_behind(layer, network)
    if sides and sides[0] * sides[1] * sides[2] == shape[1]:  # a linear layer, then channels first
        return weight.T.reshape(-1, *sides).transpose(0, 2, 3, 1).reshape(weight.shape[1], -1)
    sides = _map_ahead(layer, network)
    if sides and sides[0] * sides[1] * sides[2] == shape[0]:
        return weight.reshape(-1, *sides).transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])
    return weight.T


def _flattened(vector: np.ndarray, layer: keras.layers.Layer, network: keras.Model) -> np.ndarray:
    """A vector over a flat feature map with channels first, with channels last; any other as it is."""
    sides = _map_behind(layer, network)
    if not sides or sides[1] * sides[2] == 1 or sides[0] * sides[1] * sides[2] != vector.size:
        return vector
    return vector.reshape(sides).transpose(1, 2, 0).ravel()


def _map_behind(layer: keras.layers.Layer, network: keras.Model) -> tuple[int, int, int] | None:
    """(channels, height, width) that what a layer gives is reshaped to, or `None`."""
    reached = _neighbour(layer, network, keras.layers.Reshape, 1)
    return None if reached is None or len(reached.target_shape) != 3 else _channels_first(reached.target_shape)


def _map_ahead(layer: keras.layers.Layer, network: keras.Model) -> tuple[int, int, int] | None:
    """(channels, height, width) that was flattened to what a layer takes, or `None`."""
    reached = _neighbour(layer, network, keras.layers.Flatten, -1)
    return None if reached is None or len(reached.input.shape) != 4 else _channels_first(reached.input.shape[1:])


def _neighbour(
    layer: keras.layers.Layer, network: keras.Model, kind: type[keras.layers.Layer], step: int
) -> keras.layers.Layer | None:
    """The layer of a kind on one side, where nothing in between mixes what it takes: other kernels would."""
    layers = network.layers
    place = layers.index(layer) + step
    while 0 <= place < len(layers):
        if isinstance(layers[place], kind):
            return layers[place]
        if hasattr(layers[place], "kernel"):
            return None
        place += step
    return None


def _channels_first(sides: tuple[int, ...]) -> tuple[int, int, int]:
    return sides[2], sides[0], sides[1]
