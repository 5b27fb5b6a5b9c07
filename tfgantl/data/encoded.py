"""Sources of encoded pictures: what they have in common, wherever the pictures lie."""

import dataclasses
import hashlib
from abc import abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import __version__ as pillow_version

from tfgantl.data.base import PictureSource
from tfgantl.data.examples import Content, check_classes
from tfgantl.data.pictures import PictureList
from tfgantl.errors import ConfigError, DataError, check_at_least

if TYPE_CHECKING:
    from tfgantl.data.image_file import ImageFile
    from tfgantl.data.stored import StoredImages

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
        if found and found["count"] * int(np.prod(form.shape)) > self.max_bytes and (whole := _stored(kept)):
            return whole
        pictures = self.pictures()
        facts = {"classes": pictures.classes, "labelled": pictures.labelled, "where": where, "from": self.name}
        if pictures.count * int(np.prod(form.shape)) <= self.max_bytes:
            store = MemoryStore(pictures.count, form)
            good, notes = read_into(store, pictures, form, self.on_bad)
            images = store.images if len(good) == len(store.images) else store.images[good]
            content = _content(images, store.records[good], {"notes": notes, **facts})
            return content._replace(files=[pictures.called(index) for index in good])
        with kept.locked():
            if whole := _stored(kept):  # by the process that this one has waited for
                return whole
            on_disk = kept.writing(pictures.count, form)
            try:
                read = read_into(on_disk, pictures, form, self.on_bad)
                kept.complete(on_disk, read, facts)
            finally:
                on_disk.close()
        whole = _stored(kept)
        if whole is None:
            raise DataError(f"{kept.path}: must be as it was written. Received: something else; is the disk in order?")
        return whole

    def _settings(self) -> str:
        """Hash of all that images are made of, but for the files."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in CUTS}
        return _hash((type(self).__name__, sorted(fields.items()), pillow_version))


def _stored(kept: "ImageFile") -> Content | None:
    """The content of a complete set on disk."""
    from tfgantl.data.reading import GOOD

    opened = kept.open()
    if opened is None:
        return None
    images, records = opened
    good = np.flatnonzero(records["state"] == GOOD)
    facts = kept.description or {}
    notes = [*facts["notes"], f"{len(good)} images are on disk, in {kept.path}"]
    return _content(images if len(good) == len(images) else images.part(good), records[good], facts | {"notes": notes})


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
    return Content(
        images, labels, count, tuple(facts["notes"]), [key.tobytes() for key in records["key"]],
        None if classes is None else tuple(classes), np.ascontiguousarray(records["digest"]),
    )  # fmt: skip


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()
