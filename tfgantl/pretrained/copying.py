"""All weights from a network to one of the same architecture: by name and shape, or not at all."""

import keras

from tfgantl.errors import ArtifactError
from tfgantl.models.copies import finalize_state
from tfgantl.models.variable_names import named_weights, unique


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies all weights, each to the one with the same name and shape.

    Raises:
        ArtifactError: If any weight has no counterpart; the message lists both sides.
    """
    available, wanted = named_weights(source), named_weights(target)
    if available.keys() != wanted.keys():
        available, wanted = _by_layer(available), _by_layer(wanted)
    missing = sorted(set(wanted) - set(available))
    unused = sorted(set(available) - set(wanted))
    if missing or unused:
        raise ArtifactError(
            f"source and target {target.name} must have the same weights. Received: only in the target {missing}, "
            f"only in the source {unused}"
        )
    for name, variable in wanted.items():
        if variable.shape != available[name].shape:
            raise ArtifactError(
                f"{target.name} weight {name} must have the shape {tuple(variable.shape)}. "
                f"Received: {tuple(available[name].shape)} from the source"
            )
    for name, variable in wanted.items():
        variable.assign(available[name])
    finalize_state(target)


def _by_layer(weights: dict[str, keras.Variable]) -> dict[str, keras.Variable]:
    """Without the names of networks around a layer, which only some copies put before those of its weights."""
    names = unique(["/".join(name.split("/")[-2:]) for name in weights])
    return dict(zip(names, weights.values(), strict=True))
