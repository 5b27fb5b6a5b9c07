"""Shipped pairs: `presets/<name>/` holds `config.json`, `weights.npz` in half precision, and how it was made."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgantl.errors import ArtifactError, RunError, intact
from tfgantl.files import fitted
from tfgantl.models import registration  # noqa: F401 - Keras must know the networks
from tfgantl.models.copies import finalize_state
from tfgantl.models.variable_names import named_weights
from tfgantl.regular_files import read_regular
from tfgantl.untrusted.archives import read_npz
from tfgantl.untrusted.networks import check_finite, check_network, uncompiled

PARTS = ("generator", "discriminator")
PRESETS = Path(__file__).parent.parent / "presets"


def names() -> list[str]:
    """Names of all shipped pairs."""
    return sorted(path.parent.name for path in PRESETS.glob("*/weights.npz"))


def directory_of(handle: str | Path) -> Path:
    """Where what a handle names lies: a shipped pair, whatever the working directory has of that name, or a path."""
    return PRESETS / handle if handle in names() else Path(handle)


def save_preset(directory: Path, generator: keras.Model, discriminator: keras.Model, metadata: dict) -> None:
    """Writes a pair into a new directory, which appears as a whole; its weights are stored in half precision."""
    save_half({"generator": generator, "discriminator": discriminator}, directory, metadata)


def save_half(
    networks: dict[str, keras.Model], directory: Path, metadata: dict, files: dict[str, Path] | None = None
) -> None:
    """Writes networks in half precision into a new directory, which appears as a whole.

    Args:
        networks: By the names of their parts, such as `generator`.
        directory: Where to.
        metadata: What is known of them, in plain values.
        files: Name in the directory → file that is to be there, too.
    """
    temporary = directory.with_name(fitted(f".{directory.name}", f".{os.getpid()}"))
    temporary.mkdir(parents=True)
    serialised = {part: keras.saving.serialize_keras_object(network) for part, network in networks.items()}
    config = {**serialised, "metadata": metadata}
    (temporary / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    weights: dict[str, Any] = _halves(networks)  # or NumPy's own options would be meant
    np.savez_compressed(temporary / "weights.npz", **weights)
    for name, file in (files or {}).items():
        shutil.copyfile(file, temporary / name)
    temporary.rename(directory)


def keep_half(
    networks: dict[str, keras.Model], directory: Path, metadata: dict, files: dict[str, Path] | None = None
) -> None:
    """Like `save_half`, for a run that goes on, and may have written the directory before it was interrupted.

    Args:
        networks: By the names of their parts, such as `generator`.
        directory: Where to.
        metadata: What is known of them, in plain values.
        files: Name in the directory → file that is to be there, too.

    Raises:
        RunError: If it holds anything else than these networks and files.
    """
    if not directory.exists():
        save_half(networks, directory, metadata, files)
    elif not _holds(directory, networks, files or {}):
        raise RunError(
            f"`preset_dir` must be new, or hold what this run has written. Received: {directory}, which holds "
            "something else; the run can go on once it is moved away"
        )


def _holds(directory: Path, networks: dict[str, keras.Model], files: dict[str, Path]) -> bool:
    """Whether a directory has the weights of these networks, and the texts among the files."""
    texts = {name: file for name, file in files.items() if file.suffix == ".json"}  # others keep the time
    try:
        found, wanted = read_npz(directory / "weights.npz"), _halves(networks)
        return (
            found.keys() == wanted.keys()
            and all(np.array_equal(found[name], value.astype(np.float32)) for name, value in wanted.items())
            and all((directory / name).read_bytes() == file.read_bytes() for name, file in texts.items())
        )
    except (ArtifactError, OSError):
        return False


def _halves(networks: dict[str, keras.Model]) -> dict[str, np.ndarray]:
    """Name → weight in half precision, but for those that have larger numbers."""
    weights = {}
    for name, variable in _weights_of(networks).items():
        value = variable.numpy()
        half = value.astype(np.float16)
        weights[name] = half if np.isfinite(half).all() else value
    return weights


def _weights_of(networks: dict[str, keras.Model]) -> dict[str, keras.Variable]:
    """Weights of all networks, by the names of these; by those of their parts, if two networks have the same."""
    names = {part: network.name for part, network in networks.items()}
    names = names if len(set(names.values())) == len(names) else {part: part for part in names}
    return {
        f"{names[part]}/{name}": v for part, network in networks.items() for name, v in named_weights(network).items()
    }


def load_preset(handle: str | Path) -> tuple[keras.Model, keras.Model]:
    """Reads a pair, by name and shape.

    Args:
        handle: Name of a shipped preset, or the directory of one.

    Raises:
        ArtifactError: If there is none, the files are damaged, or weights are missing, superfluous or of another shape.
    """
    directory = directory_of(handle)
    if not (directory / "config.json").is_file():
        raise ArtifactError(f"a preset must be one of {', '.join(names())}, or a directory. Received: {handle}")
    return tuple(load_half(directory, PARTS)[0])


def load_half(directory: Path, parts: Sequence[str]) -> tuple[list[keras.Model], dict]:
    """Reads what `save_half` has written, by name and shape.

    Args:
        directory: Where from.
        parts: Names of the networks.

    Returns:
        `(networks, metadata)`, the networks in the order of their names.

    Raises:
        ArtifactError: If files are damaged, or weights are missing, superfluous, not finite or of another shape.
    """
    with intact(f"{directory}: must hold config.json and weights.npz of a preset"):
        config = json.loads(read_regular(directory / "config.json"))
        stored = read_npz(directory / "weights.npz")
        for part in parts:
            check_network(config[part], 4 * sum(array.size for array in stored.values()), directory)
        networks = [keras.saving.deserialize_keras_object(uncompiled(config[part])) for part in parts]
        metadata = dict(config.get("metadata") or {})
    wanted = _weights_of(dict(zip(parts, networks, strict=True)))
    if set(wanted) != set(stored):
        raise ArtifactError(
            f"{directory}: weights.npz must hold the weights of config.json. Received: "
            f"missing {sorted(set(wanted) - set(stored))[:3]}, superfluous {sorted(set(stored) - set(wanted))[:3]}"
        )
    for name, variable in wanted.items():
        if stored[name].shape != tuple(variable.shape):
            raise ArtifactError(f"{directory}: {name} must have shape {variable.shape}. Received: {stored[name].shape}")
        variable.assign(stored[name])
    for network in networks:
        finalize_state(network)
        check_finite(network, str(directory))
    return networks, metadata
