"""Small picture files whose pixels are few, and what is beside them takes seconds, or gigabytes."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
import tensorflow as tf
from conftest import growth_below
from PIL import Image

from tfgantl.data import Folder
from tfgantl.data.decode import decode_picture
from tfgantl.data.depth import deep_range
from tfgantl.errors import DataError
from tfgantl.export.client import Client
from tfgantl.export.image_signatures import from_pictures
from tfgantl.untrusted.chunks import CHUNK, MAX_CHUNKS, PNG, needed
from tfgantl.untrusted.pictures import refusal

PIXELS = (np.arange(784) % 251).astype(np.uint8).reshape(28, 28)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(before=b"", behind=b"", pieces=1):
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))
    step = -(-len(packed) // pieces)
    pixels = b"".join(chunk(b"IDAT", packed[i : i + step]) for i in range(0, len(packed), step))
    return PNG + chunk(b"IHDR", header) + before + pixels + behind + chunk(b"IEND", b"")


LARGE = zlib.compress(bytes(7_900_000), 9)
TEXTS = {
    "zTXt": chunk(b"zTXt", b"k\0\0" + LARGE),
    "iTXt": chunk(b"iTXt", b"k\0\1\0\0\0" + LARGE),
    "iCCP": chunk(b"iCCP", b"x\0\0" + LARGE),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("place", ["before", "behind"])
def test_what_is_packed_beside_the_pixels_is_not_unpacked(kind, place):
    file = png(**{place: TEXTS[kind] * 30})  # 240 MB
    served = from_pictures(tf.identity, tf.constant([png()]), (28, 28, 1))
    start = time.process_time()
    with growth_below(40):
        np.testing.assert_array_equal(decode_picture(io.BytesIO(file), None, 1, 10**6)[..., 0], PIXELS)
        np.testing.assert_array_equal(from_pictures(tf.identity, tf.constant([file]), (28, 28, 1)), served)
    assert time.process_time() - start < 1
    assert refusal([file]) is None


def test_a_client_unpacks_pixels_only(monkeypatch):
    client = Client("http://127.0.0.1:1", "tiny")
    monkeypatch.setattr(client, "predict", lambda signature, inputs: {"png_bytes": [png(TEXTS["zTXt"] * 9)]})
    with growth_below(40):
        np.testing.assert_array_equal(client.generate([1])[0, ..., 0], PIXELS)


def test_chunks_are_counted_alike_in_training_and_serving():
    most = png(chunk(b"tEXt", b"k\0v"))  # each further one takes 15 bytes
    count = MAX_CHUNKS - 4
    while (count + 3) < MAX_CHUNKS + (len(most) + 15 * count) // CHUNK:
        count += 1
    for number in (count - 2, count + 2):
        file = png(chunk(b"tEXt", b"k\0v") * number)
        few = needed(file) is not None
        assert few == (number < count)
        decoded, refused = decode_picture(io.BytesIO(file), None, 1, 10**6), refusal([file])
        if few:
            assert not isinstance(decoded, str) and refused is None
            assert from_pictures(tf.identity, tf.constant([file]), (8, 8, 1)).shape == (1, 8, 8, 1)
            continue
        assert "has more than 128 chunks, and one for each 512 bytes" in refused and decoded in refused
        with pytest.raises(tf.errors.InvalidArgumentError, match="at most 128 chunks, and one for each 512 bytes"):
            from_pictures(tf.identity, tf.constant([file]), (8, 8, 1))
    assert deep_range(io.BytesIO(png(pieces=300)), 10**6) is None
    assert "more than 128 chunks" in refusal([png(), png(pieces=300)])


def test_segments_are_counted_alike_in_training_and_serving():
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "JPEG")
    plain = stream.getvalue()
    many = plain[:2] + b"\xff\xfe\0\2" * 300 + plain[2:]
    assert decode_picture(io.BytesIO(many), None, 1, 10**6) == "has more than 256 segments ahead of its pixels"
    assert "has more than 256 segments ahead of its pixels" in refusal([plain, many])
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 256 segments"):
        from_pictures(tf.identity, tf.constant([many]), (8, 8, 1))


def bmp_of_runs(width):
    header = struct.pack("<IiiHHIIiiII", 40, width, 1, 1, 8, 1, 0, 0, 0, 256, 256) + bytes(1024)
    content = header + b"\x01\x07\x00\x00"  # one pixel, and the end of the line
    return b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, 14 + len(header)) + content


def tiff(strips=1, more=(), order="<"):
    """A TIFF of one pixel a strip, with offsets of two bytes."""
    entries = [(256, 4, 1, 1), (257, 4, 1, strips), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
               (273, 3, strips, 9000), (277, 3, 1, 1), (278, 4, 1, 1), (279, 3, 1, 1), *more]  # fmt: skip
    if strips == 1:
        entries[5] = (273, 3, 1, 9000)
    packed = [struct.pack(order + "HHI", *entry[:3]) + (struct.pack(order + "HH", entry[3], 0)
              if entry[1:3] == (3, 1) else struct.pack(order + "I", entry[3])) for entry in entries]  # fmt: skip
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    body = head + struct.pack(order + "H", len(entries)) + b"".join(packed) + bytes(4)
    return body.ljust(9000, b"\0") + struct.pack(order + "H", 1) * strips


def big_tiff(strips):
    entries = [(273, 3, strips, 9000)]
    body = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, len(entries))
    return body + b"".join(struct.pack("<HHQQ", *entry) for entry in entries) + bytes(2000)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (bmp_of_runs(64_000_000), "is a BMP of runs of 64000000 pixels, more than 4000000"),
        (tiff(200_000), "has 200000 strips, more than 32768"),
        (tiff(200_000, order=">"), "has 200000 strips, more than 32768"),
        (big_tiff(200_000), "has 200000 strips, more than 32768"),
        (tiff(more=[(40_000 + i, 7, 5000, 0) for i in range(9)]), "has tags of 45024 bytes, more than its own"),
        (tiff(more=[(40_000 + i % 9, 7, 1, 0) for i in range(1100)]), "has 1109 tags, more than 1024"),
    ],
    ids=["runs", "strips", "strips, Motorola", "strips of a BigTIFF", "shared tags", "tags"],
)
def test_pictures_that_take_long_for_their_pixels_are_refused(tmp_path, file, message):
    start = time.process_time()
    decoded = decode_picture(io.BytesIO(file), 8, 1, 64_000_000)
    assert isinstance(decoded, str) and message in decoded
    (tmp_path / "evil.png").write_bytes(file)
    with pytest.raises(DataError, match=f"evil.png: {message}"):
        Folder(str(tmp_path), 8, 1).read()
    assert time.process_time() - start < 1


def test_usual_pictures_of_these_kinds_are_read():
    assert decode_picture(io.BytesIO(bmp_of_runs(1000)), None, 1, 10**6).shape == (1, 1000, 1)
    for order in "<>":
        assert decode_picture(io.BytesIO(tiff(100, order=order)), None, 1, 10**6).shape == (100, 1, 1)
