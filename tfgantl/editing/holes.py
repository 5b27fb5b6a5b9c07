"""Holes in pictures: those with a name, boxes, and masks that users draw. True is what is missing."""

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

from tfgantl.data.decode import decode_picture
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


def read_mask(path: str, shape: tuple[int, int]) -> np.ndarray:
    """The hole that a picture shows in white; one of another size is resized without smoothing.

    Args:
        path: Of the picture.
        shape: Height and width that the hole gets.

    Returns:
        bool (height, width), true where the mask is lighter than middle gray.

    Raises:
        DataError: If it cannot be read, or nothing or everything is missing.
    """
    if not expanded(path).is_file():
        raise DataError(f"`mask` must be a picture, white where pixels are missing. Received: {path}, not there")
    mask = decode_picture(expanded(path), None, 1, MAX_PIXELS)
    if isinstance(mask, str):
        raise DataError(f"`mask` must be a picture that can be decoded. Received: {printable(path)}, which {mask}")
    mask = mask[..., 0]
    if mask.shape != shape:
        sizes = f"from {mask.shape[1]} x {mask.shape[0]} to {shape[1]} x {shape[0]} pixels"
        log(f"{path}: the mask is resized {sizes}, as the images of the model are")
        mask = np.asarray(Image.fromarray(mask).resize(shape[::-1], Image.Resampling.NEAREST))
    return checked(mask > 127, path)


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
