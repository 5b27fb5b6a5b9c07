"""Data sets of tensorflow-datasets: finds and prepares them by it, the one module that imports it, and reads them."""

from __future__ import annotations

import hashlib
import io
import os
import re
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.data.decode import decode_picture
from tfgantl.data.depth import Depth, choose_depth, deep_range
from tfgantl.data.examples import Content, told_if_dark
from tfgantl.data.prepared import FORMAT, MEANINGS, Part, PreparedSet, find_prepared, inspect_prepared, read_examples
from tfgantl.errors import ConfigError, DataError, TfgantlError, not_installed
from tfgantl.printing import printable

if TYPE_CHECKING:
    from tfgantl.data.sources import Tfds

# No names of other programs' registries, and no arguments: what those read from disk is not looked at first.
DATASET = re.compile(
    r"(?P<name>[A-Za-z]\w*)(/(?P<config>[\w+\-][\w+.\-]*))?(:(?P<version>(\d+|\*)\.(\d+|\*)\.(\d+|\*)))?"
)


def read_tfds(source: Tfds, split: str) -> Content:
    """Reads a split as a whole.

    Args:
        source: A `Tfds`.
        split: Name of the split in tensorflow-datasets, such as `train` or `train[:10%]`.

    Returns:
        All images, with their labels if there are any.

    Raises:
        ConfigError: If tensorflow-datasets is not installed, or features are not there, or not read.
        DataError: If the data set is unknown, not prepared or damaged, or has too many images.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ConfigError(not_installed("Tfds", "tensorflow-datasets", "tfds", error)) from error

    try:
        prepared = inspect_prepared(_folder(tfds, source))
    except TfgantlError:
        raise
    except Exception as error:  # tensorflow-datasets raises many kinds, some a screen long
        raise DataError(
            f"Tfds: `dataset` must be prepared in {source.data_dir or '~/tensorflow_datasets'}, or downloadable. "
            f"Received: {source.dataset}, split {split} ({_first_line(error)})"
        ) from error
    if source.image_key not in prepared.pictures:
        raise ConfigError(
            f"Tfds: `image_key` must be an image feature of {source.dataset}: "
            f"{', '.join(sorted(prepared.pictures)) or 'it has none'}. Received: {source.image_key}"
        )
    picture = prepared.pictures[source.image_key]
    if picture.unread:
        raise ConfigError(
            f"Tfds: `image_key` must be an image feature of {' or '.join(MEANINGS['dtype'])}, as PNG or JPEG. "
            f"Received: {source.image_key}, {printable(picture.unread)[:200]}"
        )
    parts = _parts(tfds, prepared, split)
    size, channels = source.image_size or picture.height, source.channels or picture.channels
    if size is None or channels is None:
        raise ConfigError(f"Tfds: `image_size` and `channels` must be given for {source.dataset}. Received: None")
    if size * size > source.max_pixels:
        raise ConfigError(
            f"Tfds: images must have at most `max_pixels` = {source.max_pixels} pixels. Received: {size} x {size}"
        )
    depth, notes = _depth(tfds, prepared, source)
    label = source.label_key if source.label_key in prepared.classes else None
    if label is None and source.label_key is not None and prepared.classes:
        raise ConfigError(
            f"Tfds: `label_key` must be a label of {source.dataset}, or null for none: "
            f"{printable(', '.join(sorted(prepared.classes)))[:200]}. Received: {source.label_key}"
        )
    images, labels, digests = [], [], []
    for number, (encoded, one_label) in enumerate(read_examples(parts, source.image_key, label)):
        image = decode_picture(io.BytesIO(encoded), size, channels, source.max_pixels, depth, source.crop)
        if isinstance(image, str):
            raise DataError(f"Tfds: every image must be usable. Received: example {number} of {split}, which {image}")
        images.append(image)
        digests.append(hashlib.sha256(encoded).digest())  # the files themselves may be a hundred times as large
        labels.append(one_label)
        if len(images) * size * size * channels > source.max_bytes:
            raise DataError(
                f"Tfds: all images together must fit `max_bytes` = {source.max_bytes}. "
                f"Received: more than {len(images) - 1} images of {size * size * channels} bytes"
            )
    if not images:
        raise DataError(f"Tfds: {source.dataset}: split {split} must hold images. Received: none")
    keys, stacked = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), np.stack(images)
    notes = (*notes, *told_if_dark(int(stacked.max())))
    if label is None:
        return Content(stacked, notes=notes, keys=keys)
    names = tuple(prepared.class_names(label))
    return Content(stacked, np.array(labels), len(names), notes, keys, names)


def _depth(tfds: ModuleType, prepared: PreparedSet, source: Tfds) -> tuple[Depth, tuple[str, ...]]:
    """What white is in pictures of 16 bits, and a remark of it: the same for training and test.

    Files of 16 bits in a set of 8 keep their upper 8, as in tensorflow-datasets.
    """
    if prepared.pictures[source.image_key].dtype != "uint16":
        return Depth(), ()
    parts = [part for split in (source.split, source.test_split) if split for part in _parts(tfds, prepared, split)]
    files = (encoded for encoded, _ in read_examples(list(dict.fromkeys(parts)), source.image_key, None))
    depth, remarks = choose_depth(deep_range(io.BytesIO(file), source.max_pixels) for file in files)
    return depth, tuple(remarks)


def _folder(tfds: ModuleType, source: Tfds) -> str:
    """Where a set lies prepared: by the code that makes it, unless there is none or a version is asked for."""
    parsed = DATASET.fullmatch(source.dataset)
    if parsed is None:
        raise ConfigError(
            "Tfds: `dataset` must be NAME, NAME/CONFIG, NAME:VERSION or NAME/CONFIG:VERSION. "
            f"Received: {source.dataset}"
        )
    name, config, version = parsed["name"], parsed["config"], parsed["version"]
    root = source.data_dir or os.environ.get("TFDS_DATA_DIR") or os.path.expanduser("~/tensorflow_datasets")
    try:
        code = tfds.builder_cls(name)
    except tfds.core.DatasetNotFoundError:
        if folder := find_prepared(root, name, config, version):
            return folder
        raise
    is_old = version or (config and config not in code.builder_configs)
    if is_old and (folder := find_prepared(root, code.name, config, version)):
        return folder
    builder = code(data_dir=source.data_dir, config=config, version=version)
    if source.download:
        builder.download_and_prepare()
    elif not builder.is_prepared():
        raise FileNotFoundError("not prepared")
    return os.fspath(builder.data_dir)


def _parts(tfds: ModuleType, prepared: PreparedSet, split: str) -> list[Part]:
    """Which records of which files are those of a split, or of a slice or sum of some.

    Raises:
        DataError: If there is no such split.
    """
    splits = tfds.core.SplitDict(
        [
            tfds.core.SplitInfo(
                name=name,
                shard_lengths=counts,
                num_bytes=0,
                filename_template=tfds.core.ShardedFileTemplate(
                    data_dir=tfds.core.Path(prepared.folder), dataset_name=prepared.name, split=name,
                    filetype_suffix=FORMAT,
                ),
            )
            for name, counts in prepared.splits.items()
        ]
    )  # fmt: skip
    stated = {
        f"{prepared.name}-{name}.{FORMAT}-{number:05}-of-{len(counts):05}": count
        for name, counts in prepared.splits.items()
        for number, count in enumerate(counts)
    }
    try:
        return [
            Part(part.filename, part.skip, part.take, stated[os.path.basename(part.filename)])
            for part in splits[split].file_instructions
        ]
    except Exception as error:
        raise DataError(
            f"Tfds: `split` must be one of {', '.join(prepared.splits)}, or a slice. "
            f"Received: {split} ({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
