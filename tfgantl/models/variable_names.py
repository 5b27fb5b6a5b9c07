"""What the variables of a network are called: by their paths, made unique.

A path is no key: networks inside of a network keep the names of their layers, so that each stage of a generator may
have a `conv/kernel`. Whatever keeps weights by name takes the names from here. Where paths differ, they are the names,
and so are those in files and reports.
"""

from collections.abc import Iterable, Sequence

import keras


def named_variables(network: keras.layers.Layer) -> dict[str, keras.Variable]:
    """Name → variable, in the order of the network.

    Args:
        network: Any built network or layer.

    Returns:
        All variables. Where several have one path, the layer of the second is called `conv.2`, and so on.
    """
    return dict(zip(unique([v.path for v in network.variables]), network.variables, strict=True))


def named_weights(network: keras.layers.Layer) -> dict[str, keras.Variable]:
    """Like `named_variables`, without the states of random number generators."""
    return {name: v for name, v in named_variables(network).items() if keras.backend.is_float_dtype(v.dtype)}


def names_of(network: keras.layers.Layer, variables: Iterable[keras.Variable]) -> list[str]:
    """Names, as by `named_variables`, of some of the variables of a network."""
    names = {id(variable): name for name, variable in named_variables(network).items()}
    return [names[id(variable)] for variable in variables]


def unique(paths: Sequence[str]) -> list[str]:
    """The same paths, of which later ones that are equal to an earlier one get a number behind their layer.

    Example:
        >>> unique(["conv/kernel", "conv/bias", "conv/kernel", "conv/bias"])
        ['conv/kernel', 'conv/bias', 'conv.2/kernel', 'conv.2/bias']
    """
    taken: set[str] = set()
    names = []
    for path in paths:
        layer, slash, weight = path.rpartition("/")
        name, number = path, 1
        while name in taken:
            number += 1
            name = f"{layer}.{number}/{weight}" if slash else f"{weight}.{number}"
        taken.add(name)
        names.append(name)
    return names
