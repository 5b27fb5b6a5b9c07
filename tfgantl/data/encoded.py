"""Sources of encoded pictures: what they have in common, wherever the pictures lie."""

import dataclasses
import hashlib
import os
import shutil
import time
from abc import abstractmethod
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import __version__ as pillow_version

from tfgantl.data.base import PictureSource
from tfgantl.data.examples import Content, check_classes, told_if_dark
from tfgantl.data.layout import SUFFIXES
from tfgantl.data.pictures import PictureList
from tfgantl.data.splits import digests_of
from tfgantl.errors import ConfigError, DataError, RunError, check_at_least
from tfgantl.printing import printable
from tfgantl.progress import log

if TYPE_CHECKING:
    from tfgantl.data.image_file import ImageFile
    from tfgantl.data.reading import Form, MemoryStore, Read
    from tfgantl.data.stored import StoredImages

WORTH_KEEPING = 2.0  # seconds of decoding, above which images are kept for the next start
ROOM = 10  # times their size that must be free for that
CUTS = {"shots", "seed", "validation", "test", "max_bytes", "extractor"}  # settings that no image depends on


@dataclass(frozen=True, kw_only=True)
class EncodedSource(PictureSource):
    """Pictures that are decoded, checked and brought to one size; many of them are decoded once, and kept on disk.

    Those of a kind have a field for where they lie, `image_size` and `channels`; `None` for those of the source model.

    Args:
        on_bad: What to do about a picture that cannot be used: `error` stops and names it, `skip` leaves it out and
            says so in the report.
        max_pixels: Most pixels that a picture may decode to.
        max_bytes: Largest size of all decoded and resized images together that are held in memory. More are kept on
            disk (`tfgantl cache`), and read when they are needed.
    """

    on_bad: Literal["error", "skip"] = "error"
    max_pixels: int = 64_000_000
    max_bytes: int = 4 * 2**30

    @abstractmethod
    def pictures(self) -> PictureList:
        """Lists the pictures, without decoding them.

        Raises:
            ConfigError: If an option does not fit what is there.
            DataError: If there are none, or what they lie in is damaged.
        """

    def read(self) -> Content:
        return self.content(self.stamp())

    def content(self, stamp: Hashable) -> Content:
        from tfgantl.data.image_file import ImageFile
        from tfgantl.data.reading import Form, MemoryStore, read_into

        where, (size, channels) = type(self).__name__, (getattr(self, name) for name in ("image_size", "channels"))
        if size is None or channels is None:
            raise ConfigError(f"{where}: `image_size` and `channels` must be given here. Received: None")
        check_at_least(self, 1, "max_bytes", "max_pixels")
        form = Form(size, channels, self.max_pixels, self.crop)
        kept = ImageFile(self._settings(), _hash(stamp))
        found = kept.description
        if found and (whole := _stored(kept, self.max_bytes)):
            return whole
        pictures = self.pictures()
        facts: dict[str, Any] = {
            "classes": pictures.classes, "labelled": pictures.labelled, "where": where, "from": self.name,
        }  # fmt: skip
        if pictures.count * int(np.prod(form.shape)) <= self.max_bytes:
            store, start = MemoryStore(pictures.count, form), time.perf_counter()
            read = read_into(store, pictures, form, self.on_bad)
            took = time.perf_counter() - start
            facts["files"] = [pictures.called(int(index)) for index in read.good]
            images = store.images if len(read.good) == len(store.images) else store.images[read.good]
            content = _content(images, store.records[read.good], {"notes": read.notes, **facts})
            if took > WORTH_KEEPING:
                _keep(kept, store, form, read, facts)
            return content
        _check_kinds((pictures.called(index) for index in range(pictures.count)), where)
        with kept.locked():
            if whole := _stored(kept, self.max_bytes):  # by the process that this one has waited for
                return whole
            on_disk = kept.writing(pictures.count, form)
            try:
                read = read_into(on_disk, pictures, form, self.on_bad)
                kept.complete(on_disk, read, facts)
            finally:
                on_disk.close()
        whole = _stored(kept, self.max_bytes)
        if whole is None:
            raise DataError(f"{kept.path}: must be as it was written. Received: something else; is the disk in order?")
        return whole

    def _settings(self) -> str:
        """Hash of all that images are made of, but for the files."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in CUTS}
        return _hash((type(self).__name__, sorted(fields.items()), pillow_version))


def _stored(kept: "ImageFile", max_bytes: int) -> Content | None:
    """The content of a complete set on disk: in memory, if it is small enough; `None` if it cannot be had."""
    from tfgantl.data.reading import GOOD

    facts = kept.description or {}
    is_small = bool(facts) and facts["count"] * int(np.prod(facts["shape"])) <= max_bytes
    if is_small and not facts.get("files"):  # of a set that was too large, with names for millions
        return None
    try:
        opened = kept.open()
        if opened is None:
            return None
        images, records = opened
        good = np.flatnonzero(records["state"] == GOOD)
        if is_small:
            return _content(images[good], records[good], facts)
    except (DataError, OSError):
        if is_small:  # it is decoded again
            return None
        raise
    _check_kinds(facts.get("files") or (), facts["where"])  # of a set that was small enough before
    notes = [*facts["notes"], f"{len(good)} images are on disk, in {kept.path}"]
    part = images if len(good) == len(images) else images.part(good)
    return _content(part, records[good], {**facts, "notes": notes, "files": None})


def _check_kinds(names: Iterable[str], where: str) -> None:
    """Refuses a set on disk, whose names are not kept, in which a picture is there in two kinds of file.

    Raises:
        DataError: If two files differ in their suffix alone: one might be trained on, and the other tested.
    """
    seen = set[int]()
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.casefold() not in SUFFIXES:
            continue
        if hash(stem) in seen:
            raise DataError(
                f"{where}: each picture must be there in one kind of file, if not all fit into memory (`max_bytes`). "
                f"Received: {printable(stem)[:200]} in two"
            )
        seen.add(hash(stem))


def _keep(kept: "ImageFile", store: "MemoryStore", form: "Form", read: "Read", facts: dict) -> None:
    """Puts decoded pictures into the cache for the next start, if there is plenty of room and nobody else does so."""
    with suppress(RunError, OSError), kept.locked(waits=False):
        if shutil.disk_usage(kept.path.parent).free < ROOM * store.images.nbytes or _stored(kept, store.images.nbytes):
            return
        on_disk = kept.writing(len(store.records), form)
        try:
            on_disk.write(0, store.images, store.records, store.reasons)
            kept.complete(on_disk, read, facts)
        finally:
            on_disk.close()
        log(f"decoded pictures are kept for the next start, in {kept.path}; `tfgantl cache` clears them")


def _content(images: "np.ndarray | StoredImages", records: np.ndarray, facts: dict) -> Content:
    """Checks what concerns all images together.

    Raises:
        DataError: If a class is empty, or all pixels are 0 and 1.
    """
    where = facts["where"]
    if len(records) and records["brightest"].max() <= 1:
        raise DataError(f"{where}: pixels must use the range [0, 255]. Received: [0, 1] in every image")
    classes = facts["classes"]
    labels = records["label"].astype(np.int64) if facts["labelled"] else None
    count = None
    if labels is not None:
        count = len(classes) if classes else int(labels.max()) + 1
        empty = np.setdiff1d(np.arange(count), labels)
        if classes and len(empty):
            raise DataError(
                f"{where}: {facts['from']}: every class must have a picture. Received: none in {classes[empty[0]]}"
            )
        check_classes(labels, count, where)
    dark = told_if_dark(int(records["brightest"].max())) if len(records) else ()
    return Content(
        images, labels, count, (*facts["notes"], *dark), digests_of(key.tobytes() for key in records["key"]),
        None if classes is None else tuple(classes), np.ascontiguousarray(records["digest"]), facts.get("files"),
    )  # fmt: skip


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()
