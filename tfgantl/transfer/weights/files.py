"""Weight files that may come from anywhere: sizes and links are checked before anything is unpacked."""

import zipfile
from pathlib import Path, PurePosixPath

import h5py
import keras
import numpy as np
from numpy.lib import format as npy

from tfgantl.errors import ArtifactError, TfgantlError

MOST_BYTES = 8 * 2**30  # of one file, unpacked
MOST_RATIO = 1000  # unpacked to packed; weights hardly compress


def load_network(path: Path) -> keras.Model:
    """Loads one `.keras` file without running code from it.

    Raises:
        ArtifactError: If the file is missing or not a Keras model.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be a .keras file. Received: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except TfgantlError:
        raise
    except Exception as error:  # damaged archives raise whatever their parser meets first
        raise ArtifactError(
            f"{path}: must be an intact .keras file of this package. Received: {reason(error)}"
        ) from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an archive, in their order; Python objects are refused.

    Raises:
        ArtifactError: If the file is missing, damaged, holds anything but arrays of numbers, or is too large.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be an .npz archive. Received: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            return {name.removesuffix(".npy"): _read_npy(archive, name, path) for name in archive.namelist()}
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{path}: must be an intact .npz archive. Received: {reason(error)}") from error


def _check_members(archive, path):
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > MOST_BYTES or total > MOST_RATIO * max(packed, 2**20):
        raise ArtifactError(f"{path}: must unpack to at most {MOST_BYTES} bytes. Received: {total} from {packed}")
    for member in members:
        if member.filename.startswith("/") or ".." in PurePosixPath(member.filename).parts:
            raise ArtifactError(f"{path}: names in the archive must stay inside it. Received: {member.filename}")


def _read_npy(archive, name, path):
    with archive.open(name) as file:
        header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(file)
    if dtype.kind not in "fiub" or dtype.hasobject:
        raise ArtifactError(f"{path}: {name} must hold numbers. Received: {dtype}")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > archive.getinfo(name).file_size:
        raise ArtifactError(f"{path}: {name} must hold as much as its shape says. Received: {shape}")
    with archive.open(name) as file:
        array = npy.read_array(file, allow_pickle=False)
    return array.astype(np.float32) if dtype.kind == "f" else array


def read_weights_h5(path: Path) -> dict[str, np.ndarray]:
    """Reads a `.weights.h5` of Keras 3, under names of layers.

    Returns:
        `[generator/ | discriminator/]<layer>/<kernel | bias | gamma | beta | moving_mean | moving_variance>` → array.
        The file numbers the weights of a layer; their roles follow from their shapes.

    Raises:
        ArtifactError: If the file is missing, damaged, too large, or points to other files.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be a .weights.h5 file. Received: no such file")
    try:
        with h5py.File(path, "r") as file:
            datasets = {}
            _walk(file, "", datasets, path)
            total = sum(int(np.prod(d.shape, dtype=object)) * d.dtype.itemsize for d in datasets.values())
            if total > min(MOST_BYTES, MOST_RATIO * max(path.stat().st_size, 2**20)):
                raise ArtifactError(f"{path}: must unpack to at most {MOST_BYTES} bytes. Received: {total}")
            return _named_by_layer(file, datasets)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{path}: must be an intact .weights.h5 of Keras. Received: {reason(error)}") from error


def _walk(group, prefix, datasets, path):
    for key in group:
        link, name = group.get(key, getlink=True), f"{prefix}{key}"
        if not isinstance(link, h5py.HardLink):
            raise ArtifactError(f"{path}: must hold its weights itself. Received: a link at {name}")
        item = group[key]
        if isinstance(item, h5py.Group):
            _walk(item, f"{name}/", datasets, path)
        elif item.is_virtual or item.external:
            raise ArtifactError(f"{path}: must hold its weights itself. Received: another file at {name}")
        elif item.dtype.kind in "fiub":
            datasets[name] = item
        else:
            raise ArtifactError(f"{path}: {name} must hold numbers. Received: {item.dtype}")


def _named_by_layer(file, datasets):
    layers = {}
    for name, dataset in datasets.items():
        parent, _, index = name.rpartition("/")
        layers.setdefault(parent, {})[int(index) if index.isdecimal() else index] = dataset[()]
    arrays = {}
    for parent, found in layers.items():
        label = file[parent].attrs.get("name", parent.removesuffix("/vars").rpartition("/")[2])
        top = parent.partition("/")[0]
        prefix = f"{top}/" if top in ("generator", "discriminator", "ema_generator") else ""
        order = sorted(found, key=str)
        for index, role in zip(order, _roles([found[i].ndim for i in order]), strict=True):
            arrays[f"{prefix}{label}/{role or index}"] = found[index]
    return arrays


def _roles(ranks):
    """What a layer's weights are, from the number of their dimensions, in the order in which Keras keeps them."""
    if ranks == [1, 1, 1, 1]:
        return ["gamma", "beta", "moving_mean", "moving_variance"]
    if ranks and ranks[0] >= 2 and ranks[1:] in ([], [1]):
        return ["kernel", "bias"][: len(ranks)]
    return [None] * len(ranks)


def reason(error: Exception) -> str:
    """First line of an error, or its type."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
