"""Chunks of a PNG file: those that its pixels need, which is all that a decoder gets to see.

Decoders unpack every text and colour profile of a file, each to megabytes, though nobody here reads them. The walk is
one definition, for training and for graphs that serve the same: `tfgantl.export.png_chunks` follows it to the byte.
"""

PNG = b"\x89PNG\r\n\x1a\n"
HEADER = 33  # bytes of the signature, and of the chunk that every file begins with
FRAME = 12  # bytes of a chunk around its content: length, kind, checksum
END = b"\0\0\0\0IEND\xaeB`\x82"
PALETTE, TRANSPARENCY, EXIF, PIXELS = KINDS = (b"PLTE", b"tRNS", b"eXIf", b"IDAT")
MAX_CHUNKS, CHUNK = 128, 512  # of a file: so many, and one more for each so many bytes; programs write one for 8 kB

Spans = dict[bytes, tuple[int, int]]


def needed(file: bytes) -> bytes | None:
    """A PNG with nothing but its pixels, what these need, and EXIF data; `None` if it has too many chunks.

    Any other file is returned as it is.

    Example:
        >>> needed(b"no picture")
        b'no picture'
    """
    if not file.startswith(PNG):
        return file
    if (spans := spans_of(file)) is None:
        return None
    return b"".join([file[:HEADER], *(file[slice(*spans[kind])] for kind in KINDS if kind in spans), END])


def content_of(file: bytes, kind: bytes) -> bytes:
    """What is in the first chunk of a kind, of those ahead of the pixels; else nothing."""
    start, end = (spans_of(file) or {}).get(kind, (0, 0))
    return file[start + 8 : max(end - 4, 0)]


def spans_of(file: bytes) -> Spans | None:
    """Where the first chunk of each kind begins and ends, up to the pixels, and all of these.

    `None` for a file of more than `MAX_CHUNKS`, and one more for each `CHUNK` bytes.
    Chunks of pixels follow each other. A chunk that is cut off ends the file, and is kept if it holds pixels.
    """
    found: Spans = {}
    position, size = HEADER, len(file)
    for _ in range(MAX_CHUNKS + size // CHUNK):
        if position > size - FRAME:
            return found
        end, kind = position + FRAME + int.from_bytes(file[position : position + 4]), file[position + 4 : position + 8]
        is_pixels = kind == PIXELS
        if not is_pixels and (PIXELS in found or end > size):
            return found
        if is_pixels or (kind in KINDS and kind not in found):
            found[kind] = (found.get(kind, (position,))[0], min(end, size))
        position = end
    return None
