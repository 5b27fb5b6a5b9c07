"""Examples: what every data source gives for a split, finite or without end; and the checks all of them share."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfgantl.errors import DataError
from tfgantl.progress import log

if TYPE_CHECKING:
    from tfgantl.data.stored import StoredImages

Reader = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
SPLITS = ("train", "validation", "test")
FEWEST = 2  # images of a split that anything can be measured on
DARK = 31  # of 255: what no pixel of a whole set is above


@dataclass(frozen=True)
class Examples:
    """Random access to the uint8 images, and integer labels, of one split.

    Args:
        read: Maps an int64 array of indices (n,) to images uint8 (n, height, width, channels) and labels int32
            (n,), or `None` in place of labels.
        size: Number of examples; `None` if there is no end to them.
        image_size: Height and width in pixels.
        channels: 1 for gray, 3 for RGB.
        num_classes: Number of classes, or `None` without labels.
        fingerprint: Hash of the content.
        notes: Remarks for the report, such as files that were left out.
        classes: Name of each class, by its label; `None` if they have none.
        files: What each example is called where it is from, such as its file in a folder; `None` if it has no end.
        digests: uint8 (n, 32), SHA-256 of the pixels of each, where they are known; they are for those on disk.
    """

    read: Reader
    size: int | None
    image_size: int
    channels: int
    num_classes: int | None
    fingerprint: str
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    digests: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray,
        labels: np.ndarray | None,
        num_classes: int | None = None,
        notes: Sequence[str] = (),
        classes: Sequence[str] | None = None,
        files: Sequence[str] | None = None,
    ) -> "Examples":
        """Wraps arrays that lie in memory.

        Args:
            images: uint8 (n, height, width, channels), height = width.
            labels: int (n,), or `None`.
            num_classes: Number of classes, or `None` without labels.
            notes: Remarks for the report.
            classes: Name of each class, by its label.
            files: What each image is called where it is from.
        """
        names = None if classes is None else tuple(classes)
        places = None if files is None else tuple(files)
        labels = None if labels is None else labels.astype(np.int32)

        def read(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
            return images[indices], None if labels is None else labels[indices]

        side, channels = images.shape[2:]
        digest = _digest(images, labels)
        return cls(read, len(images), side, channels, num_classes, digest, tuple(notes), names, places)

    @classmethod
    def from_stored(
        cls,
        images: "StoredImages",
        labels: np.ndarray | None,
        num_classes: int | None = None,
        notes: Sequence[str] = (),
        classes: Sequence[str] | None = None,
    ) -> "Examples":
        """Wraps images that lie on disk; the fingerprint is made of their hashes, so that none is read for it.

        Args:
            images: The images.
            labels: As for `from_arrays`.
            num_classes: The same.
            notes: The same.
            classes: The same.
        """
        names = None if classes is None else tuple(classes)
        labels = None if labels is None else labels.astype(np.int32)

        def read(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
            return images[indices], None if labels is None else labels[indices]

        side, channels = images.shape[2:]
        digests = images.digests[images.at]
        fingerprint = _digest(digests, labels)
        return cls(read, len(images), side, channels, num_classes, fingerprint, tuple(notes), names, digests=digests)

    @classmethod
    def endless(
        cls,
        read: Reader,
        num_classes: int | None = None,
        notes: Sequence[str] = (),
        classes: Sequence[str] | None = None,
    ) -> "Examples":
        """Wraps a function of the index; the fingerprint is that of its first 100 examples."""
        names = None if classes is None else tuple(classes)
        images, labels = read(np.arange(100))
        side, channels = images.shape[2:]
        return cls(read, None, side, channels, num_classes, _digest(images, labels), tuple(notes), names)

    def take(self, count: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """The first `count` examples, or all of them, in order.

        Raises:
            DataError: If `count` is more than there are, or `None` although there is no end.
        """
        count = self.size if count is None else count
        if count is None:
            raise DataError("`count` must be a number for a data source without end. Received: None")
        if self.size is not None and count > self.size:
            raise DataError(f"`count` must be at most {self.size}, the number of examples. Received: {count}")
        return self.read(np.arange(count))

    def places(self, limit: int) -> np.ndarray:
        """Indices int64 of all examples, or of `limit` of them: always the same, from all over the split."""
        if self.size is None or self.size <= limit:
            return np.arange(limit if self.size is None else self.size)
        return np.sort(np.random.default_rng(0).permutation(self.size)[:limit])

    def subset(self, limit: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The examples at `places(limit)`."""
        return self.read(self.places(limit))

    def different(self, limit: int) -> tuple[np.ndarray, np.ndarray | None]:
        """As `subset`, with one of each image: one that is there ten times is no ten images to measure on.

        Raises:
            DataError: If less than two are left.
        """
        images, labels = self.subset(limit)
        kept = sorted({image.tobytes(): i for i, image in reversed(list(enumerate(images)))}.values())
        if len(kept) == len(images):
            return images, labels
        if len(kept) < FEWEST:
            raise DataError(f"there must be at least {FEWEST} different held-out images. Received: {len(kept)}")
        log(f"{len(images) - len(kept)} of {len(images)} held-out images are copies of others, and left out")
        return images[kept], None if labels is None else labels[kept]

    def some(self, at: np.ndarray) -> "Examples":
        """Some of the examples, in memory; the split itself where these are all of it."""
        if len(at) == self.size:
            return self
        images, labels = self.read(at)
        files = None if self.files is None else [self.files[int(i)] for i in at]
        return Examples.from_arrays(images, labels, self.num_classes, self.notes, self.classes, files)

    def only(self, at: np.ndarray, *notes: str) -> "Examples":
        """Some of the examples, which stay where they are.

        Args:
            at: Indices int64 (n,), each at least 0.
            *notes: Further remarks for the report.
        """
        digest = hashlib.sha256(self.fingerprint.encode() + np.ascontiguousarray(at, np.int64).tobytes())
        files = None if self.files is None else tuple(self.files[int(i)] for i in at)
        return dataclasses.replace(
            self, read=lambda indices: self.read(at[indices]), size=len(at), files=files,
            notes=(*self.notes, *notes), fingerprint=digest.hexdigest()[:16],
            digests=None if self.digests is None else self.digests[at],
        )  # fmt: skip


