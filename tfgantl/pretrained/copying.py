"""All weights from a network to one of the same architecture: by name and shape, or not at all."""

import keras
import numpy as np

from tfgantl.errors import ArtifactError


def check_finite(network: keras.Model, where: str) -> None:
    """Raises `ArtifactError` if any weight is NaN or infinite."""
    for variable in network.variables:
        if not np.isfinite(variable.numpy()).all():
            raise ArtifactError(f"{where}: weights must be finite. Received: NaN or infinity in {variable.path}")


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies all weights, each to the one with the same name and shape.

    Raises:
        ArtifactError: If any weight has no counterpart; the message lists both sides.
    """
    available, wanted = _weights_within(source), _weights_within(target)
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


def _weights_within(network: keras.Model) -> dict[str, keras.Variable]:
    """Like `named_weights`, but without the name of a sequential model, which only some copies put before their own."""
    return {path.removeprefix(f"{network.name}/"): v for path, v in named_weights(network).items()}


def named_weights(network: keras.Model) -> dict[str, keras.Variable]:
    """Path → weight, without the states of random number generators."""
    return {v.path: v for v in network.variables if v.dtype == "float32"}
