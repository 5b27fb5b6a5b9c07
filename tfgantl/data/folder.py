"""A folder of pictures as a data source: every file is checked, and a bad one is named."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tfgantl.data.base import PictureSource
from tfgantl.data.decode import Crop, Depth, choose_depth, decode_picture, deep_range
from tfgantl.data.examples import Content
from tfgantl.data.layout import check_folder, find_pictures
from tfgantl.data.opening import open_picture
from tfgantl.errors import ConfigError, DataError
from tfgantl.files import absolute
from tfgantl.printing import printable


@dataclass(frozen=True)
class Folder(PictureSource):
    """Pictures in a folder. Sub-folders with pictures are classes, numbered in alphabetical order, or as numbers.

    Pictures become squares as `crop` says. See `tfgantl.data.decode` for what is done to turned, gray, transparent,
    CMYK, 16-bit, palette and animated ones.

    Args:
        path: The folder.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        test: Share of each class for the test.
        on_bad: What to do about a file that cannot be used: `error` stops and names it, `skip` leaves it out and
            says so in the report.
        max_pixels: Most pixels that a file may decode to.
        max_bytes: Largest size of all decoded and resized images together.
    """

    path: str
    image_size: int | None = None
    channels: int | None = None
    test: float = field(default=0.2, kw_only=True)
    on_bad: Literal["error", "skip"] = "error"
    max_pixels: int = 64_000_000
    max_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check_files(self) -> None:
        check_folder(Path(self.path))

    @property
    def name(self) -> str:
        return Path(self.path).resolve().name

    def read(self) -> Content:
        root = Path(self.path)
        files, classes, file_labels, notes = find_pictures(root)
        size, channels = self.image_size, self.channels
        if size is None or channels is None:
            raise ConfigError("Folder: `image_size` and `channels` must be given here. Received: None")
        if len(files) * size * size * channels > self.max_bytes:
            raise DataError(
                f"Folder: {root}: all images together must fit `max_bytes` = {self.max_bytes}. "
                f"Received: {len(files)} files, {len(files) * size * size * channels} bytes"
            )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            depth, remarks = choose_depth(
                pool.map(lambda file: deep_range(file, self.max_pixels), filter(_has_content, files))
            )
            read = list(
                pool.map(lambda file: read_picture(file, size, channels, self.max_pixels, depth, self.crop), files)
            )
        images, labels, keys, names, bad = [], [], [], [], []
        seen: dict[bytes, tuple[Path, int]] = {}
        for file, label, result in zip(files, file_labels, read, strict=True):
            if not isinstance(result, str):
                image, key = result
                first, first_label = seen.setdefault(hashlib.sha256(image.tobytes()).digest(), (file, label))
                if first_label != label:
                    result = f"shows the same as {printable(first)}, which has another label"
            if isinstance(result, str):
                bad.append(f"{printable(file)}: {result}")
            else:
                images.append(image)
                labels.append(label)
                keys.append(key)
                names.append(file.relative_to(root).as_posix())
        if bad and (self.on_bad == "error" or not images):
            more = f" (and {len(bad) - 1} more files)" if len(bad) > 1 else ""
            raise DataError(
                f"Folder: every file must be a usable picture, or `on_bad` be skip. Received: {bad[0]}{more}"
            )
        remarks = [*notes, *remarks, *(f"left out {line}" for line in bad)]
        if not classes:
            return Content(np.stack(images), notes=tuple(remarks), keys=keys, files=names)
        empty = sorted(set(range(len(classes))) - set(labels))
        if empty:
            raise DataError(f"Folder: {root}: every class must have a picture. Received: none in {classes[empty[0]]}")
        labelled = np.array(labels), len(classes), tuple(remarks), keys, tuple(classes), names
        return Content(np.stack(images), *labelled)


def read_picture(
    file: Path,
    image_size: int,
    channels: int,
    max_pixels: int,
    depth: Depth | None = None,
    crop: Crop = "centre",
) -> tuple[np.ndarray, bytes] | str:
    """Decodes one file, after a look at its header.

    Returns:
        uint8 (image_size, image_size, channels) and the hash of the file, or the reason why it cannot be used.
    """
    try:
        if not file.stat().st_size:
            return "is empty (0 bytes)"
        with open(file, "rb") as stream:
            image = decode_picture(stream, image_size, channels, max_pixels, depth, crop)
            if isinstance(image, str):
                return image
            stream.seek(0)
            key = hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if image.min() == image.max():
        ground = " on the white that takes the place of transparent parts" if _is_transparent(file, max_pixels) else ""
        return f"shows one colour only (value {image.min()}){ground}"
    return image, key


def _has_content(file: Path) -> bool:
    """Whether it is a file with something in it; a pipe would keep whoever opens it."""
    try:
        return file.is_file() and file.stat().st_size > 0
    except OSError:
        return False


def _is_transparent(file: Path, max_pixels: int) -> bool:
    with open_picture(file, max_pixels) as picture:
        return picture.has_transparency_data
