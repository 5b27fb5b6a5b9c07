"""What a data source is, and what those that have an end share: how they are cut, and how many images are shots."""

import dataclasses
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np

from tfgantl.data.decode import Crop
from tfgantl.data.examples import SPLITS, Content, Examples, check_images, check_labels
from tfgantl.data.layout import is_made_here, is_of_system
from tfgantl.data.splits import share_of_few, split_by_content
from tfgantl.errors import ConfigError, check_seed


class Source(ABC):
    """A collection of images, with integer labels or without, in three splits that share nothing.

    Attributes:
        extractor: Handle of an extractor whose features suit these images, or `None`: one is trained in the run.
        license: Licence of the images, or `None` where only the user can know it.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]  # what makes subclasses dataclasses
    extractor: ClassVar[str | None] = None
    license: ClassVar[str | None] = None

    @abstractmethod
    def load(self, split: str) -> Examples:
        """Gives `train`, `validation` or `test`.

        Raises:
            ConfigError: If there is no such split.
            DataError: If the images or labels cannot be used.
        """

    def splits(self) -> dict[str, Examples]:
        """Gives all three; those of a finite source are of one state of its files, which may come and go meanwhile.

        Raises:
            DataError: If the images or labels cannot be used.
        """
        return {split: self.load(split) for split in SPLITS}

    def check_files(self) -> None:  # noqa: B027 - most sources have none
        """Refuses, before anything that takes time, what is not there.

        Raises:
            DataError: If it is not.
        """

    @property
    def name(self) -> str:
        """Short name, for run and export directories."""
        letters = (f"-{c.lower()}" if c.isupper() else c for c in type(self).__name__)
        return "".join(letters).lstrip("-")

    def sized(self, image_size: int, channels: int) -> "Source":
        """The same source, with an open image size or number of channels (`None`) filled in."""
        wanted = {"image_size": image_size, "channels": channels}
        fields = {f.name for f in dataclasses.fields(self)}
        return dataclasses.replace(
            self, **{k: v for k, v in wanted.items() if k in fields and getattr(self, k) is None}
        )


@dataclass(frozen=True, kw_only=True)
class FiniteSource(Source):
    """A source that holds all its images in memory, and cuts them into splits by their content.

    Args:
        shots: Training images, of each class if there are classes; none for all. Validation and test get what they
            would get without it, or what is left if that is less.
        seed: Chooses which images are the shots.
    """

    shots: int | None = None
    seed: int = 0

    @abstractmethod
    def read(self) -> Content:
        """Gives all images, decoded and resized."""

    def content(self, stamp: Hashable) -> Content:
        """The same, where `stamp` is known to be that of the files as they are."""
        return self.read()

    @abstractmethod
    def shares(self) -> dict[str, float]:
        """Share of each class that is set aside for `validation` and `test`."""

    def load(self, split: str) -> Examples:
        if split not in SPLITS:
            raise ConfigError(f"`split` must be one of {', '.join(SPLITS)}. Received: {split}")
        return self.cut(split, self.stamp())

    def splits(self) -> dict[str, Examples]:
        if type(self).load is not FiniteSource.load:  # somebody's own, which says what a split is
            return super().splits()
        stamp = self.stamp()
        return {split: self.cut(split, stamp) for split in SPLITS}

    def cut(self, split: str, stamp: Hashable) -> Examples:
        """Gives a split, where `stamp` is known to be that of the files as they are."""
        return _splits(self, stamp)[split]

    def stamp(self) -> Hashable:
        """What tells whether files behind the source are those of before; what was read of them is kept meanwhile."""
        return stamp_of(Path(self.path)) if hasattr(self, "path") else None


@dataclass(frozen=True, kw_only=True)
class PictureSource(FiniteSource):
    """A finite source of somebody's own pictures, who says how they become squares and how many are held out.

    Args:
        crop: How pictures that are not square become so: `centre` takes the largest centred square, `pad` the whole
            picture on a ground of the median colour of its outermost pixels, `none` squeezes it.
        validation: Share of each class for validation.
        test: Share of each class for the test.
    """

    crop: Crop = "centre"
    validation: float = 0.1
    test: float = 0.3

    def shares(self) -> dict[str, float]:
        return {"validation": self.validation, "test": self.test}


def stamp_of(path: Path, follows: bool = True) -> Hashable:
    """A hash of names, sizes and times of a file, or of all files in a folder; there may be millions.

    Args:
        path: File or folder.
        follows: Whether links to folders are followed further down than in the folder itself, as `Folder` does; each
            folder counts once, and those above are passed over.
    """
    digest = hashlib.sha256()
    if not path.is_dir():
        return _told(str(path), os.stat(path)) if path.is_file() else ()
    root = os.path.realpath(path)
    folders, seen = [str(path)], {root}
    while folders:
        folder = folders.pop()
        entries: list[os.DirEntry] = []
        with suppress(OSError), os.scandir(folder) as found:  # what may not be read is told once pictures are
            entries = sorted(found, key=lambda entry: entry.name)
        is_top = folder == str(path)
        inside = [entry for entry in entries if _is_folder(entry, is_top or follows)]
        if is_top:
            with suppress(OSError):
                inside = [entry for entry in inside if not is_made_here(Path(entry.path))]
        for entry in inside:
            place = os.path.realpath(entry.path)
            if entry.is_symlink():
                digest.update(f"{entry.path} -> {place}".encode("utf-8", "surrogatepass"))
                if is_of_system(entry.name) or Path(root).is_relative_to(place):
                    continue
            if place not in seen:
                seen.add(place)
                folders.append(entry.path)
        for entry in entries:
            with suppress(OSError):  # links in a circle, which are told then, too
                if entry.is_file():
                    digest.update(repr(_told(entry.path, entry.stat())).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _is_folder(entry: os.DirEntry, follows: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follows)
    except OSError:
        return False


def _told(name: str, status: os.stat_result) -> tuple[str, int, int, int, int]:
    """The last is the time that nobody sets: programs that copy in place may keep size and time of what was there."""
    return name, status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


@lru_cache(maxsize=2)
def _splits(source: FiniteSource, stamp: Hashable) -> dict[str, Examples]:
    channels = getattr(source, "channels", None)
    if channels not in (None, 1, 3):
        raise ConfigError(f"`channels` must be 1 or 3. Received: {channels}")
    crop = getattr(source, "crop", "centre")
    if crop not in get_args(Crop):
        raise ConfigError(f"`crop` must be one of {', '.join(get_args(Crop))}. Received: {crop}")
    image_size = getattr(source, "image_size", None)
    if image_size is not None and image_size < 1:
        raise ConfigError(f"`image_size` must be at least 1. Received: {image_size}")
    check_seed("seed", source.seed)
    images, labels, num_classes, notes, keys, classes, digests, files = source.content(stamp)
    where = type(source).__name__
    if isinstance(images, np.ndarray):  # those on disk were checked one by one
        check_images(images, where)
    if labels is not None:
        check_labels(labels, len(images), num_classes, where)
    shots = {"train": source.shots, "validation": getattr(source, "validation_shots", None)}
    shares = {split: share_of_few(len(images), share) for split, share in source.shares().items()}
    if shares != source.shares():
        parts = ", ".join(f"{share:.0%} for {split}" for split, share in shares.items())
        notes = (*notes, f"{len(images)} images are few, so {parts} (`validation`, `test`)")
    chosen = split_by_content(images, labels, shares, shots, source.seed, where, keys, digests, files)
    idle = len(images) - sum(map(len, chosen.values()))
    if idle and isinstance(source, PictureSource):
        notes = (*notes, f"{idle} of {len(images)} images are neither shots nor held out (`validation`, `test`)")
    if files is None and isinstance(images, np.ndarray):
        files = [str(i) for i in range(len(images))]
    examples = {}
    for split, at in chosen.items():
        their_labels = None if labels is None else labels[at]
        if isinstance(images, np.ndarray):
            called = [files[i] for i in at] if files else None
            examples[split] = Examples.from_arrays(images[at], their_labels, num_classes, notes, classes, called)
        else:
            examples[split] = Examples.from_stored(images.part(at), their_labels, num_classes, notes, classes)
    return examples
