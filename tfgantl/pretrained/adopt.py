"""Named arrays into our own networks: by name, then by unique shape, and the rest by an explicit map.

Nothing is ever matched by order alone, and nothing is assigned unless all of it fits.
"""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.models.copies import finalize_state
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained import layouts
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.untrusted.unique_names import add

# The same thing under the names of Keras, TF1 layers, PyTorch and older GAN code.
ROLES = {
    "kernel": "kernel", "weights": "kernel", "weight": "kernel", "w": "kernel", "embeddings": "kernel",
    "bias": "bias", "biases": "bias", "b": "bias",
    "beta": "beta", "offset": "beta",
    "gamma": "gamma", "scale": "gamma",
    "moving_mean": "mean", "running_mean": "mean", "accu_mean": "mean", "mean": "mean",
    "moving_variance": "variance", "running_var": "variance", "accu_variance": "variance", "variance": "variance",
}  # fmt: skip
NO_WEIGHTS = re.compile(
    r"(^|/)(global_step|seed_generator_state|num_batches_tracked|beta[12]_power|u_var|ema_step|step)$"
    r"|/(Adam|Adam_1|Momentum|RMSProp|RMSProp_1)$|(^|/)(seed_generator\w*|optimizer)/"
)
AVERAGE = "/ExponentialMovingAverage"


def adopt(
    arrays: dict[str, np.ndarray],
    network: keras.Model,
    names: dict[str, str] | None = None,
    min_share: float = 0.9,
    where: str = "source",
) -> LoadReport:
    """Copies named arrays into a network of this package.

    Weights that `names` lists come first; then those with the same path (a leading network name, `:0` and the names of
    roles, such as `w` for `kernel`, do not matter); then those that are the only ones of their role and shape on both
    sides. Where an exponential average of an array is there, it is taken instead. Arrays with the names of PyTorch are
    brought into the layout of Keras first (see `layouts`).

    Args:
        arrays: Name → array.
        network: Takes the weights; unchanged if there is an error.
        names: Path of a weight of the network → name of the array it must come from.
        min_share: Least share of the network's parameters that must come from the arrays; above a half, statistics of
            all batch normalisation must be among them.
        where: Name of the source for messages.

    Returns:
        What became of every weight.

    Raises:
        ArtifactError: For values that are not finite or no floating point numbers, more than one candidate, too small
            a share, or layers of which something has no place or normalisation no statistics.
        ConfigError: If `names` has a name that is not there.
    """
    _check_finite(arrays, where)
    wanted, plan, report = named_weights(network), {}, LoadReport()
    if layouts.is_pytorch(arrays):
        arrays, moves = layouts.from_pytorch(arrays, network, where)
    else:
        moves = {}
    arrays = _prefer_averages(arrays, where)
    left = {name: array for name, array in arrays.items() if not NO_WEIGHTS.search(name.removesuffix(":0"))}

    def take(target: str, name: str, value: np.ndarray, kind: str, detail: str) -> None:
        check_floats(value, name, where)
        plan[target] = (value, kind, detail)
        left.pop(name)

    for target, name in (names or {}).items():
        if target not in wanted or name not in left:
            missing = target if target not in wanted else name
            raise ConfigError(f"`names` must map weights of the network to arrays of the source. Received: {missing}")
        value, kind = _in_shape(left[name], tuple(wanted[target].shape))
        if value is None:
            raise ArtifactError(
                f"{where}: {name} must have the shape {tuple(wanted[target].shape)} of {target}. "
                f"Received: {left[name].shape}"
            )
        take(target, name, value, kind, f"from {name}, as in `names`")

    for simplify in (lambda path: _plain(path, network.name), lambda path: _roles(_plain(path, network.name))):
        sources = _unique({name: simplify(name) for name in left})
        targets = _unique({path: simplify(path) for path in wanted if path not in plan})
        for key, target in targets.items():
            if key in sources:
                name = sources[key]
                value, kind = _in_shape(left[name], tuple(wanted[target].shape))
                if value is not None:
                    kind, detail = moves.get(name, (kind, "" if name == target else f"from {name}"))
                    take(target, name, value, kind, detail)

    keys = {name: (_role(name), array.shape) for name, array in left.items()}
    goals = {path: (_role(path), tuple(v.shape)) for path, v in wanted.items() if path not in plan}
    sources, targets = _unique(keys), _unique(goals)
    for key, target in targets.items():
        if key in sources:
            take(target, sources[key], left[sources[key]], "copied", f"from {sources[key]}, the only one of its shape")
    for target, key in goals.items():
        candidates = [name for name in left if keys[name] == key]
        if target not in plan and candidates:
            rivals = [path for path, goal in goals.items() if goal == key]
            raise ArtifactError(
                f"{where}: each weight must have one candidate; tell which with `names` of tfgantl.pretrained."
                f"adopt. Received: {_some(candidates)} for {_some(rivals)}, all of the shape {key[1]}"
            )

    if not moves:
        _turn_alike(plan, where)
        _check_layers(left, arrays, {_roles(_plain(path, network.name)) for path in wanted}, network.name, where)
    _check_statistics(plan, wanted, where, all_of_them=min_share > 0.5)
    for path, variable in wanted.items():
        value, kind, detail = plan.get(path, (None, "initial", _why(path, variable, arrays, network.name)))
        report.add(kind, f"{network.name}/{path}", int(np.prod(variable.shape)), detail)
    for name, array in left.items():
        report.add("skipped", name, array.size, f"shape {array.shape}")
    if report.share < min_share:
        lost = [f"{path} {tuple(wanted[path].shape)}" for path in wanted if path not in plan]
        spare = [f"{name} {array.shape}" for name, array in left.items()]
        raise ArtifactError(
            f"{where}: at least {100 * min_share:g} % of the parameters of the {network.name} must come from it. "
            f"Received: {100 * report.share:.1f} %; without a source {_some(lost)}; not used {_some(spare)}"
        )
    for path, (value, _, _) in plan.items():
        wanted[path].assign(value)
    finalize_state(network)
    return report


