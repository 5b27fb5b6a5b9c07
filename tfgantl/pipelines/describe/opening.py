"""Opens what pictures are described with, and the pictures."""

from pathlib import Path

import numpy as np

from tfgantl.crossmodal.encoders import FACTS, NAME, TextImageEncoders
from tfgantl.data.decode import Crop, decode_picture
from tfgantl.data.depth import depth_of
from tfgantl.data.layout import pictures_beside
from tfgantl.errors import DataError
from tfgantl.files import expanded
from tfgantl.printing import printable
from tfgantl.progress import bar, log

MAX_PIXELS = 64_000_000
ENCODERS = "encoders"  # in a run directory


def open_encoders(handle: str | None) -> TextImageEncoders:
    """The encoders of a directory or of a run; the shipped ones without a handle.

    Raises:
        ArtifactError: If there are none, or they are not what was saved.
    """
    return TextImageEncoders.load(handle if handle is None else place_of(handle))


def place_of(handle: str) -> str:
    """The directory of encoders that a handle stands for: itself, or that in a run directory."""
    inside = expanded(handle) / ENCODERS
    return str(inside) if (inside / FACTS).is_file() else handle


def are_encoders(handle: str) -> bool:
    """Whether there are encoders behind a handle."""
    return handle == NAME or (expanded(place_of(handle)) / FACTS).is_file()


def read_images(
    where: Path, shape: tuple[int, int, int], crop: Crop = "centre"
) -> tuple[list[str], np.ndarray, dict[str, str]]:
    """Reads a picture, or all pictures of a folder; those that cannot be used are left out, and said.

    Args:
        where: File or folder.
        shape: Height, width and channels that they get.
        crop: How they become squares.

    Returns:
        Names, uint8 (n, height, width, channels), and name of a picture that cannot be used → why.

    Raises:
        DataError: If there is no picture that can be used.
    """
    where = expanded(where)
    files = pictures_beside(where) if where.is_dir() else [where]
    if not where.exists() or not files:
        raise DataError(f"`pictures` must be a picture, or a folder with some. Received: {where}")
    depth = depth_of(files, MAX_PIXELS)
    images: dict[str, np.ndarray] = {}
    refused: dict[str, str] = {}
    progress = bar(len(files), "reading", "picture") if len(files) > 100 else None
    for file in files:
        image = decode_picture(file, shape[0], shape[2], MAX_PIXELS, depth, crop)
        if isinstance(image, str):
            refused[file.name] = image
        else:
            images[file.name] = image
        if progress is not None:
            progress.update()
    if progress is not None:
        progress.close()
    for name, reason in refused.items():
        log(f"{printable(name)}: left out, as it {reason}")
    if not images:
        name, reason = next(iter(refused.items()))
        raise DataError(f"`pictures` must hold one that can be decoded. Received: {where}; {name} {reason}")
    return list(images), np.stack([*images.values()]), refused
