"""Which way up a JPEG or PNG file is: one definition, for training, and for graphs that serve the same in TensorFlow.

It is the mark of orientation in the EXIF data of the first segment, or chunk, ahead of the pixels that holds some. A
library that graphs do not have must not say what a damaged mark means: `tfgantl.export.orientation` follows this to
the byte, and a test compares both over damaged files.
"""

from tfgantl.untrusted.chunks import EXIF, PNG, content_of

JPEG = b"\xff\xd8\xff"
MAX_SEGMENTS = 256  # of a JPEG, ahead of its pixels: cameras write about ten, and decoders keep each
STRAY = 1  # byte between segments, which decoders pass over
ENTRY, MAX_ENTRIES = 12, 256  # bytes of an entry of EXIF data, and how many are looked at
ORIENTATION, SHORTS, LONGS = 0x0112, (3, 8), (4, 9)  # the tag, and types of numbers, unsigned and signed


def exif_orientation(file: bytes) -> int:
    """The mark, from 1 to 8; 1 (upright) if there is none, or it is damaged, or the file is no JPEG or PNG.

    Example:
        >>> exif_orientation(b"")
        1
    """
    return orientation_of(exif_data(file) or b"")


def exif_data(file: bytes) -> bytes | None:
    """EXIF data of the first segment or chunk ahead of the pixels that holds some; else nothing.

    `None` for a JPEG that has more than `MAX_SEGMENTS` segments, and stray bytes, ahead of those.
    """
    if file.startswith(PNG):
        return content_of(file, EXIF)
    position = 2
    for _ in range(MAX_SEGMENTS if file.startswith(JPEG) else 0):
        if position > len(file) - ENTRY:
            return b""
        start, length, following = _segment(file, position)
        if length > 0:
            return file[start : start + length]
        if not position < following < len(file):
            return b""
        position = following
    return None if file.startswith(JPEG) else b""


def _segment(file: bytes, position: int) -> tuple[int, int, int]:
    """Where EXIF data begins and how long it is (0: none), and where the next segment of a JPEG begins (0: nowhere).

    Stray bytes, and those that fill, are passed over one by one.
    """
    first, marker = file[position], file[position + 1]
    length = int.from_bytes(file[position + 2 : position + 4])
    if first != 0xFF or marker in (0x00, 0xFF):
        return 0, 0, position + STRAY
    if marker == 0xE1 and file[position + 4 : position + 10] == b"Exif\0\0":
        return position + 10, length - 8, 0
    if marker in (0xDA, 0xD9):
        return 0, 0, 0
    return 0, 0, position + (2 if marker == 1 or 0xD0 <= marker <= 0xD8 else 2 + length)


def orientation_of(data: bytes) -> int:
    """The mark in EXIF data; the last one, if there are several."""
    content, order = data + bytes(16), "big" if data[:1] == b"M" else "little"

    def read(start: int, count: int) -> int:
        return int.from_bytes(content[start : start + count], order)  # type: ignore[arg-type]

    start = read(4, 4)
    if not 8 <= start <= len(data):
        return 1
    mark = 1
    for number in range(min(read(start, 2), MAX_ENTRIES, (len(data) - start) // ENTRY)):
        entry = start + 2 + ENTRY * number
        if read(entry, 2) == ORIENTATION:
            kind = read(entry + 2, 2)
            mark = read(entry + 8, 2) if kind in SHORTS else read(entry + 8, 4) if kind in LONGS else 0
    return mark if 1 <= mark <= 8 else 1
