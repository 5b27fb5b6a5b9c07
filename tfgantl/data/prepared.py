"""Data sets that tensorflow-datasets has prepared, read as data.

Its own reader imports whatever module a file of the set names. Here names are compared with two lists, sizes are
bounded, and of the records only the picture and its label are looked at.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from tfgantl.errors import DataError, reason
from tfgantl.printing import printable
from tfgantl.regular_files import read_regular

FEATURES = "tensorflow_datasets.core.features."
PICTURES = {f"{FEATURES}image_feature.Image", f"{FEATURES}labeled_image.LabeledImage"}
LABELS = {f"{FEATURES}class_label_feature.ClassLabel"}
# What says of a picture what its bytes are, and what of it is read. float32 lies in a file as RGBA of the same bytes.
MEANINGS = {"dtype": ("uint8", "uint16"), "encodingFormat": ("", "png", "jpeg")}
BESIDE = {"shape", "useColormap", "label", "labels"}  # what else there is, which the bytes do not depend on
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
FORMAT = "tfrecord"
NAME, SPLIT, VERSION = re.compile(r"[A-Za-z]\w*"), re.compile(r"[\w-]+"), re.compile(r"\d+\.\d+\.\d+")
MAX_TEXT = 2**24  # bytes of a file that says what is in a set
MAX_CLASSES = 2**16
BLOCK = 16  # records of one file in turn, and files at one time: the order is that of tensorflow-datasets
HEAD, FOOT = 12, 4  # bytes around a record: its length and checksums


class Picture(NamedTuple):
    """A feature that is a picture: its sides, `None` for those that differ, and what its pixels are in memory.

    `unread` is what its bytes are that is not read; empty if they are.
    """

    height: int | None
    width: int | None
    channels: int | None
    dtype: str
    unread: str


@dataclass(frozen=True)
class PreparedSet:
    """What is in a prepared set.

    Args:
        folder: Where it lies.
        name: What its files begin with.
        pictures: Each feature that is a picture.
        classes: Number of classes of each feature that is a label.
        splits: Number of examples in each file of each split.
    """

    folder: str
    name: str
    pictures: dict[str, Picture]
    classes: dict[str, int]
    splits: dict[str, list[int]]

    def class_names(self, label: str) -> list[str]:
        """Names of the classes of a label: those of its file, or numbers."""
        path, count = tf.io.gfile.join(self.folder, f"{label}.labels.txt"), self.classes[label]
        if not tf.io.gfile.exists(path):
            return [str(number) for number in range(count)]
        names = [name.strip() for name in _text(path).split("\n") if name.strip()]
        if len(names) != count:
            raise DataError(f"Tfds: {printable(path)} must name {count} classes. Received: {len(names)}")
        return names


class Part(NamedTuple):
    """Records of one file: `take` of them (-1 for all), after `skip`; it must have as many in all as is `stated`."""

    file: str
    skip: int
    take: int
    stated: int


def find_prepared(root: str, name: str, config: str | None, version: str | None) -> str | None:
    """The folder of a prepared set, of its newest version that fits; `None` if there is none.

    Args:
        root: Where prepared sets lie.
        name: Name of the set.
        config: Its configuration; `None` for the one that it names as the usual one, or the only one.
        version: Such as `1.0.0` or `1.*.*`; `None` for the newest.
    """
    folder = tf.io.gfile.join(root, name)
    if config is None and not _versions(folder):
        configs = [name for name in _names_in(folder) if _versions(tf.io.gfile.join(folder, name))]
        metadata = tf.io.gfile.join(folder, ".config", "metadata.json")
        usual = _json(metadata).get("default_config_name") if tf.io.gfile.exists(metadata) else None
        config = usual if usual in configs else configs[0] if len(configs) == 1 else None
    folder = tf.io.gfile.join(folder, config) if config else folder
    wanted = re.compile((version or "*.*.*").replace(".", r"\.").replace("*", r"\d+"))
    fitting = [found for found in _versions(folder) if wanted.fullmatch(found)]
    return tf.io.gfile.join(folder, fitting[-1]) if fitting else None


def inspect_prepared(folder: str) -> PreparedSet:
    """Reads what is in a prepared set, without its records.

    Raises:
        DataError: If it is damaged, or of a format that is not read.
    """
    try:
        features = _content(_json(tf.io.gfile.join(folder, "features.json")))[1]
        info = _json(tf.io.gfile.join(folder, "dataset_info.json"))
        known = {name: _content(feature) for name, feature in features.get("features", features).items()}
        pictures = {name: _picture(content) for name, (kind, content) in known.items() if kind in PICTURES}
        classes = {
            name: int(content.get("numClasses") or content.get("num_classes") or 0)
            for name, (kind, content) in known.items()
            if kind in LABELS
        }
        splits = {split["name"]: [int(count) for count in split["shardLengths"]] for split in info["splits"]}
        names, found = info["name"], info.get("fileFormat") or FORMAT
        templates = {split.get("filepathTemplate") or TEMPLATE for split in info["splits"]}
    except DataError:
        raise
    except Exception as error:  # whatever a file of another layout leads to
        raise DataError(
            f"Tfds: {printable(folder)} must hold a set that tensorflow-datasets has prepared. "
            f"Received: damaged ({type(error).__name__}: {printable(reason(error))})"
        ) from error
    for what, right, received in (
        ("must have records in tfrecord", found == FORMAT, found),
        ("must have files of the usual names", templates <= {TEMPLATE} and bool(NAME.fullmatch(names)), names),
        ("must have splits of simple names", all(map(SPLIT.fullmatch, splits)), list(splits)),
        ("must have numbers of examples", all(n >= 0 for counts in splits.values() for n in counts), "others"),
        (f"must have at most {MAX_CLASSES} classes", all(0 <= n <= MAX_CLASSES for n in classes.values()), classes),
    ):
        if not right:
            raise DataError(f"Tfds: {printable(folder)} {what}. Received: {printable(received)[:200]}")
    return PreparedSet(folder, names, pictures, classes, splits)


def read_examples(parts: list[Part], picture: str, label: str | None) -> Iterator[tuple[bytes, int | None]]:
    """Reads pictures, still encoded, and labels; whatever else is in a record is not.

    Raises:
        DataError: If records are damaged.
    """
    keys = {picture: tf.io.FixedLenFeature([], tf.string)}
    if label:
        keys[label] = tf.io.FixedLenFeature([], tf.int64)

    def records(file: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(file).skip(skip).take(take)

    try:
        for part in parts:
            if (count := _count(part.file)) != part.stated:
                raise DataError(
                    f"Tfds: {printable(part.file)}: must hold the {part.stated} records that dataset_info.json states. "
                    f"Received: {count}"
                )
        columns = ([p.file for p in parts], [p.skip for p in parts], [p.take for p in parts])
        data = tf.data.Dataset.from_tensor_slices(
            tuple(tf.constant(c, d) for c, d in zip(columns, (tf.string, tf.int64, tf.int64), strict=True))
        )
        data = data.interleave(records, cycle_length=BLOCK, block_length=BLOCK)
        for example in data.map(lambda record: tf.io.parse_single_example(record, keys)).as_numpy_iterator():
            yield example[picture], int(example[label]) if label else None
    except (tf.errors.OpError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"Tfds: records must be whole. Received: {printable(reason(error))}") from error


def _count(file: str) -> int:
    """Number of records, whose lengths are looked at.

    TensorFlow makes room for as many bytes as a record claims, and ends the process if there are none.
    """
    left, count = tf.io.gfile.stat(file).length, 0
    with tf.io.gfile.GFile(file, "rb") as stream:
        while left:
            head = stream.read(HEAD)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == HEAD else 0
            left -= HEAD + length + FOOT
            if left < 0:
                raise DataError(f"Tfds: {printable(file)}: records must be whole. Received: one of {length} bytes")
            stream.read(length + FOOT)
            count += 1
    return count


def _content(feature: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name of the class of a feature, and what is said of it, in the layout of today or of before 2021."""
    if "type" in feature:
        return feature["type"], feature["content"]
    content = (feature.get(key) for key in ("image", "classLabel", "featuresDict"))
    return feature["pythonClassName"], next(filter(None, content), {})


