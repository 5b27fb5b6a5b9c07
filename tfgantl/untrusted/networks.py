"""Networks from configurations and `.keras` files: what one would build is known before it is built."""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from tfgantl.errors import ArtifactError, intact
from tfgantl.untrusted.activations import bytes_of, largest
from tfgantl.untrusted.archives import check_digest, check_members
from tfgantl.untrusted.hdf5 import find_datasets
from tfgantl.untrusted.own_classes import check_own_classes, layers_of
from tfgantl.untrusted.parts import is_part
from tfgantl.untrusted.tracing import CountingGraph, peak

MAX_ACTIVATIONS = 2**30  # bytes of what is there at one time, for one image
MAX_CONFIG = 2**24  # bytes of the configuration of a network; those of large ones have a tenth
CUTS = ("indices_or_sections", "num", "num_or_size_splits")  # how many outputs an operation has
TURNS = ("chain_depth", "num_chains", "num_ops", "power_iterations")  # how often a layer does the same, one by one
MAX_TURNS = 100
SHARED = "shared_object_id"
IDENTITY = ("module", "class_name", "registered_name", "config")  # what makes a part that is shared
MAX_CALLS = 3_000  # of layers, to build a network; large ones have a thousand
MINED, WRAPPED = "tfgantl>MinedGenerator", "tfgantl>WrappedGenerator"
WRAPPED_TEXT = "tfgantl>WrappedTextEncoder"
MAX_SURPLUS = 2**20  # bytes of weights that need not be in the file, such as the states of random generators


