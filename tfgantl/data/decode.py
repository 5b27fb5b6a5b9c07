"""One picture, of whatever kind, to a uint8 array."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from tfgantl.data.decoding_budget import DecodingBudget
from tfgantl.data.opening import MAX_FILE, Refused, open_picture, pixels_of
from tfgantl.untrusted.exif import exif_orientation

Crop = Literal["centre", "pad", "none"]
BUDGET = DecodingBudget()
SERVED = ("JPEG", "MPO", "PNG")  # the formats that graphs decode, too
ORIENTATION, INTERPRETATION, BITS, WHITE_IS_ZERO = 0x0112, 262, 258, 0
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
SIDEWAYS = (5, 6, 7, 8)  # of these, those that exchange width and height
COLOURS = ("RGB", "RGBA", "LA")
HEAD = 26  # bytes of a PNG up to the number of bits
ROWS = 256  # of a picture of more than 8 bits that are brought to 8 at one time
FINER = 4  # pixels that are decoded for each one of the result, at least, in either direction


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
        if not isinstance(file, str | Path) and not _can_be_deep(file):
            return None
        with open_picture(file, max_pixels) as picture:
            if not _is_deep(picture):
                return None
            with BUDGET.spent(pixels_of(picture)):
                pixels, _ = _deep_pixels(picture)
                if pixels.min() == pixels.max() or pixels.min() < 0:  # left out later: it tells nothing of the others
                    return None
                return "floats" if pixels.dtype.kind == "f" else "integers", float(pixels.min()), float(pixels.max())
    except Exception:
        return None


def choose_depth(ranges: Iterable[tuple[str, float, float] | None]) -> tuple[Depth, list[str]]:
    """Decides for a set of pictures what white is: the smallest number of bits, or range of floats, that holds all.

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
        whites[kind] = next((white for white in usual if max(largest) <= white), max(largest))
    remarks = [f"{len(found[kind])} pictures of {kind} up to {max(found[kind]):g}: white is {white:g}"
               for kind, white in whites.items()]  # fmt: skip
    return Depth(**whites), remarks


def fit_picture(
    picture: Image.Image, image_size: int | None, channels: int, depth: Depth | None = None, crop: Crop = "centre"
) -> np.ndarray:
    """Makes a square of a picture, and resizes it with antialiasing; or takes it as it is.

    Orientation marks (EXIF) are obeyed, deeper grays are scaled to 8 bits, palettes and CMYK are converted,
    transparent parts become white, and of an animation the first frame is taken.

    Args:
        picture: The opened picture.
        image_size: Height and width of the result; `None` for all of the picture.
        channels: 1 for gray, 3 for RGB.
        depth: What white is in pictures of more than 8 bits; `None` to decide by this one.
        crop: How a picture that is not square becomes so: `centre` takes its largest centred square, `pad` all of it
            on a ground of the median colour of its outermost pixels, and `none` squeezes it.

    Returns:
        uint8 (height, width, channels).

    Raises:
        ValueError: For values below 0.
    """
    turn = TURNS.get(_orientation(picture) or 1)
    picture = _with_scaled_transparency(picture)
    if _is_deep(picture):
        pixels, alpha = _deep_pixels(picture)
        pixels = _to_8_bits(pixels, depth)
        picture = Image.fromarray(pixels if alpha is None else np.dstack([pixels, alpha]))
    elif _has_deep_colours(picture):
        _check_range(picture)
    if turn is not None:
        picture = picture.transpose(turn)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if image_size is not None and picture.size != (image_size, image_size):
        picture = squared(picture, image_size, crop)
    return np.asarray(picture, np.uint8).reshape(picture.height, picture.width, channels)


def decode_picture(
    file: str | Path | BinaryIO,
    image_size: int | None,
    channels: int,
    max_pixels: int,
    depth: Depth | None = None,
    crop: Crop = "centre",
) -> np.ndarray | str:
    """Decodes and fits one picture, after a look at its header.

    Args:
        file: Path, or an open binary file.
        image_size: Height and width of the result; `None` for all of the picture.
        channels: 1 for gray, 3 for RGB.
        max_pixels: Most pixels that it may decode to.
        depth: What white is in pictures of more than 8 bits; `None` to decide by this one.
        crop: As for `fit_picture`.

    Returns:
        uint8 (height, width, channels), or the reason why it cannot be used.
    """
    try:
        with open_picture(file, max_pixels) as picture, BUDGET.spent(pixels_of(picture)):
            if image_size is not None:
                _decode_smaller(picture, FINER * image_size)
            return fit_picture(picture, image_size, channels, depth, crop)
    except Refused as refused:
        return str(refused)
    except UnidentifiedImageError:  # its message names the file object
        return "cannot be decoded (no known kind of picture)"
    except Exception as error:  # decoders of damaged files raise whatever they meet first
        return f"cannot be decoded ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'damaged'})"


