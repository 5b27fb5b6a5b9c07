"""A set of decoded images as a directory of the cache: written once, by whoever asks first, and resumed after a kill.

`images.u8` holds the pixels, one image after the other, and `records.bin` what else is known of each (`RECORD`). A
chunk counts once its records are written, behind its pixels; the description, written last, says that all is there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from tfgantl.data.reading import BAD, CHUNK, RECORD, Form, Read
from tfgantl.data.stored import StoredImages
from tfgantl.errors import RunError
from tfgantl.files import Replacing, cache_directory
from tfgantl.regular_files import read_regular

FORMAT = 5  # of the directory, and of how pictures are decoded; another one is written anew
PIXELS, RECORDS, REASONS, DESCRIPTION = "images.u8", "records.bin", "left_out.jsonl", "description.json"
FACTS = {"count", "shape", "notes", "records", "classes", "labelled", "where", "from"}  # of a description
PATIENCE = 5.0  # seconds that a process waits for another one without a word
SPARE = 2**28  # bytes of the disk that are left alone


def image_sets() -> Path:
    """The directory of the cache with all sets of images."""
    return cache_directory() / "images"


class ImageFile:
    """A set of images on disk, complete or not.

    Args:
        settings: Hash of what the images are made of: the settings of a source, without those that only cut it.
        stamp: Hash of the files behind it as they are now.
    """

    def __init__(self, settings: str, stamp: str) -> None:
        self.path = image_sets() / f"{settings[:16]}-{stamp[:16]}"
        self._older = f"{settings[:16]}-*"

    @property
    def description(self) -> dict | None:
        """What is said of a complete set; `None` if there is none."""
        try:
            found = json.loads(read_regular(self.path / DESCRIPTION))
        except (OSError, ValueError):
            return None
        is_whole = isinstance(found, dict) and found.get("format") == FORMAT and found.keys() >= FACTS
        return found if is_whole else None

    @contextmanager
    def locked(self, waits: bool = True) -> Iterator[None]:
        """Keeps other processes from writing the same set; they wait, and find it complete.

        Args:
            waits: Whether to wait for another process, or to leave the set to it.

        Raises:
            Timeout: If another process writes it, and it is left to that.
        """
        image_sets().mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.path}.lock")
        try:
            lock.acquire(timeout=PATIENCE if waits else 0)
        except Timeout:
            if not waits:
                raise
            from tfgantl.progress import log

            log(f"another process reads the same pictures into {self.path}; this one waits for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def writing(self, count: int, form: Form) -> "FileStore":
        """Where images go; what a process that was killed has written counts.

        Raises:
            RunError: If the disk has too little room.
        """
        self._remove_older()
        if self.path.is_symlink():
            raise _linked(self.path)
        if (self.path / DESCRIPTION).exists():  # complete once, and damaged since
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        return FileStore(self.path, count, form)

    def complete(self, store: "FileStore", read: Read, facts: dict) -> None:
        """Says that all is there."""
        store.write_records()  # some are known to be bad only beside the others
        store.close()
        with Replacing(self.path / DESCRIPTION) as temporary:
            described = {"format": FORMAT, "count": len(store.records), "shape": store.shape, "notes": read.notes}
            described |= {"records": _hash_of(self.path / RECORDS), "good": len(read.good)}
            temporary.write_text(json.dumps(described | facts))

    def open(self) -> tuple[StoredImages, np.ndarray] | None:
        """The images of a complete set and the records of all; `None` if they are not what was written."""
        described = self.description
        if described is None or not (self.path / RECORDS).is_file():
            return None
        if _hash_of(self.path / RECORDS) != described["records"]:
            return None
        records = np.fromfile(self.path / RECORDS, RECORD)
        height, width, channels = described["shape"]
        size = len(records) * height * width * channels
        if not (self.path / PIXELS).is_file() or (self.path / PIXELS).stat().st_size != size:
            return None
        digests = np.ascontiguousarray(records["digest"])
        return StoredImages(self.path / PIXELS, (height, width, channels), digests), records

    def _remove_older(self) -> None:
        """Sets of these settings whose files have changed since are never asked for again."""
        for path in image_sets().glob(self._older):
            if path.is_dir() and path != self.path:
                remove_set(path)


def remove_set(path: Path) -> bool:
    """Removes a set of images, unless a process is writing it; says whether it is gone. Who reads it keeps it open."""
    lock = FileLock(f"{path}.lock")
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(path)
            Path(lock.lock_file).unlink(missing_ok=True)
    except (Timeout, OSError):
        return False
    return True


class FileStore:
    """Decoded pictures in a directory, written chunk by chunk.

    Args:
        path: The directory.
        count: Number of pictures.
        form: What they are made into.

    Raises:
        RunError: If the disk has too little room.
    """

    stops_early = True

    def __init__(self, path: Path, count: int, form: Form) -> None:
        self.shape = form.shape
        self._image = int(np.prod(form.shape))
        for name in (PIXELS, RECORDS, REASONS):
            if (path / name).is_symlink():
                raise _linked(path / name)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        self._pixels = os.open(path / PIXELS, flags, 0o644)
        self._records = os.open(path / RECORDS, flags, 0o644)
        reasons = os.open(path / REASONS, flags | os.O_APPEND, 0o644)
        self._reasons = open(reasons, "a+", encoding="utf-8")  # noqa: SIM115 - closed with the others
        try:
            self._reserve(path, count * self._image)
            self.records = np.zeros(count, RECORD)
            whole = os.fstat(self._records).st_size // RECORD.itemsize
            self.done = count if whole >= count else whole // CHUNK * CHUNK
            os.ftruncate(self._records, self.done * RECORD.itemsize)
            self.records[: self.done] = np.fromfile(path / RECORDS, RECORD, self.done)
            self.reasons = self._reasons_so_far()
        except BaseException:
            self.close()
            raise

    def write(self, start: int, images: np.ndarray, records: np.ndarray, reasons: dict[int, str]) -> None:
        """Writes pixels, and once they are on the disk, what makes them count."""
        for index in range(start, start + len(images)):
            self.reasons.pop(index, None)
        self.reasons |= reasons
        self.records[start : start + len(images)] = records
        _write_all(self._pixels, images, start * self._image)
        for index, reason in reasons.items():
            self._reasons.write(json.dumps([index, reason]) + "\n")
        self._reasons.flush()
        os.fdatasync(self._pixels)
        _write_all(self._records, records, start * RECORD.itemsize)

    def write_records(self) -> None:
        """Writes all that is known beside the pixels once more."""
        _write_all(self._records, self.records, 0)

    def close(self) -> None:
        """Closes the files."""
        if self._pixels >= 0:
            os.fdatasync(self._records)
            os.close(self._pixels)
            os.close(self._records)
            self._reasons.close()
            self._pixels = -1

    def _reserve(self, path: Path, size: int) -> None:
        """Takes the room on the disk before anything is decoded: a disk that is full later on would cost hours."""
        missing = size - os.fstat(self._pixels).st_blocks * 512
        free = shutil.disk_usage(path).free
        if missing + SPARE > free:
            raise RunError(
                f"the cache must have room for {size / 1e9:.1f} GB of images; TFGANTL_CACHE_DIR names another disk, "
                f"--target.image_size smaller images. Received: {free / 1e9:.1f} GB free in {path.parent}"
            )
        if size:
            os.posix_fallocate(self._pixels, 0, size)
        os.ftruncate(self._pixels, size)

    def _reasons_so_far(self) -> dict[int, str]:
        self._reasons.seek(0)
        found = {}
        for line in self._reasons:
            with suppress(ValueError, TypeError):  # the last line of a process that was killed
                index, reason = json.loads(line)
                found[index] = reason
        bad = np.flatnonzero(self.records["state"] == BAD)
        return {int(index): found.get(int(index), "cannot be used") for index in bad}


def _linked(path: Path) -> RunError:
    """What to say of a cache that others may write, in which somebody has put a link: it would be written through."""
    return RunError(f"{path}: must be of the cache itself. Received: a link")


def _write_all(file: int, array: np.ndarray, offset: int) -> None:
    view = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def _hash_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
