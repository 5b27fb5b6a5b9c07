"""Data sets where they lie: shards of WebDataset, TFRecord, ArrayRecord and Parquet, and data sets of Hugging Face."""

import os
import re
from abc import abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tfgantl.data.encoded import EncodedSource
from tfgantl.data.pictures import PictureList
from tfgantl.data.shards.files import check_files, is_remote, local_files, stamp_of_files
from tfgantl.errors import ConfigError
from tfgantl.files import absolute, expanded


@dataclass(frozen=True, kw_only=True)
class ShardSource(EncodedSource):
    """Pictures in files of one kind, many in each.

    Those of a kind have a field `path`: a file, a folder, a pattern such as `shards/train-{00000..00099}.tar` or
    `shards/*.tar`, or the address of any of these in a bucket (`gs://`, `s3://`, and whatever else fsspec knows), whose
    files are copied into the cache.
    """

    suffixes: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        path = getattr(self, "path")  # noqa: B009 - a field of each kind, ahead of those here
        if not is_remote(path):
            object.__setattr__(self, "path", absolute(path))

    def check_files(self) -> None:
        check_files(type(self).__name__, self._path, self.suffixes)

    def stamp(self) -> Hashable:
        return stamp_of_files(type(self).__name__, self._path, self.suffixes)

    @property
    def name(self) -> str:
        stem = re.split(r"[*?\[{]", self._path.rstrip("/"))[0]
        return Path(stem).stem.rstrip("-_.") or Path(stem).parent.name or type(self).__name__.casefold()

    def pictures(self) -> PictureList:
        found = self.listed([Path(file) for file in local_files(type(self).__name__, self._path, self.suffixes)])
        return with_labels(self, found)

    @abstractmethod
    def listed(self, files: list[Path]) -> PictureList:
        """The pictures of shards, in the order of their names."""

    @property
    def _path(self) -> str:
        return os.fspath(getattr(self, "path"))  # noqa: B009


@dataclass(frozen=True)
class WebDataset(ShardSource):
    """Pictures in `.tar` shards as WebDataset writes them: members of one name up to the first dot are a sample.

    Labels are whole numbers, or names, in the member `label`. Names of classes are taken from a file `classes.txt`
    beside the shards, a line each, if there is one.

    Args:
        path: The shards.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        image: Suffixes of the members that are pictures. A sample has one of these; of others than the usual ones, the
            first that it has counts.
        label: Suffix of the members with the labels; `None` for no labels. Shards may be without them.
        test: Share of each class for the test.
    """

    path: str
    image_size: int | None = None
    channels: int | None = None
    image: tuple[str, ...] = ("png", "jpg", "jpeg", "webp", "img", "bmp", "gif", "tif", "tiff")
    label: str | None = "cls"
    test: float = field(default=0.2, kw_only=True)

    suffixes: ClassVar[tuple[str, ...]] = (".tar",)

    def listed(self, files: list[Path]) -> PictureList:
        from tfgantl.data.shards.tar import TarPictures

        return TarPictures(files, self.image, self.label, chosen=self.image != type(self).image)


@dataclass(frozen=True)
class TFRecords(ShardSource):
    """Pictures in TFRecord shards of `tf.train.Example`.

    Names of classes are taken from a file `classes.txt` beside the shards, a line each, if there is one.

    Args:
        path: The shards.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        image: Name of the feature with the picture, encoded; `image/encoded` in many sets.
        label: Name of the feature with the label, a whole number from 0; `None` for no labels.
        test: Share of each class for the test.
    """

    path: str
    image_size: int | None = None
    channels: int | None = None
    image: str = "image"
    label: str | None = "label"
    test: float = field(default=0.2, kw_only=True)

    suffixes: ClassVar[tuple[str, ...]] = (".tfrecord", ".tfrecords", ".tfrec", ".tfrecord-*")

    def listed(self, files: list[Path]) -> PictureList:
        from tfgantl.data.shards.records import TFRecordPictures

        return TFRecordPictures(files, self.image, self.label)


@dataclass(frozen=True)
class ArrayRecords(ShardSource):
    """Pictures in ArrayRecord shards of `tf.train.Example` (`pip install 'tfgantl[arrayrecord]'`).

    Args:
        path: The shards.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        image: Name of the feature with the picture, encoded.
        label: Name of the feature with the label, a whole number from 0; `None` for no labels.
        test: Share of each class for the test.
    """

    path: str
    image_size: int | None = None
    channels: int | None = None
    image: str = "image"
    label: str | None = "label"
    test: float = field(default=0.2, kw_only=True)

    suffixes: ClassVar[tuple[str, ...]] = (".array_record", ".arrayrecord", ".array_record-*")

    def listed(self, files: list[Path]) -> PictureList:
        from tfgantl.data.shards.array_records import ArrayRecordPictures

        return ArrayRecordPictures(files, self.image, self.label)


@dataclass(frozen=True)
class Parquet(ShardSource):
    """Pictures in a column of Parquet files, as Hugging Face's `datasets` writes them (`tfgantl[parquet]`).

    Args:
        path: The files.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        image: Name of the column with the pictures: encoded, or a struct whose `bytes` they are.
        label: Name of the column with the labels: whole numbers, whose names are in the file, or text; `None` for no
            labels.
        test: Share of each class for the test.
    """

    path: str
    image_size: int | None = None
    channels: int | None = None
    image: str = "image"
    label: str | None = "label"
    test: float = field(default=0.2, kw_only=True)

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def listed(self, files: list[Path]) -> PictureList:
        from tfgantl.data.shards.parquet import ParquetPictures

        return ParquetPictures(files, self.image, self.label)


@dataclass(frozen=True)
class HFDataset(EncodedSource):
    """A data set of Hugging Face's `datasets` (`pip install 'tfgantl[hf]'`): of the Hub, or a folder of `save_to_disk`.

    Args:
        dataset: Name on the Hub, such as `ylecun/mnist`, or a folder.
        config: Name of its configuration; `None` for the only one.
        split: What training, validation and test are cut from, such as `train` or `train[:10%]`; of a folder, too.
        revision: Commit, branch or tag on the Hub; `None` for the newest.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        image: Name of the image feature.
        label: Name of the label feature; `None` for no labels.
        test: Share of each class for the test.
    """

    dataset: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    image_size: int | None = None
    channels: int | None = None
    image: str = "image"
    label: str | None = "label"
    test: float = field(default=0.2, kw_only=True)

    def __post_init__(self) -> None:
        if expanded(self.dataset).is_dir():
            object.__setattr__(self, "dataset", absolute(self.dataset))

    @property
    def name(self) -> str:
        return self.dataset.rstrip("/").rpartition("/")[2]

    def stamp(self) -> Hashable:
        from tfgantl.data.shards.hugging_face import fingerprint_of

        return fingerprint_of(self)

    def pictures(self) -> PictureList:
        from tfgantl.data.shards.hugging_face import HFPictures

        return with_labels(self, HFPictures(self))


def with_labels(source: EncodedSource, found: PictureList) -> PictureList:
    """The pictures, if they have the labels that were asked for: only those of the usual name may be missing.

    Raises:
        ConfigError: If not.
    """
    asked, usual = getattr(source, "label", None), getattr(type(source), "label", None)
    if asked not in (None, usual) and not found.labelled:
        raise ConfigError(
            f"{type(source).__name__}: `label` must be what labels are called there, or null for none. "
            f"Received: {asked}, which nothing is called"
        )
    return found