def _decode_smaller(picture: ImageFile.ImageFile, least: int) -> None:
    """Has a JPEG decoded to an eighth, a quarter or a half, in a fraction of the time, with at least so many pixels.

    Only where that divides its sides: the last pixels would stand for less of the picture than the others.
    """
    for scale in (8, 4, 2):
        if min(picture.size) >= scale * least and not any(side % scale for side in picture.size):
            picture.draft(None, (picture.width // scale, picture.height // scale))
            return


def squared(
    picture: Image.Image,
    side: int,
    crop: Crop,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
    ground: tuple[int, ...] | None = None,
) -> Image.Image:
    """A gray or RGB picture as a square.

    Args:
        picture: The picture.
        side: Height and width of the square.
        crop: As for `fit_picture`.
        resampling: How pixels are made of others; BICUBIC and BOX of Pillow take all that become one into account.
        ground: Colour of what `pad` adds; `None` for the median of its outermost pixels.
    """
    if crop == "none":
        return picture.resize((side, side), resampling)
    if crop == "centre":
        return ImageOps.fit(picture, (side, side), resampling)
    width, height = (max(1, round(length * side / max(picture.size))) for length in picture.size)
    if ground is None:
        pixels = np.asarray(picture).reshape(picture.height, picture.width, -1)
        outermost = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        ground = tuple(int(value) for value in np.median(outermost, 0))
    square = Image.new(picture.mode, (side, side), ground)
    square.paste(picture.resize((width, height), resampling), ((side - width) // 2, (side - height) // 2))
    return square


def size_of(file: str | Path, max_pixels: int) -> tuple[int, int] | None:
    """Width and height of a picture as people see it; `None` if it cannot be opened."""
    try:
        with open_picture(file, max_pixels) as picture:
            return picture.size[::-1] if (_orientation(picture) or 1) in SIDEWAYS else picture.size
    except Exception:  # as `decode_picture` tells
        return None


def _orientation(picture: Image.Image) -> int | None:
    """The mark in the EXIF data ahead of the pixels. What XMP or text says of it is not looked at, as in browsers."""
    if hasattr(picture, "tag_v2"):
        return picture.tag_v2.get(ORIENTATION)
    if isinstance(picture, ImageFile.ImageFile) and picture.format in SERVED:  # as the graph that serves reads it
        return exif_orientation(_content(picture))
    try:
        exif = Image.Exif()
        exif.load(picture.info.get("exif") or b"")
        return exif.get(ORIENTATION)
    except Exception:  # damaged
        return None


def _with_scaled_transparency(picture: Image.Image) -> Image.Image:
    """Brings the transparent gray of a PNG to the scale of its pixels: Pillow scales those of 2 and 4 bits only."""
    tiles, key = getattr(picture, "tile", None), picture.info.get("transparency")
    if picture.format == "PNG" and picture.mode == "L" and tiles and isinstance(key, int):
        picture.info["transparency"] = key * {"L;2": 85, "L;4": 17}.get(str(tiles[0][3]), 1)
    return picture


def _content(picture: ImageFile.ImageFile) -> bytes:
    """All bytes of the file of an opened picture; nothing for those that are neither JPEG nor PNG."""
    if picture.format not in SERVED:
        return b""
    stream = cast(IO[bytes], picture.fp)  # an opened picture has one
    position = stream.tell()
    stream.seek(0)
    content = stream.read(MAX_FILE)
    stream.seek(position)
    return content


def _can_be_deep(file: BinaryIO) -> bool:
    """Whether it is worth a closer look, by the first bytes."""
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(b"\x89PNG") and head[12:16] == b"IHDR":
        return head[24:25] == b"\x10"
    return not head.startswith((b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF"))


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith("I;16") or picture.mode in ("I", "F") or _is_deep_png(picture)


def _is_deep_png(picture: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits in colour, or with alpha, of which Pillow gives the upper 8."""
    tiles = getattr(picture, "tile", None) or ()
    return picture.format == "PNG" and picture.mode in COLOURS and any(str(t[3]).endswith(";16B") for t in tiles)


def _deep_pixels(picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels of more than 8 bits (height, width[, 3]) with black at 0, and alpha uint8 (height, width), if any.

    A TIFF may have white at 0, which Pillow heeds for 8 bits only.
    """
    if _is_deep_png(picture):
        import tensorflow as tf

        has_alpha = picture.has_transparency_data
        channels = {"RGB": 4 if has_alpha else 3, "RGBA": 4, "LA": 0}[picture.mode]
        pixels = tf.io.decode_png(_content(cast(ImageFile.ImageFile, picture)), channels, tf.uint16).numpy()
        alpha = (pixels[..., -1] >> 8).astype(np.uint8) if has_alpha else None
        return pixels[..., 0] if picture.mode == "LA" else pixels[..., :3], alpha
    pixels = np.asarray(picture)
    if getattr(picture, "tag_v2", {}).get(INTERPRETATION) != WHITE_IS_ZERO:
        return pixels, None
    if pixels.dtype != np.uint16:
        raise ValueError(f"white must not be 0 in a TIFF of {pixels.dtype}")
    return 2 ** int(picture.tag_v2.get(BITS, (16,))[0]) - 1 - pixels, None  # type: ignore[attr-defined]


def _has_deep_colours(picture: Image.Image) -> bool:
    """Whether it is a TIFF of 16 bits in colour, or with alpha, of which Pillow gives the upper 8."""
    bits = getattr(picture, "tag_v2", {}).get(BITS, (8,))
    return picture.mode in COLOURS and max(bits if isinstance(bits, tuple) else (bits,)) > 8


def _check_range(picture: Image.Image) -> None:
    """Refuses colours of 10, 12 or 14 bits in a TIFF of 16: their upper 8 bits are almost black."""
    if np.asarray(picture)[..., : 1 if picture.mode == "LA" else 3].max() < 64:
        raise ValueError("colours of 16 bits must use more than 14 of them in a TIFF; as PNG, they are scaled")


def _to_8_bits(pixels: np.ndarray, depth: Depth | None) -> np.ndarray:
    kind = "floats" if pixels.dtype.kind == "f" else "integers"
    if not pixels.min() >= 0:  # or not a number
        raise ValueError(f"values must be at least 0. Received: {pixels.min()}")
    depth = depth or choose_depth([(kind, float(pixels.min()), float(pixels.max()))])[0]
    top = getattr(depth, kind)
    small = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), ROWS):
        some = pixels[start : start + ROWS].astype(np.float64) * (255.0 / top)
        small[start : start + ROWS] = np.clip(some, 0, 255).round()
    return small
