"""HDF5 files: a small one can point to others, hold itself, and claim to be a petabyte."""

from pathlib import Path

import h5py
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.archives import MAX_BYTES, MAX_RATIO, MIN_BYTES


def read_hdf5(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file of weights.

    Returns:
        Name → array. Keras 3 numbers its layers, and keeps their names beside the arrays: these stand before the
        place in the file, as in `block1_conv1/layers/conv2d/vars/0`.

    Raises:
        ArtifactError: If the file is too large, or points to other files.
        Exception: If it is damaged, whatever its reader meets first.
    """
    with h5py.File(path, "r") as file:
        arrays = {}
        for name, dataset in find_datasets(file, path).items():
            label = dataset.parent.attrs.get("name")
            arrays[f"{label}/{name}" if label else name] = dataset[()]
        return arrays


def find_datasets(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    """Name → dataset, of a file that holds nothing but numbers, and those itself.

    Raises:
        ArtifactError: If it points to other files or in circles, or would unpack to too much.
    """
    datasets, groups = {}, set()

    def walk(group: h5py.Group, prefix: str) -> None:
        address = h5py.h5o.get_info(group.id).addr
        if address in groups:  # or a small file could have a million of them
            raise ArtifactError(f"{path}: must hold each group once. Received: {prefix} twice")
        groups.add(address)
        for key in group:
            link, name = group.get(key, getlink=True), f"{prefix}{key}"
            if not isinstance(link, h5py.HardLink):
                raise ArtifactError(f"{path}: must hold its weights itself. Received: a link at {name}")
            item = group[key]
            if isinstance(item, h5py.Group):
                walk(item, f"{name}/")
            elif item.is_virtual or item.external:
                raise ArtifactError(f"{path}: must hold its weights itself. Received: another file at {name}")
            elif item.dtype.kind in "fiub":
                datasets[name] = item
            else:
                raise ArtifactError(f"{path}: {name} must hold numbers. Received: {item.dtype}")

    walk(file, "")
    total = sum(map(_claimed, datasets.values()))
    if total > min(MAX_BYTES, MAX_RATIO * max(path.stat().st_size, MIN_BYTES)):
        raise ArtifactError(f"{path}: must unpack to at most {MAX_BYTES} bytes. Received: {total}")
    return datasets


def _claimed(dataset: h5py.Dataset) -> int:
    """Bytes that reading takes: a chunk is unpacked as a whole, however little of it belongs to the dataset."""
    sides = dataset.shape
    if dataset.chunks:
        sides = [-(-side // chunk) * chunk for side, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    return int(np.prod(sides, dtype=object)) * dataset.dtype.itemsize