class Content(NamedTuple):
    """All images of a finite source.

    Attributes:
        images: uint8 (n, side, side, channels); in memory, or on disk.
        labels: int (n,), or `None`.
        num_classes: Number of classes, or `None`.
        notes: Remarks for the report.
        keys: uint8 (n, 32), SHA-256 of what each image was before it was decoded and resized; `None` if it was not.
        classes: Name of each class, by its label; `None` if they have none.
        digests: uint8 (n, 32), SHA-256 of the pixels of each image; `None` if it is not known.
        files: What each image is called where it is from; `None` for their places in the set.
    """

    images: "np.ndarray | StoredImages"
    labels: np.ndarray | None = None
    num_classes: int | None = None
    notes: tuple[str, ...] = ()
    keys: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    digests: np.ndarray | None = None
    files: list[str] | None = None


def _digest(images: np.ndarray, labels: np.ndarray | None) -> str:
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(images).data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()[:16]


def check_images(images: np.ndarray, where: str) -> None:
    """Refuses image arrays that are not what a source promises.

    Args:
        images: Should be uint8 (n, side, side, 1 or 3), using the range [0, 255].
        where: Name of the source for the message.

    Raises:
        DataError: For another shape or dtype, no images, values that look like [0, 1], or constant images.
    """
    if images.dtype != np.uint8:
        raise DataError(f"{where}: images must be uint8 in [0, 255]. Received: {images.dtype}")
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise DataError(f"{where}: images must have shape (n, height, width, 1 or 3). Received: {images.shape}")
    if not len(images):
        raise DataError(f"{where}: there must be at least one image. Received: 0")
    if images.min() != images.max() <= 1:
        raise DataError(f"{where}: pixels must use the range [0, 255]. Received: [0, 1] in every image")
    flat = images.reshape(len(images), -1)
    constant = np.flatnonzero(flat.min(1) == flat.max(1))
    if len(constant):
        raise DataError(
            f"{where}: an image must show more than one colour. Received: {len(constant)} of {len(images)} images "
            f"without, the first at index {constant[0]} (every pixel is {flat[constant[0], 0]})"
        )


def told_if_dark(brightest: int) -> tuple[str, ...]:
    """A remark on a set no pixel of which is above a number, if that tells of another scale than [0, 255]."""
    if brightest > DARK:
        return ()
    return (f"no pixel is above {brightest} of 255, so that all pictures are almost black",)


def check_splits(examples: dict[str, Examples], smallest: int = FEWEST) -> None:
    """Refuses validation or test splits that nothing can be measured on.

    Raises:
        DataError: If one has less than `smallest` images.
    """
    for split in ("validation", "test"):
        size = examples[split].size
        if size is not None and size < smallest:
            raise DataError(
                f"the {split} split must have at least {smallest} images: `--target.{split}` is its share, such as "
                f"0.25. Received: {size}"
            )


def check_labels(labels: np.ndarray, count: int, num_classes: int | None, where: str) -> None:
    """Refuses labels that are not integers in [0, num_classes).

    Raises:
        DataError: For another length, dtype or range.
    """
    if labels.shape != (count,):
        raise DataError(f"{where}: labels must have shape ({count},), one for each image. Received: {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{where}: labels must be integers. Received: {labels.dtype}")
    top = num_classes or np.iinfo(np.int32).max
    bad = np.flatnonzero((labels < 0) | (labels >= top))
    if len(bad):
        raise DataError(
            f"{where}: labels must be in [0, {top - 1}]. Received: {labels[bad[0]]} at index {bad[0]} "
            f"({len(bad)} of {count} labels)"
        )


def check_classes(labels: np.ndarray, num_classes: int, where: str) -> None:
    """Refuses classes without an image: labels that begin at 1, or that are numbers of something else.

    Raises:
        DataError: If there is such a class.
    """
    present = np.unique(labels)
    if len(present) < num_classes:
        empty = np.setdiff1d(np.arange(min(num_classes, len(present) + 5)), present)[:5]  # ids may be in billions
        raise DataError(
            f"{where}: labels must be 0 to one less than the number of classes, each with an image. "
            f"Received: {len(present)} different labels, {present[0]} to {present[-1]}; "
            f"none of {', '.join(map(str, empty))}"
        )
