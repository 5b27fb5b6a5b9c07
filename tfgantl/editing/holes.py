"""Holes in pictures: those with a name, boxes, and masks that users draw. True is what is missing."""

from collections.abc import Collection

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

from tfgantl.data.decode import Crop, decode_picture, squared
from tfgantl.editing.names import HoleName
from tfgantl.errors import ConfigError, DataError
from tfgantl.files import expanded
from tfgantl.printing import printable
from tfgantl.progress import log
from tfgantl.random_streams import Stream

MISSING = 0.8  # share of pixels that a random hole takes
PITCH, BAR = 4, 2  # of a grid: every 4 pixels, 2 are missing, both ways
WINDOW = 7  # pixels of the square in which a known pixel looks for missing ones
MAX_PIXELS = 64_000_000


def named_hole(name: HoleName, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A hole that is known by name.

    Args:
        name: `centre`, a square of half the side; `random`, four pixels of five; `half`, the right one; `grid`, bars of
            2 pixels, 4 apart, of which only squares of 2 pixels are left.
        shape: Height and width.
        seed: Of the random one.

    Returns:
        bool (height, width), true where pixels are missing.

    Example:
        >>> named_hole("centre", (4, 4)).astype(int)
        array([[0, 0, 0, 0],
               [0, 1, 1, 0],
               [0, 1, 1, 0],
               [0, 0, 0, 0]])

    Reference:
        Yeh et al., 2017, https://arxiv.org/abs/1607.07539 (centre, random, half)
    """
    height, width = shape
    rows, columns = np.ogrid[:height, :width]
    if name == "centre":
        return box_hole((width // 4, height // 4, width // 2, height // 2), shape)
    if name == "half":
        return np.broadcast_to(columns >= width // 2, shape).copy()
    if name == "grid":
        return (rows % PITCH >= PITCH - BAR) | (columns % PITCH >= PITCH - BAR)
    return Stream.HOLES.generator(seed).random(shape) < MISSING


def box_hole(box: tuple[int, int, int, int], shape: tuple[int, int]) -> np.ndarray:
    """A rectangle.

    Args:
        box: x and y of its upper left corner, its width and height, in pixels of the picture.
        shape: Height and width of the picture.

    Returns:
        bool (height, width).

    Raises:
        ConfigError: If it is not within the picture, or is all of it.
    """
    x, y, width, height = box
    inside = 0 <= x < x + width <= shape[1] and 0 <= y < y + height <= shape[0]
    if not inside or (width, height) == shape[::-1]:
        raise ConfigError(
            f"`box` must be x,y,width,height within {shape[1]} x {shape[0]} pixels, and not all of them. "
            f"Received: {x},{y},{width},{height}"
        )
    hole = np.zeros(shape, bool)
    hole[y : y + height, x : x + width] = True
    return hole


def parsed_box(text: str) -> tuple[int, int, int, int]:
    """The four whole numbers of `x,y,width,height`.

    Raises:
        ConfigError: If it is anything else.
    """
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"`box` must be four whole numbers, x,y,width,height. Received: {text}") from error
    return x, y, width, height


def read_mask(
    path: str, shape: tuple[int, int], crop: Crop = "centre", sizes: Collection[tuple[int, int]] = ()
) -> np.ndarray:
    """The hole that a picture shows in white.

    A mask that is not square is drawn over the pictures themselves, and becomes square as they do; one that is square
    is of the images of the model. Of larger masks, a pixel is missing if a part of it is.

    Args:
        path: Of the picture.
        shape: Height and width that the hole gets.
        crop: How pictures that are not square become so.
        sizes: Widths and heights of the pictures with the hole, as people see them; none for squares.

    Returns:
        bool (height, width), true where the mask is lighter than middle gray.

    Raises:
        DataError: If it cannot be read, nothing or everything is missing, or it is not square and the pictures are not
            of its proportions.
    """
    if not expanded(path).is_file():
        raise DataError(f"`mask` must be a picture, white where pixels are missing. Received: {path}, not there")
    mask = decode_picture(expanded(path), None, 1, MAX_PIXELS)
    if isinstance(mask, str):
        raise DataError(f"`mask` must be a picture that can be decoded. Received: {printable(path)}, which {mask}")
    hole, (height, width) = mask[..., 0] > 127, mask.shape[:2]
    other = next((size for size in sizes if not _are_alike(size, (width, height))), None if sizes else (1, 1))
    if width != height and other is not None:
        pictures = f"beside a picture of {other[0]} x {other[1]}" if sizes else "for square pictures"
        raise DataError(
            f"`mask` must be square, or have the proportions of the pictures. Received: {printable(path)}, "
            f"{width} x {height} pixels, {pictures}"
        )
    if hole.shape != shape:
        sides = f"from {width} x {height} to {shape[1]} x {shape[0]} pixels"
        log(f"{path}: the mask is resized {sides}, {f'as pictures are ({crop})' if sizes else 'as the images are'}")
        white = Image.fromarray(hole.astype(np.uint8) * 255)
        hole = np.asarray(squared(white, shape[0], crop, Image.Resampling.BOX, ground=(0,))) > 0
    return checked(hole, path)


def _are_alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two widths and heights have the same proportions, up to a pixel."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other) / 2


def checked(hole: np.ndarray, received: object) -> np.ndarray:
    """The hole, if something of it is known and something missing.

    Raises:
        DataError: Otherwise.
    """
    if hole.all() or not hole.any():
        what = "missing" if hole.all() else "known"
        raise DataError(f"`mask` must leave some pixels and take others. Received: {received}, where all are {what}")
    return hole


def known_weights(hole: np.ndarray) -> np.ndarray:
    """How much each known pixel counts: those near the hole more, as they say more of what is in it.

    A known pixel counts 1, plus the share of missing ones in the square around it; a missing one counts nothing. The
    mean over all pixels is 1.

    Args:
        hole: bool (height, width).

    Returns:
        float32 (height, width, 1).

    Reference:
        Yeh et al., 2017, https://arxiv.org/abs/1607.07539, where pixels far from the hole count nothing; they tell a
        digit, too.
    """
    weights = np.where(hole, 0.0, 1.0 + uniform_filter(hole.astype(np.float64), WINDOW, mode="nearest"))
    return (weights / weights.mean()).astype(np.float32)[..., None]
