"""Decodes the pictures of a source on all cores, into memory or into a file of the cache."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from tfgantl.data.decode import Crop, decode_picture
from tfgantl.data.depth import Depth, choose_depth, deep_range
from tfgantl.data.opening import Refused, open_picture, open_regular
from tfgantl.data.pictures import Opener, PictureList
from tfgantl.errors import DataError

if TYPE_CHECKING:
    from tqdm import tqdm

CHUNK = 2048  # pictures that are decoded and written at one time
MAX_HELD = 2**28  # bytes of encoded pictures in memory that wait to be decoded
BAR_AFTER = 2.0  # seconds
MAX_TOLD = 100  # pictures that are left out, in the notes
WAITING, GOOD, BAD, DEEP = range(4)  # states; deep pictures wait until it is known what white is

# What is kept of each picture beside its pixels.
RECORD = np.dtype(
    [
        ("state", "u1"),
        ("brightest", "u1"),
        ("floats", "?"),  # a deep picture: whether its pixels are floating-point numbers
        ("label", "<i4"),
        ("top", "<f8"),  # and the largest of them
        ("key", "u1", 32),  # SHA-256 of the file
        ("digest", "u1", 32),  # SHA-256 of the pixels
    ]
)


@dataclass(frozen=True)
class Form:
    """What pictures are made into.

    Args:
        image_size: Height and width of the images.
        channels: 1 for gray, 3 for RGB.
        max_pixels: Most pixels that a picture may decode to.
        crop: How pictures become squares, as for `fit_picture`.
    """

    image_size: int
    channels: int
    max_pixels: int
    crop: Crop = "centre"

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.image_size, self.image_size, self.channels


class Store(Protocol):
    """Where decoded pictures go.

    Attributes:
        records: `RECORD` of each picture.
        reasons: Index of a picture that cannot be used → why.
        done: Number of pictures that were decoded before.
        stops_early: Whether a bad picture ends the reading at once, for what it would take to go on.
    """

    records: np.ndarray
    reasons: dict[int, str]
    done: int
    stops_early: bool

    def write(self, start: int, images: np.ndarray, records: np.ndarray, reasons: dict[int, str]) -> None:
        """Takes the next pictures, uint8 (n, side, side, channels), or some again from `start`."""


class MemoryStore:
    """Decoded pictures in memory."""

    stops_early = False

    def __init__(self, count: int, form: Form) -> None:
        self.images = np.empty((count, *form.shape), np.uint8)
        self.records = np.zeros(count, RECORD)
        self.reasons: dict[int, str] = {}
        self.done = 0

    def write(self, start: int, images: np.ndarray, records: np.ndarray, reasons: dict[int, str]) -> None:
        self.images[start : start + len(images)] = images
        self.records[start : start + len(images)] = records
        self.reasons |= reasons


class Read(NamedTuple):
    """Which pictures of a store can be used, and what is to be said of the others.

    Attributes:
        good: int64 indices.
        notes: Remarks for the report.
    """

    good: np.ndarray
    notes: tuple[str, ...]


def read_into(store: Store, pictures: PictureList, form: Form, on_bad: str) -> Read:
    """Decodes all pictures, checks them, and keeps them in a store.

    Args:
        store: Where they go.
        pictures: The pictures.
        form: What they are made into.
        on_bad: `error` to stop at those that cannot be used, `skip` to leave them out.

    Returns:
        Which of them are good.

    Raises:
        DataError: If a picture cannot be used, or none is left.
    """
    with _bar(pictures, store.done) as shown, ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = range(store.done, pictures.count, CHUNK)
        _decode_chunks(pool, store, pictures, form, Depth(), False, starts, shown, on_bad)
        deep = store.records["top"] > 0
        depth, remarks = choose_depth(
            ("floats" if r["floats"] else "integers", 0.0, float(r["top"])) for r in store.records[deep]
        )
        waiting = np.unique(np.flatnonzero(store.records["state"] == DEEP) // CHUNK) * CHUNK
        _decode_chunks(pool, store, pictures, form, depth, True, waiting.tolist(), shown, on_bad)
    _refuse_contradictions(store, pictures)
    good = np.flatnonzero(store.records["state"] == GOOD)
    if len(store.reasons) and (on_bad == "error" or not len(good)):
        raise _refusal(store, pictures)
    left_out = [f"left out {pictures.told(i)}: {store.reasons[i]}" for i in sorted(store.reasons)[:MAX_TOLD]]
    if len(store.reasons) > MAX_TOLD:
        left_out.append(f"left out {len(store.reasons) - MAX_TOLD} more")
    return Read(good, (*pictures.notes, *remarks, *left_out))


def _bar(pictures: PictureList, done: int) -> "tqdm":
    """Tells how many pictures are done, where they take more than a moment."""
    from tfgantl.progress import bar

    shown = bar(pictures.count, f"{pictures.where}: decoding {pictures.unit}s", pictures.unit, delay=BAR_AFTER)
    shown.update(done)
    return shown


def _decode_chunks(
    pool: ThreadPoolExecutor,
    store: Store,
    pictures: PictureList,
    form: Form,
    depth: Depth,
    depth_is_known: bool,
    starts: "range | list[int]",
    shown: "tqdm",
    on_bad: str,
) -> None:
    """Decodes one chunk while the one before it is written."""

    def submitted() -> Iterator[tuple[int, list[int | None], list[Future]]]:
        waiting, held = deque[tuple[Future, int]](), 0
        for start in starts:
            labels: list[int | None] = []
            futures: list[Future] = []
            begun: dict[bytes, Future] = {}
            for one in pictures.chunk(start, min(start + CHUNK, pictures.count)):
                labels.append(one.label)
                if one.same in begun:
                    futures.append(begun[one.same])
                    continue
                futures.append(pool.submit(_decoded, one.open, form, depth, depth_is_known))
                if one.same is not None:
                    begun[one.same] = futures[-1]
                waiting.append((futures[-1], one.held))
                held += one.held
                while waiting and (held > MAX_HELD or waiting[0][0].done()):  # no more is read ahead of decoding
                    oldest, size = waiting.popleft()
                    oldest.exception()
                    held -= size
            yield start, labels, futures

    def finish(start: int, labels: list[int | None], futures: list[Future]) -> None:
        images = np.zeros((len(labels), *form.shape), np.uint8)
        records = np.zeros(len(labels), RECORD)
        reasons = {}
        for i, (label, future) in enumerate(zip(labels, futures, strict=True)):
            records[i]["label"] = -1 if label is None else label
            result = future.result()
            if not depth_is_known:
                shown.update()
            if isinstance(result, str):
                records[i]["state"], reasons[start + i] = BAD, result
            elif isinstance(result, tuple):
                kind, top = result
                records[i]["state"], records[i]["floats"], records[i]["top"] = DEEP, kind == "floats", top
            else:
                images[i] = result.image
                records[i]["state"], records[i]["brightest"] = GOOD, result.image.max()
                records[i]["key"] = np.frombuffer(result.key, np.uint8)
                records[i]["digest"] = np.frombuffer(result.digest, np.uint8)
        if depth_is_known:
            records["floats"] = store.records["floats"][start : start + len(labels)]
            records["top"] = store.records["top"][start : start + len(labels)]
        store.write(start, images, records, reasons)
        if store.stops_early and on_bad == "error" and store.reasons:
            raise _refusal(store, pictures)

    before = None
    try:
        for chunk in submitted():
            if before is not None:
                finish(*before)
            before = chunk
        if before is not None:
            finish(*before)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture that can be used: uint8 pixels, SHA-256 of the file and of the pixels."""

    image: np.ndarray
    key: bytes
    digest: bytes


