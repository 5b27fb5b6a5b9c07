"""The same file gives the same pixels in training and in a served graph, or it is refused there."""

import io
import itertools
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgantl.data.decode import decode_picture, size_of
from tfgantl.export import png_chunks
from tfgantl.export.image_signatures import from_pictures
from tfgantl.export.orientation import exif_of_jpeg, orientation_of
from tfgantl.export.picture_decoding import checked_files, pixels_of
from tfgantl.untrusted import chunks
from tfgantl.untrusted import exif as untrusted_exif
from tfgantl.untrusted.pictures import MAX_PIXELS

RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (6, 5, 3), np.uint8)).resize((50, 61), Image.Resampling.BICUBIC)
ALPHA = Image.fromarray(RNG.integers(0, 256, (6, 5), np.uint8)).resize((50, 61))


def encoded(picture, fmt, **options):
    stream = io.BytesIO()
    picture.save(stream, fmt, **options)
    return stream.getvalue()


def turned(fmt, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(RGB, fmt, exif=exif, **({"quality": 95} if fmt == "JPEG" else {}))


def with_alpha():
    picture = RGB.copy()
    picture.putalpha(ALPHA)
    return picture


def dots(height, width=None, mode="RGB"):
    """A JPEG of blue dots on yellow."""
    places = np.random.default_rng(1).random((height, width or height, 1)) < 0.1
    picture = Image.fromarray(np.where(places, (0, 0, 255), (255, 255, 0)).astype(np.uint8)).convert(mode)
    return encoded(picture, "JPEG", quality=75)


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def beginning_with(*segments):
    """A JPEG with these segments ahead of all others."""
    plain = encoded(RGB, "JPEG", quality=95)
    return plain[:2] + b"".join(segments) + plain[2:]


def exif(orientation, order, kind):
    """EXIF data with a mark of orientation in 2 bytes (3) or 4 (4), behind an entry of something else."""
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entries = struct.pack(order + "HHII", 0x0100, 4, 1, 6) + struct.pack(order + "HHI", 0x0112, kind, 1) + value
    head = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", 42, 8)
    return head + struct.pack(order + "H", 2) + entries + bytes(4)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(name, content, behind_pixels=False, file=None, at=None):
    file = file or encoded(RGB, "PNG")
    at = at or (len(file) - 12 if behind_pixels else file.index(b"IDAT") - 4)
    return file[:at] + chunk(name, content) + file[at:]


def without_adobe(file, kept=0):
    """A JPEG whose segment of Adobe is left out, or cut to so many bytes."""
    start = file.index(b"\xff\xee")
    end = start + 2 + struct.unpack(">H", file[start + 2 : start + 4])[0]
    return file[:start] + (segment(0xEE, file[start + 4 : start + 4 + kept]) if kept else b"") + file[end:]


def png_of(bits, transparent=b"\0\1", colors=0, palette=b""):
    """A PNG of so many bits, gray (0) or of a palette (3), in which something is transparent; Pillow writes none."""
    values = np.arange(32) % 2**bits  # of each row, packed with the first pixel in the highest bits
    rows = np.packbits((values[:, None] >> np.arange(bits - 1, -1, -1)) & 1).tobytes()
    size = struct.pack(">IIBBBBB", 32, 20, bits, colors, 0, 0, 0)
    pixels = zlib.compress((b"\0" + rows) * 20)
    tables = [(b"PLTE", palette)] * bool(palette) + [(b"tRNS", transparent)]
    parts = [(b"IHDR", size), *tables, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


TURNED = segment(0xE1, b"Exif\0\0" + exif(6, ">", 3))
XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'/></rdf:RDF></x:xmpmeta>"
)
CMYK = encoded(RGB.convert("CMYK"), "JPEG", quality=95)
COLORS = bytes(range(60))  # 20 of a palette
PROFILE = (b"Exif\0\0" + exif(6, ">", 3)).hex().encode()
FILES = {
    **{
        f"EXIF {order}{kind}": beginning_with(segment(0xE1, b"Exif\0\0" + exif(6, order, kind)))
        for order in "<>"
        for kind in (3, 4)
    },
    "EXIF behind 120 kB": beginning_with(*[segment(0xE2, b"x" * 60_000)] * 2, TURNED),
    "a comment that names EXIF": beginning_with(segment(0xFE, b"Exif\0\0 is how it begins"), TURNED),
    "EXIF twice": beginning_with(TURNED, segment(0xE1, b"Exif\0\0" + exif(3, ">", 3))),
    "XMP in a JPEG": beginning_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
    "XMP in a PNG": with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "EXIF as text": with_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(PROFILE) // 2, PROFILE)),
    "text that names EXIF": with_chunk(b"tEXt", b"Comment\0eXIf" + exif(6, ">", 3)),
    "EXIF behind the pixels": with_chunk(b"eXIf", exif(6, ">", 3), behind_pixels=True),
    **{f"{fmt} turned {i}": turned(fmt, i) for fmt in ("JPEG", "PNG") for i in range(1, 9)},
    "gray JPEG": encoded(RGB.convert("L"), "JPEG", quality=95),
    "progressive JPEG": encoded(RGB, "JPEG", quality=90, progressive=True),
    "subsampled JPEG": encoded(RGB, "JPEG", quality=80, subsampling=2),
    "CMYK": CMYK,
    "CMYK that does not say it is Adobe's": without_adobe(CMYK),
    "CMYK, half of Adobe's segment": without_adobe(CMYK, kept=8),
    "CMYK, Adobe's segment behind others": CMYK[:2] + segment(0xFE, b"x" * 50) + CMYK[2:],
    "CMYK as luma and chroma": CMYK.replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2"),
    "gray PNG": encoded(RGB.convert("L"), "PNG"),
    "one bit": encoded(RGB.convert("1"), "PNG"),
    **{f"palette of {2**b}": encoded(RGB.quantize(2**b), "PNG", bits=b) for b in (1, 2, 4, 8)},
    **{f"palette of {2**b}, transparent": encoded(RGB.quantize(2**b), "PNG", bits=b, transparency=1) for b in (2, 4)},
    "one bit, transparent": encoded(RGB.convert("1"), "PNG", transparency=0),
    "transparent palette": encoded(RGB.quantize(17), "PNG", transparency=3),
    **{f"gray of {bits} bits, transparent": png_of(bits) for bits in (2, 4, 8)},
    **{
        f"gray of {bits} bits, transparent {list(key)}": png_of(bits, key)
        for bits, key in (
            (1, b"\0\2"),
            (2, b"\0\4"),
            (4, b"\0\x10"),
            (8, b"\1\0"),
            (4, b"\0\1" * 3),
            (8, b"\0\5\0"),
            (8, b""),
        )
    },
    **{
        f"palette of {size} in {bits} bits, {count} transparent": png_of(bits, bytes(count), 3, COLORS[: 3 * size])
        for bits, size, count in (
            (4, 20, 0),
            (4, 20, 16),
            (4, 20, 17),
            (4, 16, 18),
            (2, 4, 5),
            (8, 20, 20),
            (8, 20, 21),
        )
    },
    "keys of a color that there is not": with_chunk(b"tRNS", b"\1\0" * 3),
    "four keys of a color": with_chunk(b"tRNS", bytes(8), file=encoded(Image.new("RGB", (40, 30)), "PNG")),
    "transparent, and alpha": with_chunk(b"tRNS", b"\0\1", file=encoded(with_alpha(), "PNG")),
    "palette, text that names tRNS": with_chunk(
        b"tEXt", b"Comment\0no tRNS", file=encoded(RGB.quantize(4), "PNG", bits=4)
    ),
    "transparent, text that names IDAT": with_chunk(
        b"tEXt", b"Comment\0one IDAT", file=encoded(RGB.quantize(4), "PNG", bits=4, transparency=0), at=33
    ),
    "RGBA": encoded(with_alpha(), "PNG"),
    "gray and alpha": encoded(with_alpha().convert("LA"), "PNG"),
    "one transparent color": encoded(RGB, "PNG", transparency=tuple(int(v) for v in np.asarray(RGB)[0, 0])),
    "upright and wide": encoded(RGB.resize((90, 31)), "PNG"),
    # Reduced on the way, where averages of colours are others than those of what a JPEG holds.
    **{f"dots, {scale} times as large": dots(112 * scale) for scale in (1, 2, 4, 8)},
    "dots, wide": dots(448, 896),
    "dots, nearly twice as large": dots(226),
    "dots in CMYK": dots(448, mode="CMYK"),
}


@pytest.fixture(scope="module")
def decoders():
    spec = [tf.TensorSpec([None], tf.string)]
    return {
        n: tf.function(lambda files, n=n: from_pictures(tf.identity, files, (28, 28, n)), input_signature=spec)
        for n in (1, 3)
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", FILES)
def test_training_and_serving_see_the_same(decoders, kind, channels):
    trained = decode_picture(io.BytesIO(FILES[kind]), 28, channels, 10**6).astype(float)
    served = (decoders[channels](tf.constant([FILES[kind]]))[0].numpy() + 1) * 127.5
    assert np.abs(trained - served).mean() < 1


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (encoded(Image.fromarray(np.full((9, 9), 4000, np.uint16)), "PNG"), "image_bytes must have 8 bits a channel"),
        (beginning_with(*[segment(0xFE, b"x")] * 300), "image_bytes must have at most 256 segments"),
        (encoded(RGB, "WEBP"), "must be a PNG or JPEG file"), (encoded(RGB, "BMP"), "must be a PNG or JPEG file"),
    ],
    ids=["16 bits", "300 segments", "WebP", "BMP"],
)  # fmt: skip
def test_what_the_graph_cannot_decode_alike_is_refused(decoders, file, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoders[3](tf.constant([file]))


def test_sides_of_a_png_have_no_sign():
    """A file that said 2^31 rows made the pixels of all of a request fewer than none."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    for sides in ((2**31 - 1, 2**31), (2**32 - 1, 2**32 - 1), (2**31, 1)):
        file = head + struct.pack(">2I5B", *sides, 8, 0, 0, 0, 0)
        assert pixels_of(tf.constant([file])).numpy() > MAX_PIXELS
        with pytest.raises(tf.errors.InvalidArgumentError, match="image_bytes must have at most"):
            checked_files(tf.constant([file, *[encoded(RGB, "PNG")] * 3]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(orientation):
    """Pillow turns it as it reads the pixels, and was followed."""
    seen = [decode_picture(io.BytesIO(turned(kind, orientation)), None, 3, 10**6) for kind in ("TIFF", "PNG")]
    np.testing.assert_array_equal(*seen)
    assert size_of(io.BytesIO(turned("TIFF", orientation)), 10**6) == seen[0].shape[1::-1]


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\xff", b"Exif\0\0" * 9]
)
def test_damaged_marks_of_orientation_are_no_marks(decoders, damage):
    file = encoded(RGB, "JPEG", quality=95, exif=b"Exif\0\0" + damage)
    upright = decoders[3](tf.constant([encoded(RGB, "JPEG", quality=95)]))
    np.testing.assert_allclose(decoders[3](tf.constant([file])), upright, atol=1e-6)


def test_damaged_marks_of_orientation_are_read_alike(decoders):
    """The definition, in Python, and its graph agree on whatever bytes there are."""
    rng = np.random.default_rng(0)
    graph = tf.function(orientation_of, input_signature=[tf.TensorSpec([], tf.string)])
    marks = []
    for number in range(400):
        data = bytearray(exif(number % 10, "<>"[number % 2], (3, 4)[number // 2 % 2]))
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.choice([0, 1, 2, 3, 6, 8, 9, 0x12, 0x49, 0x4D, 255, rng.integers(256)])
        data = bytes(data[: rng.integers(len(data))] if number % 7 == 0 else data)
        marks.append(untrusted_exif.orientation_of(data))
        assert marks[-1] == int(graph(data)), data.hex()
    assert len(set(marks)) == 8


@pytest.mark.parametrize("seed", range(3))
def test_segments_and_chunks_are_walked_alike(seed):
    rng = np.random.default_rng(seed)
    graphs = [tf.function(walk, input_signature=[tf.TensorSpec([], tf.string)]) for walk in (exif_of_jpeg, walked)]
    text = (
        chunk(b"tEXt", b"Comment\0eXIf")
        + chunk(b"PLTE", b"123")
        + chunk(b"tRNS", b"1")
        + chunk(b"eXIf", exif(6, ">", 3))
    )
    files = [FILES["EXIF twice"], FILES["a comment that names EXIF"], with_chunk(b"eXIf", exif(6, ">", 3))]
    files.append(chunks.PNG + bytes(25) + text + chunk(b"IDAT", b"xy") * 2 + text + chunk(b"IDAT", b"z"))
    found = 0
    for file in files * 20:
        is_png = file.startswith(chunks.PNG)
        damaged = bytearray(file[:400])
        for place in rng.integers(8, min(len(damaged), 300 if is_png else 160), 2):
            damaged[place] = rng.choice([0, 1, 2, 0xD8, 0xE1, 0xFF, rng.integers(256)])
        damaged = bytes(damaged[: rng.integers(60, 400)])
        data = untrusted_exif.exif_data(damaged)
        if is_png:
            assert [chunks.needed(damaged), data] == list(graphs[1](damaged).numpy())
        else:
            assert data == graphs[0](damaged).numpy()
        found += len(data) > 0
    assert 20 < found


def walked(file):
    spans = png_chunks.spans_of(file)
    return tf.stack([png_chunks.needed(file, spans), png_chunks.content_of(file, spans, chunks.EXIF)])


def test_transparency_counts_alike():
    """What the decoders get to see of it is the same in training and serving, for all bits and kinds of colors."""
    graph = tf.function(walked, input_signature=[tf.TensorSpec([], tf.string)])
    contents = [b"", b"\0", b"\0\1", b"\0\2", b"\0\xff", b"\1\0", bytes(5), bytes(6), b"\0\0\0\0\1\0", bytes(17)]
    kept = Counter()
    for bits, colors in itertools.product((0, 1, 2, 4, 8, 16, 255), (0, 2, 3, 4, 6)):
        for content, palette in itertools.product(contents, (b"", COLORS)):
            tables = chunk(b"tRNS", content) + (chunk(b"PLTE", palette) if palette else b"")
            file = chunks.PNG + bytes(16) + bytes([bits, colors]) + bytes(7) + tables + chunk(b"IDAT", b"xy")
            assert chunks.needed(file) == graph(file)[0].numpy(), (bits, colors, content, palette)
            kept[colors] += b"tRNS" in chunks.needed(file)
    assert +kept == {0: 2 * 16, 2: 2 * 9, 3: 46}  # keys with and without a palette, palettes only with theirs
