"""Picture files of a few kilobytes that would take seconds, or gigabytes, to decode."""

import io
import struct
import threading
import time
import zlib

import numpy as np
import pytest
import tensorflow as tf
from conftest import growth_below
from PIL import EpsImagePlugin, Image

from tfgantl.data import Folder, depth
from tfgantl.data.decode import decode_picture
from tfgantl.data.decoding_budget import DecodingBudget
from tfgantl.data.depth import Depth, deep_range
from tfgantl.errors import DataError, ServingError
from tfgantl.export.client import Client
from tfgantl.export.image_signatures import from_pictures
from tfgantl.images import encode_png
from tfgantl.models.stylizer import Stylizer
from tfgantl.pipelines import stylize
from tfgantl.style import memory_budget
from tfgantl.style.pictures import read_picture
from tfgantl.untrusted.chunks import PNG
from tfgantl.untrusted.pictures import MAX_SCANS, pixels_of, refusal, scans_of


def jpeg(size=(40, 30), **options):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)).save(
        stream, "JPEG", **options
    )
    return stream.getvalue()


def png(width, height, mode="L"):
    stream = io.BytesIO()
    Image.new(mode, (width, height)).save(stream, "PNG")
    return stream.getvalue()


def with_scans(count):
    """A progressive JPEG whose last scan comes again and again."""
    file = jpeg(progressive=True)
    start, end = file.rindex(b"\xff\xda"), file.rindex(b"\xff\xd9")
    return file[:start] + file[start:end] * (count - file.count(b"\xff\xda") + 1) + b"\xff\xd9"


@pytest.mark.parametrize(
    ("file", "scans"),
    [(jpeg(), 1), (jpeg(progressive=True), 10), (with_scans(300), 300), (png(3, 4), 0), (b"", 0), (b"\xff\xd8\xff", 0)],
    ids=["baseline", "progressive", "many", "PNG", "empty", "cut off"],
)
def test_scans_and_pixels_are_counted_without_decoding(file, scans):
    assert scans_of(file) == scans
    assert pixels_of(file) == (1200 if scans else 12 if file else 0) or file == b"\xff\xd8\xff"


def test_what_only_looks_like_a_scan_is_none():
    """A thumbnail in a segment, and whatever a phone appends behind the picture."""
    file = jpeg(exif=b"Exif\0\0" + b"\xff\xda" * 500) + b"\xff\xda" * 500
    assert scans_of(file) == 1 and not isinstance(decode_picture(io.BytesIO(file), None, 3, 10**6), str)


