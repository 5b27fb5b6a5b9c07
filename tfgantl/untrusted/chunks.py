"""Chunks of a PNG file: those that its pixels need, which is all that a decoder gets to see.

Decoders unpack every text and colour profile of a file, each to megabytes, though nobody here reads them. The walk is
one definition, for training and for graphs that serve the same: `tfgantl.export.png_chunks` follows it to the byte.
"""

PNG = b"\x89PNG\r\n\x1a\n"
HEADER = 33  # bytes of the signature, and of the chunk that every file begins with
FRAME = 12  # bytes of a chunk around its content: length, kind, checksum
END = b"\0\0\0\0IEND\xaeB`\x82"
PALETTE, TRANSPARENCY, EXIF, PIXELS = KINDS = (b"PLTE", b"tRNS", b"eXIf", b"IDAT")
DEPTH = 24  # where the bits of a channel stand in a file; the kind of its colors follows
KEYS, PALETTED = {0: 2, 2: 6}, 3  # bytes of the transparent gray, and color, by the kind of colors
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
    Transparency that does not fit the colors is none: decoders differ in what they make of it.
    """
    found = _walk(file)
    if found is not None and TRANSPARENCY in found and not _fits(file, found):
        del found[TRANSPARENCY]
    return found


def _fits(file: bytes, found: Spans) -> bool:
    """Whether what is transparent is a color that there can be: a key of its length, or at most a palette of them."""
    start, end = found[TRANSPARENCY]
    content, values, colors = file[start + 8 : end - 4], 1 << min(file[DEPTH], 16), file[DEPTH + 1]
    if colors == PALETTED:
        first, last = found.get(PALETTE, (0, 0))
        return 1 <= len(content) <= min((last - first - FRAME) // 3, values)
    keys = (int.from_bytes(content[i : i + 2]) for i in range(0, len(content), 2))
    return len(content) == KEYS.get(colors) and all(key < values for key in keys)


def _walk(file: bytes) -> Spans | None:
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