def load_network(path: Path) -> keras.Model:
    """Loads one `.keras` file without running code from it, and without more memory than its weights need.

    Raises:
        ArtifactError: If the file is missing, damaged, not a Keras model, or would do more than compute; or a weight is
            not finite.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be a .keras file. Received: no such file")
    if path.suffix != ".keras":  # Keras would take it for another format than the one that is inspected here
        raise ArtifactError(f"{path}: must be a .keras file. Received: another suffix")
    check_digest(path)
    with intact(f"{path}: must be an intact .keras file of this package"):
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            if archive.testzip() is not None:
                raise ValueError("a checksum that is wrong")
            if (size := archive.getinfo("config.json").file_size) > MAX_CONFIG:
                raise ArtifactError(f"{path}: config.json must have at most {MAX_CONFIG} bytes. Received: {size}")
            config = json.loads(archive.read("config.json"))
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                stored = sum(dataset.nbytes for dataset in find_datasets(file, path).values())
        check_network(config, stored, path)
        network = keras.models.load_model(path, compile=False, safe_mode=True)
        if not isinstance(network, keras.Model):
            raise ArtifactError(f"{path}: must hold a model. Received: {type(network).__name__}")
        check_finite(network, str(path))
        return network


def check_finite(network: keras.Model, where: str) -> None:
    """Refuses weights with which whatever is computed would be black, or nothing.

    Raises:
        ArtifactError: If any is NaN or infinite, or a variance below 0, whose root is none.
    """
    for variable in network.variables:
        if not np.isfinite(variable.numpy()).all():
            raise ArtifactError(f"{where}: weights must be finite. Received: NaN or infinity in {variable.path}")
    for layer in network._flatten_layers():
        variance = getattr(layer, "moving_variance", None)
        if variance is not None and (least := float(variance.numpy().min(initial=0.0))) < 0:
            raise ArtifactError(f"{where}: variances must be at least 0. Received: {least:.3g} in {variance.path}")


def check_network(config: dict, stored: int, path: Path) -> None:
    """Refuses the configuration of a network that would do more than compute, or be larger than its weights.

    Args:
        config: As `keras.saving.serialize_keras_object` gives it.
        stored: Bytes of the weights that belong to it, in float32.
        path: Where it is from, for messages.

    Raises:
        ArtifactError: If it is not safe to build.
    """
    plain = deepcopy(uncompiled(config))  # Keras takes names out of what it builds from
    _check_parts(plain, path)
    _check_shared(plain, {}, path)
    check_own_classes(plain, stored, path)
    _check_counts(plain, path)
    if (calls := _calls(plain)[1]) > MAX_CALLS:
        raise ArtifactError(f"{path}: layers must be called at most {MAX_CALLS} times. Received: {calls}")
    claimed = 0
    for network in _networks(plain):
        claimed += _check_sizes(network, stored - claimed, path)
    for miner in _miners(plain):
        claimed += _check_miner(miner, stored - claimed, path)


def uncompiled(config: dict) -> dict:
    """A copy of a configuration without losses, metrics and optimizers; a copy, since Keras empties what it reads."""
    return {key: deepcopy(value) for key, value in config.items() if key != "compile_config"}


def _check_shared(config: Any, seen: dict[Any, bytes], path: Path) -> bytes:
    """Refuses parts that share a number and differ: the one that Keras meets first is taken for all of them.

    Returns:
        A hash of the configuration without the numbers of what is shared inside, which Keras writes where it comes to
        it first: each part is read once, however deep it lies.
    """
    if isinstance(config, list):
        return _hashed("list", [_check_shared(part, seen, path) for part in config])
    if not isinstance(config, dict):
        return json.dumps(config).encode()
    inside = {key: _check_shared(part, seen, path) for key, part in config.items() if key != SHARED}
    if (number := config.get(SHARED)) is not None:
        content = _hashed("part", [inside.get(key, b"") for key in IDENTITY])
        if not isinstance(number, int) or seen.setdefault(number, content) != content:
            raise ArtifactError(
                f"{path}: parts of one `{SHARED}` must be the same. Received: others for {number!r:.40}"
            )
    return _hashed("dict", [part for key, value in inside.items() for part in (json.dumps(key).encode(), value)])


def _hashed(kind: str, parts: list[bytes]) -> bytes:
    lengths = struct.pack(f"<{len(parts)}Q", *map(len, parts))
    return hashlib.sha256(b"".join([kind.encode(), lengths, *parts])).digest()


def _check_parts(config: Any, path: Path) -> None:
    """Refuses a configuration that names anything but parts of networks."""
    if isinstance(config, list):
        for part in config:
            _check_parts(part, path)
    if not isinstance(config, dict):
        return
    if "class_name" in config and not is_part(config):
        raise ArtifactError(
            f"{path}: must hold layers that only compute. Received: {config.get('module')}.{config['class_name']}"
        )
    if config.get("compile_config"):
        raise ArtifactError(f"{path}: must not be compiled inside. Received: a compile_config")
    for part in config.values():
        _check_parts(part, path)


def _check_counts(config: Any, path: Path) -> None:
    """Refuses numbers that say how often something is there: each is an object of Python's."""
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        _check_counts(part, path)
    for names, most in ((CUTS, MAX_CALLS), (TURNS, MAX_TURNS)) if isinstance(config, dict) else ():
        for name in names:
            given = config.get(name)
            count = len(given) if isinstance(given, list) else given if isinstance(given, int | float) else 0
            if count > most:
                raise ArtifactError(f"{path}: `{name}` must be at most {most}. Received: {count}")


def _calls(config: Any) -> tuple[int, int]:
    """How often layers are called, by a call of what is configured, and until that and what is inside are built.

    A network inside of another is called as often as it has nodes there, so that levels multiply.
    """
    if isinstance(config, list):
        parts = [_calls(part) for part in config]
    elif isinstance(config, dict):
        parts = [_calls(part) for key, part in config.items() if key not in ("inbound_nodes", "layers")]
        for layer in config.get("layers") or ():
            once, built = _calls(layer)
            parts.append((times := max(len(layer.get("inbound_nodes") or ()), 1) * max(once, 1), built + times))
        parts.append((layers_of(config),) * 2)
    else:
        return 0, 0
    return sum(once for once, _ in parts), sum(built for _, built in parts)


