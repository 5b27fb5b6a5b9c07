"""One picture, of whatever kind, to a uint8 array."""

from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from tfgantl.data.decoding_budget import DecodingBudget
from tfgantl.untrusted.pictures import MAX_SCANS, scans_of

# By content, whatever the name says. Pillow knows others, of which one is a program that it hands to Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
BUDGET = DecodingBudget()
ROWS = 256  # of a picture of more than 8 bits that are brought to 8 at one time
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` of the sources is the limit, checked on the header


def fit_picture(picture: Image.Image, image_size: int | None, channels: int) -> np.ndarray:
    """Cuts the largest centred square out of a picture, and resizes it with antialiasing; or takes it as it is.

    Orientation marks (EXIF) are obeyed, 16-bit grays are scaled to 8 bits, palettes and CMYK are converted,
    transparent parts become white, and of an animation the first frame is taken.

    Args:
        picture: The opened picture.
        image_size: Height and width of the result; `None` for all of the picture.
        channels: 1 for gray, 3 for RGB.

    Returns:
        uint8 (height, width, channels).
    """
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = Image.fromarray(_to_8_bits(np.asarray(picture)))
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if image_size is not None and picture.size != (image_size, image_size):
        picture = ImageOps.fit(picture, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).reshape(picture.height, picture.width, channels)


def decode_picture(
    file: str | Path | BinaryIO, image_size: int | None, channels: int, max_pixels: int
) -> np.ndarray | str:
    """Decodes and fits one picture, after a look at its header.

    Args:
        file: Path, or an open binary file.
        image_size: Height and width of the result; `None` for all of the picture.
        channels: 1 for gray, 3 for RGB.
        max_pixels: Most pixels that it may decode to.

    Returns:
        uint8 (height, width, channels), or the reason why it cannot be used.
    """
    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                return f"decodes to {picture.width} x {picture.height} pixels, more than `max_pixels` = {max_pixels}"
            if (scans := scans_of(_content(picture))) > MAX_SCANS:
                return f"has {scans} scans, more than {MAX_SCANS}"
            with BUDGET.spent(picture.width * picture.height):
                return fit_picture(picture, image_size, channels)
    except UnidentifiedImageError:  # its message names the file object
        return "cannot be decoded (no known kind of picture)"
    except Exception as error:  # decoders of damaged files raise whatever they meet first
        return f"cannot be decoded ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'damaged'})"


def _content(picture: ImageFile.ImageFile) -> bytes:
    """All bytes of the file of an opened picture; nothing for those that are no JPEG."""
    if picture.format not in ("JPEG", "MPO"):
        return b""
    stream = cast(IO[bytes], picture.fp)  # an opened picture has one
    position = stream.tell()
    stream.seek(0)
    content = stream.read()
    stream.seek(position)
    return content


def _to_8_bits(pixels: np.ndarray) -> np.ndarray:
    top = 1.0 if np.issubdtype(pixels.dtype, np.floating) and pixels.max() <= 1.0 else 65535.0
    small = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), ROWS):
        some = pixels[start : start + ROWS].astype(np.float64) * (255.0 / top)
        small[start : start + ROWS] = np.clip(some, 0, 255).round()
    return small
