"""The same file gives the same pixels in training and in a served graph, or it is refused there."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgantl.data.decode import decode_picture
from tfgantl.export.image_signatures import decode_pictures

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


FILES = {
    **{f"{fmt} turned {i}": turned(fmt, i) for fmt in ("JPEG", "PNG") for i in range(1, 9)},
    "gray JPEG": encoded(RGB.convert("L"), "JPEG", quality=95),
    "progressive JPEG": encoded(RGB, "JPEG", quality=90, progressive=True),
    "subsampled JPEG": encoded(RGB, "JPEG", quality=80, subsampling=2),
    "CMYK": encoded(RGB.convert("CMYK"), "JPEG", quality=95),
    "gray PNG": encoded(RGB.convert("L"), "PNG"),
    "one bit": encoded(RGB.convert("1"), "PNG"),
    **{f"palette of {2**b}": encoded(RGB.quantize(2**b), "PNG", bits=b) for b in (1, 2, 4, 8)},
    **{f"palette of {2**b}, transparent": encoded(RGB.quantize(2**b), "PNG", bits=b, transparency=1) for b in (2, 4)},
    "one bit, transparent": encoded(RGB.convert("1"), "PNG", transparency=0),
    "transparent palette": encoded(RGB.quantize(17), "PNG", transparency=3),
    "RGBA": encoded(with_alpha(), "PNG"),
    "gray and alpha": encoded(with_alpha().convert("LA"), "PNG"),
    "one transparent color": encoded(RGB, "PNG", transparency=tuple(int(v) for v in np.asarray(RGB)[0, 0])),
    "upright and wide": encoded(RGB.resize((90, 31)), "PNG"),
}


@pytest.fixture(scope="module")
def decoders():
    spec = [tf.TensorSpec([None], tf.string)]
    return {n: tf.function(lambda files, n=n: decode_pictures(files, 28, n), input_signature=spec) for n in (1, 3)}


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
        (encoded(RGB, "WEBP"), "must be a PNG or JPEG file"), (encoded(RGB, "BMP"), "must be a PNG or JPEG file"),
    ],
    ids=["16 bits", "WebP", "BMP"],
)  # fmt: skip
def test_what_the_graph_cannot_decode_alike_is_refused(decoders, file, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoders[3](tf.constant([file]))


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\xff", b"Exif\0\0" * 9]
)
def test_damaged_marks_of_orientation_are_no_marks(decoders, damage):
    file = encoded(RGB, "JPEG", quality=95, exif=b"Exif\0\0" + damage)
    upright = decoders[3](tf.constant([encoded(RGB, "JPEG", quality=95)]))
    np.testing.assert_allclose(decoders[3](tf.constant([file])), upright, atol=1e-6)
