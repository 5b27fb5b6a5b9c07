"""HDF5 files: a small one can point to others, hold itself, and claim to be a petabyte."""

import zlib
from pathlib import Path

import h5py
import numpy as np
from h5py import h5z

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.archives import MAX_BYTES, MAX_RATIO, MIN_BYTES
from tfgantl.untrusted.unique_names import add

FILTERS = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32)  # in the order in which h5py has them
LABELS, LONGEST_LABEL = ("name", "dtype"), 1000  # what is read beside arrays: that of a layer, and that of its numbers
CHUNK_BYTES = 64  # of the file for each chunk, which takes some 4 kB of memory; those that h5py makes have thousands


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
        arrays: dict[str, np.ndarray] = {}
        for name, dataset in find_datasets(file, path).items():
            label = dataset.parent.attrs.get("name")
            own = f"{label}/{name}" if label else name
            add(arrays, own, dataset[()], f"{path}: names of weights must be unique, behind those of their layers")
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
        _check_labels(group, f"{path}: {prefix or '/'}")
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
                _check_labels(item, f"{path}: {name}")
                datasets[name] = item
            else:
                raise ArtifactError(f"{path}: {name} must hold numbers. Received: {item.dtype}")

    walk(file, "")
    size = max(path.stat().st_size, MIN_BYTES)
    total = sum(map(_claimed, datasets.values()))
    if total > min(MAX_BYTES, MAX_RATIO * size):
        raise ArtifactError(f"{path}: must unpack to at most {MAX_BYTES} bytes. Received: {total}")
    chunks = sum(int(np.prod(_grid(dataset), dtype=object)) for dataset in datasets.values() if dataset.chunks)
    if chunks > size // CHUNK_BYTES:
        raise ArtifactError(f"{path}: must be in at most {size // CHUNK_BYTES} chunks. Received: {chunks}")
    for name, dataset in datasets.items():
        _check_chunks(dataset, f"{path}: {name}")
    return datasets


def _check_labels(item: h5py.Group | h5py.Dataset, where: str) -> None:
    """Refuses what is read beside arrays, and no short text.

    The texts of a table may all be one and the same megabyte of the file, and each is read whole.
    """
    for label in LABELS:
        if label not in item.attrs:
            continue
        kept = item.attrs.get_id(label)
        is_text = kept.shape == () and h5py.check_string_dtype(kept.dtype) is not None
        if not is_text or kept.dtype.itemsize > LONGEST_LABEL or len(item.attrs[label]) > LONGEST_LABEL:
            raise ArtifactError(f"{where} must have `{label}` of at most {LONGEST_LABEL} letters. Received: others")


def _grid(dataset: h5py.Dataset) -> list[int]:
    """How many chunks a dataset has in each direction."""
    return [-(-side // chunk) for side, chunk in zip(dataset.shape, dataset.chunks, strict=True)]


def _claimed(dataset: h5py.Dataset) -> int:
    """Bytes that reading takes: a chunk is unpacked as a whole, however little of it belongs to the dataset."""
    sides = (*_grid(dataset), *dataset.chunks) if dataset.chunks else dataset.shape
    return int(np.prod(sides, dtype=object)) * dataset.dtype.itemsize


def _check_chunks(dataset: h5py.Dataset, where: str) -> None:
    """Refuses chunks that unpack to more than their size, which HDF5 would follow to their end."""
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if filters != [known for known in FILTERS if known in filters]:  # each once: two of deflate make a million to one
        raise ArtifactError(
            f"{where} must be packed by shuffle, deflate and fletcher32, in this order. Received: {filters}"
        )
    if not filters:
        return
    most = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
    written: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(written.append)  # in one pass: asked for one by one, each is searched from the first
    for stored in written:
        corner = stored.chunk_offset
        if stored.size > 2 * most + MIN_BYTES:  # packing makes numbers without a pattern a little larger
            raise ArtifactError(f"{where} must have chunks of at most {most} bytes. Received: {stored.size}")
        skipped, packed = dataset.id.read_direct_chunk(corner)
        if h5z.FILTER_DEFLATE not in filters or skipped & 1 << filters.index(h5z.FILTER_DEFLATE):
            continue
        if len(zlib.decompressobj().decompress(packed, most + 1)) > most:
            raise ArtifactError(f"{where} must have chunks that unpack to at most {most} bytes. Received: more")
