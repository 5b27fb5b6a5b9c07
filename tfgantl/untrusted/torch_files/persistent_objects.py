"""NVIDIA's pickles: objects that carry the source of their modules, of which names, arrays and arguments are taken.

The originals execute that source when they are loaded. Here it is a string like any other, and is thrown away.

Reference:
    Karras et al., 2020, https://arxiv.org/abs/2006.06676; `torch_utils/persistence.py` and `dnnlib/tflib/network.py` of
    https://github.com/NVlabs/stylegan2-ada-pytorch and https://github.com/NVlabs/stylegan2
"""

from typing import Any

import numpy as np

from tfgantl.printing import printable
from tfgantl.untrusted.foreign_checkpoints import ForeignNetwork
from tfgantl.untrusted.torch_files.allowed_names import NUMPY_ARRAYS, PERSISTENT, TF_NETWORK
from tfgantl.untrusted.torch_files.notes import Call
from tfgantl.untrusted.torch_files.plain_values import MAX_DEPTH, Values, joined
from tfgantl.untrusted.unique_names import add


def is_network(value: Any) -> bool:
    """Whether a value of a pickle is a network of NVIDIA's, of PyTorch or of TensorFlow."""
    return type(value) is Call and value.name in (PERSISTENT, TF_NETWORK)


def read_network(call: Call, values: Values) -> ForeignNetwork:
    """Takes the arrays and the arguments out of a network.

    Args:
        call: For which `is_network` holds.
        values: Makes arrays and plain values.

    Returns:
        Arrays by the names that the originals' `named_parameters` and `named_buffers` give them, or that their
        converter gives the variables of TensorFlow: `synthesis/4x4/Conv/weight`.

    Raises:
        ValueError: If it has another form.
    """
    if call.name == TF_NETWORK:
        return _of_tensorflow(call, values)
    kind, state = _object(call)
    arguments = values.plain(state.get("_init_kwargs")) if type(state.get("_init_kwargs")) is dict else {}
    if state.get("_init_args"):
        arguments = {**arguments, "_init_args": values.plain(state["_init_args"])}
    arrays: dict[str, np.ndarray] = {}
    settings: dict[str, Any] = {}
    _collect(state, "", values, arrays, settings, 0, set())
    return ForeignNetwork(arrays, {**arguments, "modules": settings} if settings else arguments, kind)


def _object(call: Any) -> tuple[str, dict[str, Any]]:
    """Class and attributes of an object; only their names and values matter, and not the source of its module."""
    meta = call.arguments[0] if type(call) is Call and call.name == PERSISTENT and call.arguments else None
    if type(meta) is not dict or meta.get("type") != "class" or type(meta.get("state")) is not dict:
        raise ValueError("a module without its attributes")
    kind = meta.get("class_name")
    if type(kind) is not str:
        raise ValueError("a module without the name of its class")
    return kind, meta["state"]


def _collect(
    state: dict[str, Any],
    prefix: str,
    values: Values,
    arrays: dict[str, np.ndarray],
    settings: dict[str, Any],
    depth: int,
    seen: set[int],
) -> None:
    """Parameters and buffers of a module and of those in it, and what a class may have by its own default.

    A module that is in several places is taken in the first, as `named_parameters` does it.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"modules nested more than {MAX_DEPTH} deep, or in a circle")
    clamp, activation = state.get("conv_clamp"), state.get("activation")
    if type(clamp) in (int, float):
        _note(settings, "conv_clamp", clamp)
    if type(activation) is str and activation != "linear":
        _note(settings, "activation", activation[:40])
    for group in ("_parameters", "_buffers"):
        for name, value in _items(state, group):
            if value is not None:
                add(arrays, joined(prefix, name), values.array(value, joined(prefix, name)))
    for name, module in _items(state, "_modules"):
        if module is not None and id(module) not in seen:
            values.spend()
            _collect(_object(module)[1], joined(prefix, f"{name}."), values, arrays, settings, depth + 1, seen)
            seen.add(id(module))  # behind it, so that circles are told


def _note(settings: dict[str, Any], name: str, value: Any) -> None:
    """Keeps what all modules have alike, of which the network is built anew.

    Raises:
        ValueError: If one has something else.
    """
    if settings.setdefault(name, value) != value:
        raise ValueError(f"modules of several {name}: {settings[name]!r:.40} and {value!r:.40}")


def _items(state: dict[str, Any], group: str) -> list[tuple[str, Any]]:
    found = state.get(group) or {}
    if type(found) is not dict or any(type(name) is not str for name in found):
        raise ValueError(f"{group} of a module that are not by their names")
    return list(found.items())


def _of_tensorflow(call: Call, values: Values) -> ForeignNetwork:
    if type(call.state) is not dict:
        raise ValueError("a network without its state")
    arguments = call.state.get("static_kwargs")
    kind = call.state.get("build_func_name")
    arrays: dict[str, np.ndarray] = {}
    _collect_variables(call, "", values, arrays, 0, set())
    return ForeignNetwork(
        arrays, values.plain(arguments) if type(arguments) is dict else {}, kind if type(kind) is str else ""
    )


def _collect_variables(
    call: Any, prefix: str, values: Values, arrays: dict[str, np.ndarray], depth: int, seen: set[int]
) -> None:
    """Variables of a network and of its components, of which each is taken once."""
    if depth > MAX_DEPTH:
        raise ValueError(f"networks nested more than {MAX_DEPTH} deep, or in a circle")
    state = call.state if type(call) is Call and call.name == TF_NETWORK else None
    if type(state) is not dict:
        raise ValueError("a component that is no network")
    variables = state.get("variables") or []
    if type(variables) is not list:
        raise ValueError("variables that are no list")
    for pair in variables:
        if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str:
            raise ValueError("variables that are not names and arrays")
        name, value = pair
        name = joined(prefix, name.removesuffix(":0"))
        if type(value) is not Call or value.name not in NUMPY_ARRAYS:
            number = values.plain(value)
            if type(number) not in (int, float, bool):
                raise ValueError(f"a variable {printable(name)[:80]} that is no array")
            add(arrays, name, np.asarray(number, np.float32 if type(number) is float else None))
        else:
            add(arrays, name, values.array(value, name))
    for name, component in _items(state, "components"):
        if id(component) not in seen:
            values.spend()
            _collect_variables(component, joined(prefix, f"{name}/"), values, arrays, depth + 1, seen)
            seen.add(id(component))
