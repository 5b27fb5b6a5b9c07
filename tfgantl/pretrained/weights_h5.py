"""`.weights.h5` of Keras 3 as named arrays."""

from collections import Counter
from pathlib import Path

import h5py
import keras
import numpy as np

from tfgantl.errors import ArtifactError, intact
from tfgantl.models.variable_names import names_of
from tfgantl.untrusted.archives import check_digest
from tfgantl.untrusted.hdf5 import find_datasets
from tfgantl.untrusted.unique_names import add

STEP = "gan/0"  # number of steps that a saved `GAN` has taken, the first of the weights that are in no network


def read_weights_h5(path: Path) -> dict[str, np.ndarray]:
    """Reads a `.weights.h5` of Keras 3, under names of layers.

    Returns:
        `[generator/ | ema_generator/ | discriminator/]<layer>/<number, or name, of the weight in its layer>` → array;
        see `with_names`.
        Layers that share a name have their place in the file instead. Of a `GAN`, `STEP` is among them.

    Raises:
        ArtifactError: If the file is missing, damaged, too large, ambiguous, or points to other files.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be a .weights.h5 file. Received: no such file")
    check_digest(path)
    with intact(f"{path}: must be an intact .weights.h5 of Keras"):
        with h5py.File(path, "r") as file:
            datasets = find_datasets(file, path)
            return _named_by_layer(file, datasets, path)


def with_names(arrays: dict[str, np.ndarray], network: keras.Model) -> dict[str, np.ndarray]:
    """Gives weights that only have the number of their place in a layer the names that a network has for them.

    Args:
        arrays: As by `read_weights_h5`, those of one network.
        network: The network that they are for.

    Returns:
        The same arrays: `noise/0` is called `noise/strength` now. In layers that the network does not have, what a
        weight is follows from its shape.
    """
    counts = Counter(name.rpartition("/")[0] for name in arrays)
    places, variables = [], []
    for layer in network._flatten_layers(include_self=False):
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        if counts.get(layer.name, len(own)) != len(own):  # its numbers mean something else
            continue
        places += [f"{layer.name}/{number}" for number in range(len(own))]
        variables += own
    names: dict[str, str] = {}
    for place, name in zip(places, names_of(network, variables), strict=True):
        names.setdefault(place, name)
    ranks: dict[str, dict[str, int]] = {}
    for name, array in arrays.items():
        parent, _, number = name.rpartition("/")
        if number.isdecimal():
            ranks.setdefault(parent, {})[name] = array.ndim
    for parent, numbered in ranks.items():
        for name, role in zip(numbered, _roles([*numbered.values()]), strict=True):
            if role is not None:
                names.setdefault(name, f"{parent}/{role}")
    names = {name: new for name, new in names.items() if new not in arrays}  # what has that name already, keeps it
    return {names.get(name, name): array for name, array in arrays.items()}


def _named_by_layer(file: h5py.File, datasets: dict[str, h5py.Dataset], path: Path) -> dict[str, np.ndarray]:
    layers: dict[str, dict[int | str, np.ndarray]] = {}
    for name, dataset in datasets.items():
        parent, _, index = name.rpartition("/")
        place = int(index) if index.isdecimal() else index
        add(layers.setdefault(parent, {}), place, dataset[()], f"{path}: weights of a layer must have a number each")
    labels = {parent: _label(file[parent], parent) for parent in layers}
    uses = Counter(labels.values())
    arrays = {}
    for parent, arrays_of_layer in layers.items():
        # Networks inside of others may have layers of one name: these are called by their places.
        label = labels[parent] if uses[labels[parent]] == 1 else parent
        for place in sorted(arrays_of_layer, key=lambda place: (isinstance(place, str), place)):
            name = f"{label}/{place}"
            if name in arrays:
                raise ArtifactError(f"{path}: names of weights must be unique. Received: {name} twice")
            arrays[name] = arrays_of_layer[place]
    return arrays


def _label(group: h5py.Group, parent: str) -> str:
    """Name of a layer, behind that of the network of a pair that it is in."""
    if parent == "vars" and "ema_generator" in group.file:
        return "gan"  # whatever it is called
    label = group.attrs.get("name", parent.removesuffix("/vars").rpartition("/")[2])
    top = parent.partition("/")[0]
    return f"{top}/{label}" if top in ("generator", "discriminator", "ema_generator") else str(label)


def _roles(ranks: list[int]) -> list[str] | list[None]:
    """What a layer's weights are, from the number of their dimensions, in the order in which Keras keeps them."""
    if ranks == [1, 1, 1, 1]:
        return ["gamma", "beta", "moving_mean", "moving_variance"]
    if ranks and ranks[0] >= 2 and ranks[1:] in ([], [1]):
        return ["kernel", "bias"][: len(ranks)]
    return [None] * len(ranks)
