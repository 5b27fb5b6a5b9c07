"""Named arrays into our own networks: by name, then by unique shape, and the rest by an explicit map.

Nothing is ever matched by order alone, and nothing is assigned unless all of it fits.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.models.copies import finalize_state
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained import layouts
from tfgantl.pretrained.layer_checks import check_layers, check_statistics, fold_biases, some, turn_alike, turned
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.pretrained.weight_roles import NO_WEIGHTS, plain, role_of, with_role
from tfgantl.untrusted.unique_names import add

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
    wanted, plan, origins, report = named_weights(network), {}, {}, LoadReport()
    if layouts.is_pytorch(arrays):
        arrays, moves = layouts.from_pytorch(arrays, network, where)
    else:
        moves = {}
    arrays = _prefer_averages(arrays, where)
    left = {name: array for name, array in arrays.items() if not NO_WEIGHTS.search(name.removesuffix(":0"))}

    def take(target: str, name: str, value: np.ndarray, kind: str, detail: str) -> None:
        check_floats(value, name, where)
        plan[target], origins[target] = (value, kind, detail), name
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

    for simplify in (lambda path: plain(path, network.name), lambda path: with_role(plain(path, network.name))):
        sources = _unique({name: simplify(name) for name in left})
        targets = _unique({path: simplify(path) for path in wanted if path not in plan})
        for key, target in targets.items():
            if key in sources:
                name = sources[key]
                value, kind = _in_shape(left[name], tuple(wanted[target].shape))
                if value is not None:
                    kind, detail = moves.get(name, (kind, "" if name == target else f"from {name}"))
                    take(target, name, value, kind, detail)

    keys = {name: (role_of(name), array.shape) for name, array in left.items()}
    goals = {path: (role_of(path), tuple(v.shape)) for path, v in wanted.items() if path not in plan}
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
                f"adopt. Received: {some(candidates)} for {some(rivals)}, all of the shape {key[1]}"
            )

    if not moves:
        turn_alike(plan, where)
        fold_biases(left, plan, origins, network)
        check_layers(left, arrays, {with_role(plain(path, network.name)) for path in wanted}, network.name, where)
    check_statistics(plan, wanted, where, all_of_them=min_share > 0.5)
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
            f"Received: {100 * report.share:.1f} %; without a source {some(lost)}; not used {some(spare)}"
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


def _unique(keys: Mapping[str, Any]) -> dict[Any, str]:
    counts = Counter(keys.values())
    return {key: name for name, key in keys.items() if counts[key] == 1}


def _in_shape(array: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray | None, str]:
    """The array, or its known transpose, in the shape that is wanted; `(None, "")` if neither fits."""
    if array.shape == shape:
        return array, "copied"
    if array.ndim in (2, 4) and turned(array).shape == shape:
        return turned(array), "transposed"
    return None, ""


def _why(path: str, variable: keras.Variable, arrays: Mapping[str, np.ndarray], prefix: str) -> str:
    for name, array in arrays.items():
        if with_role(plain(name, prefix)) == with_role(path):
            return f"{tuple(variable.shape)}; {name} has {array.shape}"
    return f"{tuple(variable.shape)}; no array of that name or shape"
