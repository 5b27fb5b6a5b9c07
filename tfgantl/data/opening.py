"""Opens picture files of folders, styles and data sets; what would take long is refused before a decoder sees it."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from PIL import Image, ImageFile

from tfgantl.untrusted.chunks import PNG, needed
from tfgantl.untrusted.exif import JPEG
from tfgantl.untrusted.pictures import excess_of

# By content, whatever the name says. Pillow knows others, of which one is a program that it hands to Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
TIFF = (b"II", b"MM")
SERVED = ("JPEG", "MPO", "PNG")  # those that graphs decode, too
MAX_FILE = 2**28  # bytes of a PNG or JPEG
MAX_LARGE = 2**30  # of any other picture, all of which is hashed; holes of a file count
MAX_STRIPS = 2**15  # of a TIFF, or tiles: each is an object of Python's, and a call
MAX_TAGS = 2**10  # of a TIFF: programs write about twenty
MAX_RLE_PIXELS = 4_000_000  # of a BMP of runs, which Pillow decodes in Python
TILE_WIDTH, TILE_HEIGHT, ROWS_OF_STRIP, STRIPS, TILES = 322, 323, 278, 273, 324  # tags of TIFF
SUBFILE_TYPE, IS_PREVIEW = 254, 1
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` of the sources is the limit, checked on the header


class Refused(ValueError):
    """Why a picture is not decoded."""


def open_regular(file: Path) -> BinaryIO:
    """Opens a file that has something in it; a pipe would keep whoever opens it.

    Raises:
        Refused: If it is empty, as pipes and devices are, or larger than any picture.
        OSError: If it cannot be opened.
    """
    size = file.stat().st_size
    if not size or size > MAX_LARGE:
        raise Refused(f"has more than {MAX_LARGE} bytes" if size else "is empty (0 bytes)")
    return open(file, "rb")


@contextmanager
def open_picture(file: str | Path | BinaryIO, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """Opens a picture; every way to the pixels of a file leads through here.

    Args:
        file: Path, or an open binary file.
        max_pixels: Most pixels that it may decode to.

    Yields:
        The opened picture, without those chunks of a PNG that its pixels do not need.

    Raises:
        Refused: If it has too many pixels, or would take long for what they are.
    """
    if isinstance(file, str | Path):
        with open_regular(Path(file)) as stream, open_picture(stream, max_pixels) as picture:
            yield picture
        return
    with Image.open(_looked_at(file), formats=FORMATS) as picture:
        pixels, own = pixels_of(picture), picture.width * picture.height
        if pixels > max_pixels and pixels > own:
            raise Refused(f"has tiles of {pixels} pixels, more than `max_pixels` = {max_pixels}")
        if own > max_pixels:
            raise Refused(
                f"decodes to {picture.width} x {picture.height} pixels, more than `max_pixels` = {max_pixels}"
            )
        if own > MAX_RLE_PIXELS and any(tile[0] == "bmp_rle" for tile in picture.tile):
            raise Refused(f"is a BMP of runs of {own} pixels, more than {MAX_RLE_PIXELS}")
        if picture.format == "TIFF" and (excess := _other_pages(picture)):
            raise Refused(f"{excess}: a file must hold one picture")
        yield picture


def _other_pages(picture: ImageFile.ImageFile) -> str | None:
    """What of a TIFF lies on other pages, if it is more than a preview of the first."""
    size = picture.size
    if getattr(picture, "tag_v2", {}).get(SUBFILE_TYPE, 0) & IS_PREVIEW:
        return "begins with a preview of what lies elsewhere in it, as raw files of cameras do"
    try:
        picture.seek(1)
    except EOFError:
        return None
    try:
        if picture.size == size:
            return "has several pages of one size, as a stack has them"
        return "begins with a page that is smaller than the next" if min(picture.size) > min(size) else None
    finally:
        picture.seek(0)


def pixels_of(picture: ImageFile.ImageFile) -> int:
    """Pixels that are in memory while a picture is decoded: those of a tile, if it is larger than the picture."""
    own, tags = picture.width * picture.height, getattr(picture, "tag_v2", {})
    try:
        tile = int(tags.get(TILE_WIDTH, 0)) * int(tags.get(TILE_HEIGHT, 0))
        return max(own, tile, picture.width * min(int(tags.get(ROWS_OF_STRIP, 0)), picture.height))
    except (TypeError, ValueError):  # damaged; decoding tells
        return own


def _looked_at(file: BinaryIO) -> BinaryIO:
    """The file, from its beginning, if opening it takes little time; of a PNG, a copy of what is needed."""
    file.seek(0)
    head = file.read(len(PNG))
    excess = _excess_of_tiff(file) if head.startswith(TIFF) else None
    file.seek(0)
    if head.startswith((PNG, JPEG)):
        content = file.read(MAX_FILE + 1)
        file.seek(0)
        excess = excess_of(content) if len(content) <= MAX_FILE else f"has more than {MAX_FILE} bytes"
        if not excess and head == PNG:
            return io.BytesIO(needed(content) or b"")
    if excess:
        raise Refused(excess)
    return file


def _excess_of_tiff(file: BinaryIO) -> str | None:
    """What of a TIFF takes long, by its first directory, found in the way in which Pillow finds it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(16).ljust(16, b"\0")
    order, is_big = ("<" if head.startswith(b"II") else ">"), head[2] == 43
    offset, many, entry = (8, "Q", "HHQ8x") if is_big else (4, "H", "HHI4x")
    file.seek(min(struct.unpack_from(order + ("Q" if is_big else "I"), head, offset)[0], size))
    (count,) = struct.unpack(
        order + many, file.read(struct.calcsize(order + many)).ljust(8, b"\0")[: 8 if is_big else 2]
    )
    if count > MAX_TAGS:
        return f"has {count} tags, more than {MAX_TAGS}"
    length = struct.calcsize(order + entry)
    tags = file.read(length * count)
    total = 0
    for tag, kind, values in struct.iter_unpack(order + entry, tags[: len(tags) // length * length]):
        if tag in (STRIPS, TILES) and values > MAX_STRIPS:
            return f"has {values} strips, more than {MAX_STRIPS}"
        total += SIZES.get(kind, 0) * values
    return f"has tags of {total} bytes, more than its own {size}" if total > size + 8 * count else None


def content_of(picture: ImageFile.ImageFile) -> bytes:
    """All bytes of the file of an opened picture; nothing for those that are neither JPEG nor PNG."""
    if picture.format not in SERVED:
        return b""
    stream = cast(IO[bytes], picture.fp)  # an opened picture has one
    position = stream.tell()
    stream.seek(0)
    content = stream.read(MAX_FILE)
    stream.seek(position)
    return content