def _decoded(open_one: Opener, form: Form, depth: Depth, depth_is_known: bool) -> Decoded | tuple[str, float] | str:
    """A picture, or kind and largest value of a deep one if white is not known yet, or why it cannot be used."""
    if not depth_is_known:
        try:
            with open_one() as stream:
                found = deep_range(stream, form.max_pixels)
        except (Refused, OSError):
            found = None
        if found is not None:
            return found[0], found[2]
    result = read_picture(open_one, form.image_size, form.channels, form.max_pixels, depth, form.crop)
    if isinstance(result, str):
        return result
    image, key = result
    return Decoded(image, key, hashlib.sha256(image.data).digest())


def read_picture(
    file: Path | Opener,
    image_size: int,
    channels: int,
    max_pixels: int,
    depth: Depth | None = None,
    crop: Crop = "centre",
) -> tuple[np.ndarray, bytes] | str:
    """Decodes one picture, after a look at its header.

    Args:
        file: Path, or what opens it.
        image_size: Height and width of the result.
        channels: 1 for gray, 3 for RGB.
        max_pixels: Most pixels that it may decode to.
        depth: What white is in pictures of more than 8 bits; `None` to decide by this one.
        crop: As for `fit_picture`.

    Returns:
        uint8 (image_size, image_size, channels) and the hash of the file, or the reason why it cannot be used.
    """
    try:
        with open_regular(file) if isinstance(file, Path) else file() as stream:
            image = decode_picture(stream, image_size, channels, max_pixels, depth, crop)
            if isinstance(image, str):
                return image
            stream.seek(0)
            key = hashlib.file_digest(stream, "sha256").digest()  # type: ignore[arg-type]
            if image.min() == image.max():
                stream.seek(0)
                with open_picture(stream, max_pixels) as picture:
                    is_transparent = picture.has_transparency_data
                ground = " on the white that takes the place of transparent parts" if is_transparent else ""
                return f"shows one colour only (value {image.min()}){ground}"
    except Refused as refused:
        return str(refused)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return image, key


def _refuse_contradictions(store: Store, pictures: PictureList) -> None:
    """Copies of one image must not be of two classes: the first one counts."""
    good = np.flatnonzero(store.records["state"] == GOOD)
    if not pictures.labelled or not len(good):
        return
    digests = np.ascontiguousarray(store.records["digest"][good]).view("S32").ravel()
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    labels = store.records["label"][good]
    for place in np.flatnonzero(labels != labels[first][group]):
        index, original = int(good[place]), int(good[first[group[place]]])
        store.records["state"][index] = BAD
        store.reasons[index] = f"shows the same as {pictures.told(original)}, which has another label"


def _refusal(store: Store, pictures: PictureList) -> DataError:
    worst = min(store.reasons)
    more = f" (and {len(store.reasons) - 1} more {pictures.unit}s)" if len(store.reasons) > 1 else ""
    return DataError(
        f"{pictures.where}: every {pictures.unit} must be a usable picture, or `on_bad` be skip. "
        f"Received: {pictures.told(worst)}: {store.reasons[worst]}{more}"
    )
