"""Whether layers whose weights were matched one by one are what the network computes with."""

from collections.abc import Container, Iterable, Mapping

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.weight_roles import NO_WEIGHTS, SPECTRAL, plain, role_of, with_role

DIRECTION = "direction"  # of the layers of this package that have a spectral norm
Plan = dict[str, tuple[np.ndarray, str, str]]


def fold_biases(left: dict[str, np.ndarray], plan: Plan, origins: Mapping[str, str], network: keras.Model) -> None:
    """Takes biases that the network has no place for off the mean that comes next, which gives the same; in place.

    Args:
        left: Name → array, of those that have no place yet.
        plan: Path in the network → (array, kind, detail).
        origins: Path in the network → name of the array.
        network: The network.
    """
    layers = {layer.name: layer for layer in network.layers}
    for name, bias in [*left.items()]:
        own = name.rpartition("/")[0]
        layer = layers.get(plain(own, network.name))
        if role_of(name) != "bias" or bias.dtype.kind != "f" or layer is None:
            continue
        norm, kernel = _next_norm(layer), origins.get(f"{layer.name}/kernel", "")
        mean = f"{norm.name}/moving_mean" if norm else ""
        if kernel.rpartition("/")[0] == own and mean in plan and plan[mean][0].shape == bias.shape:
            value, kind, detail = plan[mean]
            plan[mean] = (value - left.pop(name), kind, f"{detail} less {name}".strip())


def _next_norm(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """The batch normalisation of all that a layer without a bias gives, and of nothing else."""
    readers = [node.operation for node in layer._outbound_nodes]
    if len(readers) != 1 or not isinstance(norm := readers[0], keras.layers.BatchNormalization):
        return None
    is_linear = getattr(layer, "activation", None) in (None, keras.activations.linear)
    is_last = norm.axis in (-1, len(layer.output.shape) - 1)
    has_bias = getattr(layer, "bias", None) is not None
    return norm if is_linear and is_last and not has_bias and len(norm._inbound_nodes) == 1 else None


def check_layers(
    left: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray], known: Container[str], prefix: str, where: str
) -> None:
    """Refuses what is left of a layer of which something was taken, as a bias that the network has no place for.

    Raises:
        ArtifactError: If it is not 0, and so does something.
    """
    taken = {name.rpartition("/")[0] for name in arrays if name not in left and not NO_WEIGHTS.search(name)}
    for name, array in left.items():
        layer, _, last = name.removesuffix(":0").rpartition("/")
        if layer in taken and last in SPECTRAL and f"{plain(layer, prefix)}/{DIRECTION}".lower() not in known:
            raise ArtifactError(
                f"{where}: kernels with a spectral norm must be those of a layer that has one. Received: {name}, which "
                "says that a kernel is divided by its norm"
            )
        has_place = with_role(plain(name, prefix)) in known  # of another shape, which the report tells
        if layer in taken and role_of(name) is not None and array.any() and not has_place:
            raise ArtifactError(
                f"{where}: a layer must have the weights of that of the network, and no others. "
                f"Received: {name}, which it has no place for"
            )


def check_statistics(plan: Container[str], wanted: Iterable[str], where: str, all_of_them: bool) -> None:
    """Refuses normalisation without the statistics that it divides by: scales alone are of one of another kind.

    Raises:
        ArtifactError: If a layer would get scales and no statistics or, of `all_of_them`, neither.
    """
    for path in wanted:
        layer, _, role = path.rpartition("/")
        scales = [f"{layer}/{name}" for name in ("gamma", "beta") if f"{layer}/{name}" in plan]
        if role in ("moving_mean", "moving_variance") and path not in plan and (scales or all_of_them):
            told = f"{scales[0]} without {path}" if scales else f"nothing for {layer}"
            raise ArtifactError(
                f"{where}: batch normalisation must have its moving statistics, which normalisation of another kind "
                f"(of instances, groups, layers) has not. Received: {told}"
            )


def turn_alike(plan: Plan, where: str) -> None:
    """Turns those kernels that fit both ways as all others of their rank are turned, or all others; in place.

    Raises:
        ArtifactError: If others are in both layouts.
    """
    kernels = {path: entry for path, entry in plan.items() if path.endswith("kernel") and entry[0].ndim in (2, 4)}
    square = {path for path, (value, _, _) in kernels.items() if turned(value).shape == value.shape}
    for rank in (2, 4):
        either = [path for path in kernels if path in square and kernels[path][0].ndim == rank]
        others = [entry for path, entry in kernels.items() if path not in square]
        kinds = {kind for value, kind, _ in others if value.ndim == rank} or {kind for _, kind, _ in others}
        if either and len(kinds) > 1:
            raise ArtifactError(
                f"{where}: kernels must all be in one layout, as some fit in both. Received: {some(either)}, "
                "and others in either layout"
            )
        if kinds == {"transposed"}:
            plan |= {path: (turned(plan[path][0]), "transposed", plan[path][2]) for path in either}


def turned(kernel: np.ndarray) -> np.ndarray:
    """A kernel (out, in) or (out, in, height, width) as (in, out) or (height, width, in, out)."""
    return kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)


def some(names: list[str], limit: int = 6) -> str:
    """Names in a message, the first of them."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "") or "none"