def test_a_jpeg_of_many_scans_is_refused_wherever_pictures_are_read(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.jpg").write_bytes(jpeg((40 + i, 30), quality=90 - i))
    (folder / "evil.jpg").write_bytes(with_scans(MAX_SCANS + 1))
    source = Folder(str(folder), image_size=8, channels=3)
    with pytest.raises(DataError, match=rf"evil.jpg: has {MAX_SCANS + 1} scans, more than {MAX_SCANS}"):
        source.read()
    with pytest.raises(DataError, match="which has 65 scans"):
        read_picture(folder / "evil.jpg", "style")
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 64 scans"):
        from_pictures(tf.identity, tf.constant([jpeg(), with_scans(MAX_SCANS + 1)]), (8, 8, 3))
    (folder / "evil.jpg").write_bytes(with_scans(MAX_SCANS))
    assert len(source.read().images) == 4
    assert from_pictures(tf.identity, tf.constant([jpeg(progressive=True)]), (8, 8, 3)).shape == (1, 8, 8, 3)


def test_counting_takes_no_time_whatever_fills_the_space_between_segments():
    start = time.perf_counter()
    assert scans_of(b"\xff\xd8\xff" + b"\xff" * 3_000_000) == 0 and pixels_of(b"\xff\xd8\xff" + b"\xff" * 10**6) == 0
    assert time.perf_counter() - start < 2


def tiff_of_one_tile(side):
    """One pixel, in a deflated tile of so many a side."""
    tile = zlib.compress(bytes(side * side), 9)
    entries = [
        (256, 1),
        (257, 1),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 0),
        (325, len(tile)),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    table = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 324 else value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + tile


def test_a_small_tiff_of_a_large_tile_is_refused():
    small, large = (io.BytesIO(tiff_of_one_tile(side)) for side in (16, 4096))
    assert decode_picture(small, None, 1, 10**6).shape == (1, 1, 1)
    with growth_below(12):
        assert decode_picture(large, None, 1, 10**6).startswith("has tiles of 16777216 pixels, more than")


def test_the_pixels_of_a_request_are_limited_together():
    large = png(4000, 4000)
    assert refusal([large] * 4) is None and refusal([b"no picture", b""]) is None
    assert "the pictures of a request must have at most 64000000 pixels. Received: 80000000" in refusal([large] * 5)
    assert "a picture must have at most 16000000 pixels" in refusal([png(4001, 4000)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="all image_bytes of a request must have at most 64000000"):
        from_pictures(tf.identity, tf.constant([large] * 5), (8, 8, 1))


def test_a_picture_of_16_bits_needs_no_multiple_of_its_size():
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 65536, (64, 2000), np.uint16)
    Image.fromarray(np.tile(pixels, (60, 1))).save(stream, "PNG")  # 8 million pixels
    with growth_below(110):  # 15 MiB and 31 MiB of pixels, 8 MiB of the result; all at once in float64 would be 61 each
        decoded = decode_picture(stream, None, 1, 10**7)
    np.testing.assert_array_equal(decoded[:64, :, 0], np.round(pixels * (255 / 65535)).astype(np.uint8))


def test_threads_decode_no_more_than_the_budget_at_one_time():
    budget, lock, seen, now = DecodingBudget(10), threading.Lock(), [], [0]

    def decode(pixels):
        with budget.spent(pixels):
            with lock:
                now[0] += pixels
                seen.append(now[0])
            time.sleep(0.01)
            with lock:
                now[0] -= pixels

    threads = [threading.Thread(target=decode, args=(pixels,)) for pixels in (4, 5, 3, 25, 6, 2, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(seen) == 7 and max(total for total in seen if total != 25) <= 10  # the large one had its turn alone


def test_a_client_decodes_nothing_but_png(monkeypatch):
    """Pillow hands EPS to a program; what a server sends is not the client's choice."""
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments, **options: started.append(arguments))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    huge = encode_png(np.zeros((8, 8, 1), np.uint8))
    huge = huge[:16] + struct.pack(">II", 60_000, 60_000) + huge[24:]
    for file, message in ((eps, "must be a PNG file"), (huge, "at most 16000000 pixels")):
        client = Client("http://127.0.0.1:1", "tiny")
        monkeypatch.setattr(client, "predict", lambda signature, inputs, file=file: {"png_bytes": [file]})
        with pytest.raises(ServingError, match=message):
            client.generate([1])
    assert not started


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_whose_white_is_zero_is_not_a_negative(dtype):
    pixels = (np.arange(64, dtype=dtype).reshape(8, 8) * 4) << (8 if dtype == np.uint16 else 0)
    seen = []
    for interpretation in (1, 0):
        stored = pixels if interpretation else np.iinfo(dtype).max - pixels
        stream = io.BytesIO()
        Image.fromarray(stored).save(stream, "TIFF")
        content = bytearray(stream.getvalue())
        entry = content.index(struct.pack("<HHI", 262, 3, 1))
        content[entry + 8] = interpretation
        seen.append(decode_picture(io.BytesIO(bytes(content)), None, 1, 10**6, Depth()))
    np.testing.assert_allclose(seen[0].astype(int), seen[1].astype(int), atol=1)


def test_pixels_of_16_bits_are_counted_before_they_are_decoded(tmp_path, monkeypatch):
    """What is white is found out for the whole set first, and must not decode what is then refused."""
    Image.fromarray(np.linspace(0, 4000, 2500).reshape(50, 50).astype(np.uint16)).save(tmp_path / "deep.png")
    touched = []
    monkeypatch.setattr(depth, "deep_pixels", lambda picture: touched.append(picture) or (np.asarray(picture), None))
    with pytest.raises(DataError, match="decodes to 50 x 50 pixels, more than `max_pixels` = 100"):
        Folder(str(tmp_path), 8, 1, max_pixels=100).load("train")
    assert not touched and deep_range(tmp_path / "deep.png", 2500) == ("integers", 0.0, 4000.0)


def test_a_picture_is_painted_only_if_it_fits_into_memory(tmp_path, monkeypatch, capsys):
    """8,000 x 8,000 pixels, which a PNG of 200 KB may have, would take 23 GB in one pass of the shipped network."""
    Stylizer(1, width=2, blocks=1).save(tmp_path / "painter.keras")
    Image.new("RGB", (40, 40), "orange").save(tmp_path / "content.png")
    command = ["apply", str(tmp_path / "painter.keras"), str(tmp_path / "content.png"), "--output"]
    monkeypatch.setattr(memory_budget, "free_bytes", lambda: memory_budget.BASE + memory_budget.PER_CHANNEL * 2 * 20**2)
    assert stylize.main([*command, str(tmp_path / "large.png")]) == 2
    assert "; 20 does. Received: 40, which takes" in capsys.readouterr().err and not (tmp_path / "large.png").exists()
    assert stylize.main([*command, str(tmp_path / "small.png"), "--size", "20"]) == 0


def test_pages_of_a_stack_are_not_lost(tmp_path):
    """Of a microscope's stack the first page was taken, without a word; a preview behind a picture is none of it."""
    page, preview = (Image.fromarray(np.full((side, side), 90, np.uint8)) for side in (16, 4))
    page.save(tmp_path / "stack.tif", save_all=True, append_images=[page.rotate(90)] * 3)
    page.save(tmp_path / "preview.tif", save_all=True, append_images=[preview])
    assert "has several pages of one size" in decode_picture(tmp_path / "stack.tif", 8, 1, 10**6)
    for name in ("preview.tif", "plain.tif"):
        page.save(tmp_path / "plain.tif")
        np.testing.assert_array_equal(decode_picture(tmp_path / name, None, 1, 10**6), np.asarray(page)[..., None])


@pytest.mark.parametrize("raw", [True, False])
def test_a_tiff_that_begins_with_a_preview_is_refused(tmp_path, raw):
    """As raw files of cameras, whose pictures lie elsewhere in them."""
    small, large = Image.new("RGB", (16, 12), "red"), Image.new("RGB", (64, 48), "blue")
    options = {"tiffinfo": {254: 1}} if raw else {"append_images": [large], "save_all": True}
    small.save(tmp_path / "photo.tif", **options)
    assert "begins with a p" in decode_picture(tmp_path / "photo.tif", 8, 3, 10**6)
    large.save(tmp_path / "fine.tif", append_images=[small], save_all=True)
    assert decode_picture(tmp_path / "fine.tif", 8, 3, 10**6)[0, 0].tolist() == [0, 0, 255]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_png(pixels, colour_type, extra=b""):
    """A PNG of 16 bits; Pillow writes gray ones only."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_tiff(pixels):
    """A TIFF of 16 bits in colour, in one strip."""
    height, width, data = *pixels.shape[:2], pixels.astype("<u2").tobytes()
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 14)]
    tags += [(277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data))]
    head = struct.pack("<2sHIHHH", b"II", 42, 14 + len(data), 16, 16, 16)
    return head + data + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)


def test_colours_of_16_bits_are_scaled_as_grays_are(tmp_path):
    """Pillow gives their upper 8 bits, of which pictures of 12 bits have four."""
    gray = np.random.default_rng(0).integers(0, 4096, (12, 9, 9, 1))
    gray[:, 0, 0] = 7
    alpha = np.full_like(gray, 65535)
    alpha[:, 0, 0] = 0
    keys = {0: chunk(b"tRNS", struct.pack(">H", 7)), 2: chunk(b"tRNS", struct.pack(">HHH", 7, 7, 7))}
    kinds = {"gray": 0, "colour": 2, "gray with alpha": 4, "colour with alpha": 6, "colour with a key": 2}
    kinds["gray with a key"] = 0
    for kind, colour_type in kinds.items():
        pixels = gray if "gray" in kind else gray.repeat(3, -1)
        pixels = np.concatenate([pixels, alpha], -1) if "alpha" in kind else pixels
        (tmp_path / kind).mkdir()
        for i, one in enumerate(pixels):
            content = deep_png(one, colour_type, keys[colour_type] if "key" in kind else b"")
            (tmp_path / kind / f"{i:02}.png").write_bytes(content)
    wanted = np.round(gray.repeat(3, -1) * (255 / 4095)).astype(np.uint8)
    for kind in kinds:
        images = Folder(str(tmp_path / kind), 9, 3).read().images
        np.testing.assert_array_equal(images[:, 1:], wanted[:, 1:], kind)
        assert (images[:, 0, 0] == (255 if "with" in kind else 0)).all(), kind


def test_colours_of_a_tiff_that_are_almost_black_are_told(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (9, 9, 3))
    for name, some in (("dark", pixels), ("fine", pixels * 16)):
        (tmp_path / f"{name}.tif").write_bytes(deep_tiff(some))
    assert "must use more than 12 of them" in decode_picture(tmp_path / "dark.tif", 9, 3, 10**6)
    np.testing.assert_array_equal(decode_picture(tmp_path / "fine.tif", 9, 3, 10**6), pixels * 16 >> 8)