def check_floats(array: np.ndarray, name: str, where: str) -> None:
    """Refuses whole numbers in the place of weights: they are quantised, by a scale that is elsewhere.

    Raises:
        ArtifactError: If the numbers are of any other kind than floating point.
    """
    if array.dtype.kind != "f":
        raise ArtifactError(f"{where}: {name} must hold floating point numbers. Received: {array.dtype}")


def _check_finite(arrays: Mapping[str, np.ndarray], where: str) -> None:
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
            raise ArtifactError(f"{where}: weights must be finite. Received: NaN or infinity in {name}")


def _prefer_averages(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Drops the plain version of whatever has an exponential average, and the suffix of the average."""
    averaged = {name.removesuffix(":0").removesuffix(AVERAGE) for name in arrays if AVERAGE in name}
    preferred: dict[str, np.ndarray] = {}
    allowed = f"{where}: names of weights must be unique, with or without :0"
    for name, array in arrays.items():
        bare = name.removesuffix(":0")
        if bare.endswith(AVERAGE):
            add(preferred, bare.removesuffix(AVERAGE), array, allowed)
        elif bare not in averaged:
            add(preferred, bare, array, allowed)
    return preferred


def _plain(path: str, prefix: str) -> str:
    path = path.removesuffix(":0")
    return path.removeprefix(f"{prefix}/")


def _roles(path: str) -> str:
    head, _, tail = path.lower().rpartition("/")
    return f"{head}/{ROLES.get(tail, tail)}"


def _role(path: str) -> str | None:
    return ROLES.get(path.removesuffix(":0").lower().rpartition("/")[2])


def _unique(keys: Mapping[str, Any]) -> dict[Any, str]:
    counts = Counter(keys.values())
    return {key: name for name, key in keys.items() if counts[key] == 1}


def _check_layers(
    left: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray], known: Container[str], prefix: str, where: str
) -> None:
    """Refuses what is left of a layer of which something was taken, as a bias that the network has no place for.

    Raises:
        ArtifactError: If it is not 0, and so does something.
    """
    taken = {name.rpartition("/")[0] for name in arrays if name not in left and not NO_WEIGHTS.search(name)}
    for name, array in left.items():
        layer = name.rpartition("/")[0]
        has_place = _roles(_plain(name, prefix)) in known  # of another shape, which the report tells
        if layer in taken and _role(name) is not None and array.any() and not has_place:
            raise ArtifactError(
                f"{where}: a layer must have the weights of that of the network, and no others. "
                f"Received: {name}, which it has no place for"
            )


def _check_statistics(plan: Container[str], wanted: Iterable[str], where: str, all_of_them: bool) -> None:
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


def _turn_alike(plan: dict[str, tuple[np.ndarray, str, str]], where: str) -> None:
    """Turns those kernels that fit both ways as all others of their rank are turned, or all others; in place.

    Raises:
        ArtifactError: If others are in both layouts.
    """
    kernels = {path: entry for path, entry in plan.items() if path.endswith("kernel") and entry[0].ndim in (2, 4)}
    square = {path for path, (value, _, _) in kernels.items() if _turned(value).shape == value.shape}
    for rank in (2, 4):
        either = [path for path in kernels if path in square and kernels[path][0].ndim == rank]
        others = [entry for path, entry in kernels.items() if path not in square]
        kinds = {kind for value, kind, _ in others if value.ndim == rank} or {kind for _, kind, _ in others}
        if either and len(kinds) > 1:
            raise ArtifactError(
                f"{where}: kernels must all be in one layout, as some fit in both. Received: {_some(either)}, "
                "and others in either layout"
            )
        if kinds == {"transposed"}:
            plan |= {path: (_turned(plan[path][0]), "transposed", plan[path][2]) for path in either}


def _in_shape(array: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray | None, str]:
    """The array, or its known transpose, in the shape that is wanted; `(None, "")` if neither fits."""
    if array.shape == shape:
        return array, "copied"
    if array.ndim in (2, 4) and _turned(array).shape == shape:
        return _turned(array), "transposed"
    return None, ""


def _turned(kernel: np.ndarray) -> np.ndarray:
    """A kernel (out, in) or (out, in, height, width) as (in, out) or (height, width, in, out)."""
    return kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)


def _why(path: str, variable: keras.Variable, arrays: Mapping[str, np.ndarray], prefix: str) -> str:
    for name, array in arrays.items():
        if _roles(_plain(name, prefix)) == _roles(path):
            return f"{tuple(variable.shape)}; {name} has {array.shape}"
    return f"{tuple(variable.shape)}; no array of that name or shape"


def _some(names: list[str], limit: int = 6) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "") or "none"