def _networks(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configurations of the networks that are to have their weights in the file."""
    for network in _parts_of(config):
        if _registered(_mined(network)) != WRAPPED and not _reads_savedmodel(network):
            yield uncompiled(network)


def _reads_savedmodel(config: dict[str, Any]) -> bool:
    """Whether it is a text encoder of another program that is no Keras model."""
    return _registered(config) == WRAPPED_TEXT and not isinstance(config["config"].get("source"), dict)


def _miners(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configurations of the miners ahead of a SavedModel."""
    for network in _parts_of(config):
        if _registered(network) == MINED and _registered(_mined(network)) == WRAPPED:
            yield network


def _parts_of(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    parts = config["config"] if _registered(config) == "tfgantl>GAN" else {"network": config}
    for name in ("generator", "discriminator", "network"):
        if parts.get(name) is not None:
            yield parts[name]


def _mined(config: dict[str, Any]) -> dict[str, Any]:
    """What is behind a miner, or the network itself."""
    return config["config"]["generator"] if _registered(config) == MINED else config


def _registered(config: dict[str, Any]) -> str | None:
    return config.get("registered_name")


def _check_miner(config: dict[str, Any], stored: int, path: Path) -> int:
    """As `_check_sizes`, for a miner ahead of a SavedModel, which cannot be loaded into a graph like a network."""
    wrapped = keras.saving.deserialize_keras_object(_mined(config), safe_mode=True)
    latents, units = wrapped.inputs[0].shape[-1], config["config"]["units"]
    claimed = 4 * (2 * latents * units + units + latents)
    _check_weights(claimed, stored, path)
    return claimed


def _check_sizes(config: dict[str, Any], stored: int, path: Path) -> int:
    """Builds a network in a graph, where nothing is allocated, and refuses it if it would need too much.

    Returns:
        Bytes of its weights.
    """
    with (graph := CountingGraph()).as_default():
        return _check_built(keras.saving.deserialize_keras_object(config, safe_mode=True), stored, path, graph)


def build_for(
    make: Callable[[], Sequence[keras.Model]],
    arrays: Sequence[Mapping[str, np.ndarray] | None],
    where: str,
    present: float = 1.0,
) -> list[keras.Model]:
    """Builds networks whose sizes were read from the shapes of arrays of a file.

    A shape is no evidence of bytes: a side of 0 makes all others free of charge. So they are built in a graph first,
    where nothing is allocated.

    Args:
        make: Builds the networks.
        arrays: What the file holds of each; `None` for one that is not of the file.
        where: Name of the file, for messages.
        present: Share of the weights that must be in the file, by their bytes.

    Raises:
        ArtifactError: If one would be larger than its arrays, or need too much memory.
    """
    with (graph := CountingGraph()).as_default():
        for network, found in zip(make(), arrays, strict=True):
            stored = None if found is None else round(sum(array.nbytes for array in found.values()) / present)
            _check_built(network, stored, Path(where), graph)
    return list(make())


def _check_built(network: keras.Model, stored: int | None, path: Path, graph: CountingGraph) -> int:
    claimed = sum(map(bytes_of, network.weights))
    if stored is not None:
        _check_weights(claimed, stored, path)
    for part, needed in (("a layer", largest), ("a network", partial(peak, graph=graph))):
        if (most := needed(network, path=path)) > MAX_ACTIVATIONS:
            raise ArtifactError(
                f"{path}: {part} must need at most {MAX_ACTIVATIONS} bytes of memory for one image. Received: {most}"
            )
    return claimed


def _check_weights(claimed: int, stored: int, path: Path) -> None:
    if claimed > stored + MAX_SURPLUS:
        raise ArtifactError(f"{path}: weights must be in the file. Received: {stored} of {claimed} bytes")
