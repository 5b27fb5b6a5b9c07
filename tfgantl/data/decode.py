"""One picture, of whatever kind, to a uint8 array."""

from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from tfgantl.data.decoding_budget import BUDGET
from tfgantl.data.depth import Depth, check_range, deep_pixels, has_deep_colours, is_deep, to_8_bits
from tfgantl.data.opening import SERVED, Refused, content_of, open_picture, pixels_of
from tfgantl.untrusted.exif import exif_orientation

Crop = Literal["centre", "pad", "none"]
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
SIDEWAYS = (5, 6, 7, 8)  # of these, those that exchange width and height
SCALES = (8, 4, 2)  # to which decoders of JPEG can go down on the way
FINER = 4  # pixels that are decoded for each one of the result, at least, in either direction


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
    if hasattr(picture, "tag_v2"):
        picture.load()  # which turns a TIFF
        turn = TURNS.get(picture.getexif().get(ORIENTATION) or 1)
    else:
        turn = TURNS.get(_orientation(picture) or 1)
    picture = _with_scaled_transparency(picture)
    if is_deep(picture):
        pixels, alpha = deep_pixels(picture)
        pixels = to_8_bits(pixels, depth)
        picture = Image.fromarray(pixels if alpha is None else np.dstack([pixels, alpha]))
    elif has_deep_colours(picture):
        check_range(picture)
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
    for scale in SCALES:
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
            turned = not hasattr(picture, "tag_v2") and (_orientation(picture) or 1) in SIDEWAYS  # of a TIFF, it is
            return picture.size[::-1] if turned else picture.size
    except Exception:  # as `decode_picture` tells
        return None


def _orientation(picture: Image.Image) -> int | None:
    """The mark in the EXIF data ahead of the pixels. What XMP or text says of it is not looked at, as in browsers."""
    if isinstance(picture, ImageFile.ImageFile) and picture.format in SERVED:  # as the graph that serves reads it
        return exif_orientation(content_of(picture))
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