def _picture(content: dict[str, Any]) -> Picture:
    shape = content["shape"]
    sides = [side and int(side) for side in (shape["dimensions"] if isinstance(shape, dict) else shape)]
    height, width, channels = (None if side is None or side < 0 else side for side in sides)
    said = {"encodingFormat" if key == "encoding_format" else key: value for key, value in content.items()}
    said = {"dtype": "", "encodingFormat": ""} | {key: value or "" for key, value in said.items()}
    unread = [(key, value) for key, value in said.items() if key not in BESIDE and value not in MEANINGS.get(key, ())]
    return Picture(height, width, channels, said["dtype"], ", ".join(f"{key} {value!r}" for key, value in unread))


def _versions(folder: str) -> list[str]:
    """Versions in a folder that hold a set, the newest one last."""
    found = [name for name in _names_in(folder) if VERSION.fullmatch(name)]
    there = [name for name in found if tf.io.gfile.exists(tf.io.gfile.join(folder, name, "features.json"))]
    newest: Callable[[str], list[int]] = lambda name: [int(part) for part in name.split(".")]  # noqa: E731
    return sorted(there, key=newest)


def _names_in(folder: str) -> list[str]:
    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)] if tf.io.gfile.isdir(folder) else []


def _json(path: str) -> dict[str, Any]:
    return json.loads(_text(path))


def _text(path: str) -> str:
    if tf.io.gfile.stat(path).length > MAX_TEXT:
        raise DataError(f"Tfds: {printable(path)} must have at most {MAX_TEXT} bytes. Received: more")
    if "://" not in path:  # of a bucket, everything is a file
        return read_regular(Path(path), MAX_TEXT).decode(errors="replace")
    with tf.io.gfile.GFile(path, "rb") as stream:
        return stream.read(MAX_TEXT).decode(errors="replace")
