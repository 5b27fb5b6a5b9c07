"""Networks from configurations and `.keras` files: what one would build is known before it is built."""

import io
import json
import re
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, TfgantlError, reason
from tfgantl.untrusted.archives import check_digest, check_members
from tfgantl.untrusted.hdf5 import find_datasets

MOST_SURPLUS = 2**20  # bytes of weights that need not be in the file, such as the states of random generators
# What a configuration may name: parts of networks. Among the rest are functions that load files and call Python.
PARTS = re.compile(
    r"keras(\.src)?(\.(layers|models|initializers|regularizers|constraints|activations|dtype_policies)\b.*)?"
    r"|tfgantl\..*|builtins"
)
# Layers that run code of their own, or read files.
CODE = {
    "Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup",
    "IntegerLookup", "TextVectorization", "Hashing",
}  # fmt: skip


def load_network(path: Path) -> keras.Model:
    """Loads one `.keras` file without running code from it, and without more memory than its weights need.

    Raises:
        ArtifactError: If the file is missing, damaged, not a Keras model, or would do more than compute.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be a .keras file. Received: no such file")
    check_digest(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            if archive.testzip() is not None:
                raise ValueError("a checksum that is wrong")
            config = json.loads(archive.read("config.json"))
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                stored = sum(dataset.nbytes for dataset in find_datasets(file, path).values())
        check_network(config, stored, path)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except TfgantlError:
        raise
    except Exception as error:  # damaged archives raise whatever their parser meets first
        raise ArtifactError(
            f"{path}: must be an intact .keras file of this package. Received: {reason(error)}"
        ) from error


def check_network(config: dict, stored: int, path: Path) -> None:
    """Refuses the configuration of a network that would do more than compute, or be larger than its weights.

    Args:
        config: As `keras.saving.serialize_keras_object` gives it.
        stored: Bytes of the weights that belong to it, in float32.
        path: Where it is from, for messages.

    Raises:
        ArtifactError: If it is not safe to build.
    """
    _check_parts(config, path)
    claimed = sum(map(_size, _networks(config)))
    if claimed > stored + MOST_SURPLUS:
        raise ArtifactError(f"{path}: weights must be in the file. Received: {stored} of {claimed} bytes")


def _check_parts(config, path):
    """Refuses a configuration that names anything but parts of networks."""
    if isinstance(config, list):
        for part in config:
            _check_parts(part, path)
    if not isinstance(config, dict):
        return
    name, module = config.get("class_name"), config.get("module") or "keras"
    if "class_name" in config and (name in CODE or not PARTS.fullmatch(str(module))):
        raise ArtifactError(f"{path}: must hold layers that only compute. Received: {module}.{name}")
    for key, part in config.items():
        if key != "compile_config":  # is not read
            _check_parts(part, path)


def _networks(config):
    """The configurations of the networks that are to have their weights in the file."""
    parts = config["config"] if config.get("registered_name") == "tfgantl>GAN" else {"network": config}
    networks = [parts[name] for name in ("generator", "discriminator", "network") if name in parts]
    return [network for network in networks if "tfgantl>WrappedGenerator" not in json.dumps(network)]  # a SavedModel


def _size(config):
    """Bytes of all weights; found in a graph, where nothing is allocated."""
    with tf.Graph().as_default():
        network = keras.saving.deserialize_keras_object(config, safe_mode=True)
        return sum(int(np.prod(v.shape, dtype=object)) * tf.as_dtype(v.dtype).size for v in network.weights)
