"""From what a pickle holds to the networks of a checkpoint: dicts of tensors, beside optimizers and settings."""

import re
from typing import Any

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.torch_files.allowed_names import NAMESPACE
from tfgantl.untrusted.torch_files.notes import Call
from tfgantl.untrusted.torch_files.persistent_objects import is_network, read_network
from tfgantl.untrusted.torch_files.plain_values import MAX_DEPTH, Values, joined
from tfgantl.untrusted.unique_names import add

OPTIMIZER = re.compile(r"optim(?!al|um)|(^|_)(opt|adamw?|sched(uler)?s?|scaler)([A-Z_]|$)")
OF_TENSORFLOW = ("G", "D", "Gs")  # the three networks of NVIDIA's tuples; the last is the average of the first


def as_checkpoint(value: Any, values: Values, where: str) -> ForeignCheckpoint:
    """Sorts what a file holds into networks, arrays beside them and settings.

    Args:
        value: As `read_pickle` gives it.
        values: Makes arrays and plain values.
        where: Name of the file for messages.

    Returns:
        A dict of tensors is a network, named by its keys in the dicts around it, joined by dots. States of optimizers
        are left out. The settings of an `argparse.Namespace` stand beside the others.

    Raises:
        ArtifactError: If there is no network in it.
        ValueError: If a tensor does not fit its numbers.
    """
    if is_network(value):
        return ForeignCheckpoint({"": read_network(value, values)})
    if type(value) is tuple and len(value) == len(OF_TENSORFLOW) and all(map(is_network, value)):
        value = dict(zip(OF_TENSORFLOW, value, strict=True))
    if type(value) is Call and value.name == NAMESPACE:
        raise ArtifactError(f"{where}: must hold networks. Received: settings only")
    if type(value) is not dict:
        raise ArtifactError(f"{where}: must hold a dict of tensors. Received: {_kind(value, values)}")
    found = _Found(values)
    if _is_optimizer("", value):
        found.optimizers = True
    else:
        found.walk(value, "", 0)
    if not found.networks:
        received = "states of optimizers only" if found.optimizers else "no tensors"
        raise ArtifactError(f"{where}: must hold the weights of networks. Received: {received}")
    return ForeignCheckpoint(
        {name: _unwrapped(network) for name, network in found.networks.items()}, found.arrays, found.arguments
    )


class _Found:
    """What was found so far."""

    def __init__(self, values: Values):
        self.values = values
        self.networks: dict[str, ForeignNetwork] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self.arguments: dict[str, Any] = {}
        self.optimizers = False

    def walk(self, found: dict[str | int, Any], path: str, depth: int) -> None:
        """Takes what a dict holds; `path` is its own name, empty for the outermost one."""
        if depth > MAX_DEPTH:
            raise ValueError(f"dicts nested more than {MAX_DEPTH} deep, or in a circle")
        own: dict[str, np.ndarray] = {}
        groups = False
        for key, value in found.items():
            self.values.spend()
            name = joined(f"{path}." if path else "", str(key))
            if _is_optimizer(str(key), value):
                self.optimizers = True
            elif is_network(value):
                add(self.networks, name, read_network(value, self.values))
                groups = True
            elif self.values.is_array(value):
                add(own, str(key), self.values.array(value, name))
            elif type(value) in (dict, list) and self._has_arrays(value, 0):
                inner = value if type(value) is dict else dict(enumerate(value))
                self.walk(inner, name, depth + 1)
                groups = True
            elif type(value) is Call and value.name == NAMESPACE:
                for setting, content in (self.values.plain(value) or {}).items():
                    self.arguments.setdefault(setting, content)
            elif (plain := self.values.plain(value)) is not None or value is None:
                self.arguments[name] = plain
        if not own:
            return
        if groups and not any("." in name for name in own):  # beside networks, as `latent_avg` is
            self.arrays |= {f"{path}.{name}" if path else name: array for name, array in own.items()}
        else:
            add(self.networks, path, ForeignNetwork(own))

    def _has_arrays(self, value: Any, depth: int) -> bool:
        """Whether there is a tensor, or a network, in a dict or list."""
        if depth > MAX_DEPTH:
            raise ValueError(f"dicts nested more than {MAX_DEPTH} deep, or in a circle")
        if type(value) not in (dict, list):
            return self.values.is_array(value) or is_network(value)
        for item in value.values() if type(value) is dict else value:
            self.values.spend()
            if self._has_arrays(item, depth + 1):
                return True
        return False


def _is_optimizer(key: str, value: Any) -> bool:
    """Whether a value is the state of an optimizer, by what it has or by its name."""
    if type(value) is not dict:
        return False
    return ("param_groups" in value and "state" in value) or bool(OPTIMIZER.search(key) and "." not in key)


def _kind(value: Any, values: Values) -> str:
    if values.is_array(value):
        return "one tensor"
    return f"the call of {value.name}" if type(value) is Call else type(value).__name__.lower()


def _unwrapped(network: ForeignNetwork) -> ForeignNetwork:
    """A network without `module.` before each name, which training on several devices leaves there."""
    for wrapper in ("module.", "_orig_mod."):
        if all(name.startswith(wrapper) for name in network.arrays):
            arrays = {name.removeprefix(wrapper): array for name, array in network.arrays.items()}
            network = ForeignNetwork(arrays, network.arguments, network.kind)
    return network
