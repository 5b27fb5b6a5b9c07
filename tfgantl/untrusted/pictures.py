"""Picture files: what they would decode to, and what that would cost, from a look at their headers."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from tfgantl.untrusted.chunks import CHUNK, MAX_CHUNKS, PNG, spans_of
from tfgantl.untrusted.exif import JPEG, MAX_SEGMENTS, exif_data

MAX_PIXELS = 16_000_000  # of one file that is served
MAX_REQUEST_PIXELS = 64_000_000  # of all files of one request
MAX_PNG = 2**25  # bytes of one that this package has written
MAX_SCANS = 64  # of a JPEG: each is a pass over all pixels, and takes 30 bytes; cameras and programs write about ten
_MARKER = re.compile(rb"\xff([^\x00\xff])")  # without the bytes that may fill the space before it: those cost time
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the others are tables
_START_OF_SCAN, _END = 0xDA, 0xD9


def refusal(files: list[bytes]) -> str | None:
    """Why the picture files of one request are not decoded, if they are not; what is no picture does not count."""
    pixels = [pixels_of(file) for file in files]
    if max(pixels, default=0) > MAX_PIXELS:
        return f"a picture must have at most {MAX_PIXELS} pixels. Received: {max(pixels)}"
    if sum(pixels) > MAX_REQUEST_PIXELS:
        return f"the pictures of a request must have at most {MAX_REQUEST_PIXELS} pixels. Received: {sum(pixels)}"
    excess = next(filter(None, map(excess_of, files)), None)
    return f"a picture must take little time to decode. Received: one that {excess}" if excess else None


def excess_of(file: bytes) -> str | None:
    """What of a PNG or JPEG file takes time beside its pixels, if it is more than is allowed."""
    if file.startswith(PNG) and spans_of(file) is None:
        return f"has more than {MAX_CHUNKS} chunks, and one for each {CHUNK} bytes"
    if exif_data(file) is None:
        return f"has more than {MAX_SEGMENTS} segments ahead of its pixels"
    scans = scans_of(file)
    return f"has {scans} scans, more than {MAX_SCANS}" if scans > MAX_SCANS else None


def pixels_of(file: bytes) -> int:
    """Pixels of a PNG or JPEG file by its header; 0 for anything else, and for one that is cut off before it."""
    if file.startswith(PNG) and len(file) >= 24:
        width, height = struct.unpack(">II", file[16:24])
        return width * height
    for marker, start in _segments(file) if file.startswith(JPEG) else ():
        if marker in _FRAMES and len(file) >= start + 7:
            height, width = struct.unpack(">HH", file[start + 3 : start + 7])
            return width * height
    return 0


def png_in(path: Path) -> bytes | None:
    """The content of a PNG file, of at most `MAX_PNG` bytes; `None` for anything else, such as a link to a picture."""
    try:
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file() or path.stat().st_size > MAX_PNG:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if content.startswith(PNG) else None


def scans_of(file: bytes) -> int:
    """Scans of a JPEG file, without decoding it; 0 for any other file.

    Baseline files have one for each, or for all, of the channels; progressive ones refine the picture with each.
    """
    if not file.startswith(JPEG):
        return 0
    return sum(marker == _START_OF_SCAN for marker, _ in _segments(file))


def _segments(file: bytes) -> Iterator[tuple[int, int]]:
    """Marker, and where its segment begins, in the order in which a decoder meets them."""
    position = 2
    while found := _MARKER.search(file, position):
        marker, position = found[1][0], found.end()
        if marker == _END:
            return
        if marker in _ALONE:
            continue
        yield marker, position
        length = struct.unpack(">H", file[position : position + 2])[0] if len(file) >= position + 2 else 0
        position += max(length, 2)
