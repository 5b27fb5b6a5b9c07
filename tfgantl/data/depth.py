"""Pictures of more than 8 bits a channel: which value is white in them, and their pixels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, ImageFile

from tfgantl.data.decoding_budget import BUDGET
from tfgantl.data.opening import content_of, open_picture, open_regular, pixels_of
from tfgantl.progress import log

INTERPRETATION, BITS, WHITE_IS_ZERO = 262, 258, 0  # tags of TIFF
COLOURS = ("RGB", "RGBA", "LA")
OVERSHOOT = 1.5  # times white, which sharpening and resampling make of floats
HEAD = 26  # bytes of a PNG up to the number of bits
ROWS = 256  # of a picture of more than 8 bits that are brought to 8 at one time


@dataclass(frozen=True)
class Depth:
    """Which value is white in pictures of more than 8 bits: one for a set, or dark pictures would come out bright.

    Args:
        integers: White of pictures of whole numbers, such as 4,095 of 12 bits.
        floats: White of pictures of floating-point numbers, such as 1.
    """

    integers: float = 65535.0
    floats: float = 1.0


def deep_range(file: str | Path | BinaryIO, max_pixels: int) -> tuple[str, float, float] | None:
    """What a picture of more than 8 bits holds: `integers` or `floats`, smallest and largest value; `None` for others.

    Pictures that cannot be read, or have too many pixels, are none of these; decoding tells what is wrong with them.
    """
    try:
        if isinstance(file, str | Path):
            with open_regular(Path(file)) as stream:
                return deep_range(stream, max_pixels)
        if not _can_be_deep(file):
            return None
        with open_picture(file, max_pixels) as picture:
            if not is_deep(picture):
                return None
            with BUDGET.spent(pixels_of(picture)):
                pixels, alpha = deep_pixels(picture)
                if alpha is not None and alpha.any():  # what is not seen, such as 65535 for no data, tells nothing
                    pixels = pixels[alpha > 0]
                # Those that are left out later tell nothing of the others.
                if not np.isfinite(pixels).all() or pixels.min() == pixels.max() or pixels.min() < 0:
                    return None
                return "floats" if pixels.dtype.kind == "f" else "integers", float(pixels.min()), float(pixels.max())
    except Exception:
        return None


def choose_depth(ranges: Iterable[tuple[str, float, float] | None]) -> tuple[Depth, list[str]]:
    """Decides for a set of pictures what white is: the smallest number of bits, or range of floats, that holds all.

    Floats may go beyond it by half.

    Returns:
        The depth, and a remark for each kind of pictures that there are.
    """
    found: dict[str, list[float]] = {}
    for one in ranges:
        if one is not None:
            found.setdefault(one[0], []).append(one[2])
    whites = {}
    for kind, largest in found.items():
        usual = (1.0, 255.0) if kind == "floats" else tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))
        over = OVERSHOOT if kind == "floats" else 1.0
        whites[kind] = next((white for white in usual if max(largest) <= over * white), max(largest))
    remarks = [f"{len(found[kind])} pictures of {kind} up to {max(found[kind]):g}: white is {white:g}"
               for kind, white in whites.items()]  # fmt: skip
    return Depth(**whites), remarks


def depth_of(files: Iterable[str | Path], max_pixels: int) -> Depth:
    """What is white in pictures that are seen together, and tells of it.

    Args:
        files: Their paths; what cannot be opened is passed over.
        max_pixels: Most pixels that one of them may decode to.
    """
    depth, remarks = choose_depth(deep_range(file, max_pixels) for file in files)
    log(*remarks)
    return depth


def _can_be_deep(file: BinaryIO) -> bool:
    """Whether it is worth a closer look, by the first bytes."""
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(b"\x89PNG") and head[12:16] == b"IHDR":
        return head[24:25] == b"\x10"
    return not head.startswith((b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF"))


def is_deep(picture: Image.Image) -> bool:
    """Whether it has more than 8 bits that can be read."""
    return picture.mode.startswith("I;16") or picture.mode in ("I", "F") or _is_deep_png(picture)


def _is_deep_png(picture: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits in colour, or with alpha, of which Pillow gives the upper 8."""
    tiles = getattr(picture, "tile", None) or ()
    return picture.format == "PNG" and picture.mode in COLOURS and any(str(t[3]).endswith(";16B") for t in tiles)


def deep_pixels(picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels of more than 8 bits (height, width[, 3]) with black at 0, and alpha uint8 (height, width), if any.

    A TIFF may have white at 0, which Pillow heeds for 8 bits only.
    """
    if _is_deep_png(picture):
        import tensorflow as tf

        has_alpha = picture.has_transparency_data
        channels = {"RGB": 4 if has_alpha else 3, "RGBA": 4, "LA": 0}[picture.mode]
        pixels = tf.io.decode_png(content_of(cast(ImageFile.ImageFile, picture)), channels, tf.uint16).numpy()
        alpha = (pixels[..., -1] >> 8).astype(np.uint8) if has_alpha else None
        return pixels[..., 0] if picture.mode == "LA" else pixels[..., :3], alpha
    pixels = np.asarray(picture)
    if picture.format == "PNG" and isinstance(key := picture.info.get("transparency"), int):
        return pixels, np.where(pixels == key, 0, 255).astype(np.uint8)
    if getattr(picture, "tag_v2", {}).get(INTERPRETATION) != WHITE_IS_ZERO:
        return pixels, None
    if pixels.dtype != np.uint16:
        raise ValueError(f"white must not be 0 in a TIFF of {pixels.dtype}")
    return 2 ** int(picture.tag_v2.get(BITS, (16,))[0]) - 1 - pixels, None  # type: ignore[attr-defined]


def has_deep_colours(picture: Image.Image) -> bool:
    """Whether it is a TIFF of 16 bits in colour, or with alpha, of which Pillow gives the upper 8."""
    bits = getattr(picture, "tag_v2", {}).get(BITS, (8,))
    return picture.mode in COLOURS and max(bits if isinstance(bits, tuple) else (bits,)) > 8


def check_range(picture: Image.Image) -> None:
    """Raises `ValueError` for colours of 10 or 12 bits in a TIFF of 16: their upper 8 bits are almost black."""
    if 0 < np.asarray(picture)[..., : 1 if picture.mode == "LA" else 3].max() < 16:
        raise ValueError("colours of 16 bits must use more than 12 of them in a TIFF; as PNG, they are scaled")


def to_8_bits(pixels: np.ndarray, depth: Depth | None) -> np.ndarray:
    """Pixels as uint8 of the same shape; what is white is decided by these alone if `depth` is not known.

    Raises:
        ValueError: If one is below 0, or not finite.
    """
    kind = "floats" if pixels.dtype.kind == "f" else "integers"
    if not pixels.min() >= 0:  # or not a number
        raise ValueError(f"values must be at least 0. Received: {pixels.min()}")
    if np.isinf(pixels.max()):
        raise ValueError("values must be finite. Received: inf")
    depth = depth or choose_depth([(kind, float(pixels.min()), float(pixels.max()))])[0]
    top = getattr(depth, kind)
    small = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), ROWS):
        some = pixels[start : start + ROWS].astype(np.float64) * (255.0 / top)
        small[start : start + ROWS] = np.clip(some, 0, 255).round()
    return small
