"""From the layout of PyTorch to that of Keras.

A kernel of `Conv2d` is (out, in, height, width), one of `ConvTranspose2d` (in, out, height, width); Keras has
(height, width, in, out) and (height, width, out, in). Both libraries correlate in the forward convolution and take its
gradient for the transposed one, so nothing is flipped. With kernel 4 and stride 2, `padding="same"` is PyTorch's
padding 1. Where a feature map is flattened, PyTorch puts channels first and Keras last.
"""

import keras
import numpy as np

from tfgantl.errors import ArtifactError

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def is_pytorch(arrays: dict[str, np.ndarray]) -> bool:
    """Whether the names are those of a PyTorch state dict: `main.0.weight`."""
    return bool(arrays) and all("." in name and "/" not in name for name in arrays)


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
            return {role: (_flattened(value, network, size), "copied") for role, value in norms.items()}, None
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
        value = np.zeros(layer.bias.shape, np.float32) if bias is None else _flattened(bias, network, bias.size)
        weights["bias"] = (value, "copied" if bias is not None else "resized")
        return weights, None
    return weights, bias


def _kernel(weight: np.ndarray, layer: keras.layers.Layer, network: keras.Model) -> tuple[np.ndarray, str]:
    shape = tuple(layer.embeddings.shape if isinstance(layer, keras.layers.Embedding) else layer.kernel.shape)
    if isinstance(layer, keras.layers.Embedding):
        value, kind = weight, "copied"
    elif isinstance(layer, keras.layers.Dense):
        value, kind = _dense(weight, shape, network), "transposed"
    else:
        value, kind = weight.transpose(2, 3, 1, 0), "transposed"
    if value.shape != shape:
        raise ValueError(f"shape {value.shape} in place of {shape}")
    return value, kind


def _dense(weight: np.ndarray, shape: tuple[int, ...], network: keras.Model) -> np.ndarray:
    if weight.ndim == 4 and shape[1] == 1:  # the convolution that ends a discriminator
        return weight.transpose(2, 3, 1, 0).reshape(-1, 1)
    if weight.ndim == 4:  # the transposed convolution that starts a generator, from 1 x 1
        return weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
    sides = _first_map(network)
    if sides and sides[0] * sides[1] * sides[2] == shape[1]:  # a linear layer, then channels first
        return weight.T.reshape(-1, *sides).transpose(0, 2, 3, 1).reshape(weight.shape[1], -1)
    sides = _last_map(network)
    if sides and sides[0] * sides[1] * sides[2] == shape[0]:
        return weight.reshape(-1, *sides).transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])
    return weight.T


def _flattened(vector: np.ndarray, network: keras.Model, size: int) -> np.ndarray:
    """A vector over a flat feature map with channels first, with channels last; any other as it is."""
    sides = _first_map(network)
    if not sides or sides[1] * sides[2] == 1 or sides[0] * sides[1] * sides[2] != size:
        return vector
    return vector.reshape(sides).transpose(1, 2, 0).ravel()


def _first_map(network: keras.Model) -> tuple[int, int, int] | None:
    """(channels, height, width) that a generator's dense layer is reshaped to, or `None`."""
    shapes = [x.target_shape for x in network.layers if isinstance(x, keras.layers.Reshape)]
    return (shapes[0][2], *shapes[0][:2]) if shapes and len(shapes[0]) == 3 else None


def _last_map(network: keras.Model) -> tuple[int, int, int] | None:
    """(channels, height, width) that a discriminator flattens, or `None`."""
    shapes = [x.input.shape[1:] for x in network.layers if isinstance(x, keras.layers.Flatten)]
    return (shapes[0][2], *shapes[0][:2]) if shapes and len(shapes[0]) == 3 else None
