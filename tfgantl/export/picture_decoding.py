"""Picture files decoded in the graph of a SavedModel, to the pixels that training sees of the same files.

`tfgantl.data.decode` is the definition; a test compares both over a matrix of formats. What the graph cannot do in the
same way is refused: pictures of 16 bits a channel (which value is white depends on the set), and formats other than
PNG and JPEG. It is a thousand operations, so that all endpoints have one graph of it in common.
"""

from functools import partial

import tensorflow as tf

from tfgantl.data.decode import SCALES
from tfgantl.export import png_chunks
from tfgantl.export.orientation import exif_of_jpeg, orientation_of, upright
from tfgantl.untrusted.chunks import EXIF, PNG, TRANSPARENCY
from tfgantl.untrusted.exif import JPEG
from tfgantl.untrusted.pictures import MAX_PIXELS, MAX_REQUEST_PIXELS, MAX_SCANS

SCAN = b"\xff\xda"  # what each scan of a JPEG begins with; two bytes in 65,536 look so by chance
CHANCE = 2**14  # bytes of a file for which one more is allowed
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64" + bytes(5)  # a segment that says: CMYK, with 0 for all of the ink
LUMA = (19595, 38470, 7471)  # of 65,536: ITU-R 601, as Pillow rounds it


@tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
def checked_files(files: tf.Tensor) -> tf.Tensor:
    """The files, string (batch,), if all are PNG or JPEG files that may be decoded, by their headers."""
    pixels = pixels_of(files)
    checks = [
        tf.debugging.assert_less_equal(found, tf.constant(most, tf.int64), message=f"{what} at most {most} pixels")
        for found, most, what in (
            (pixels, MAX_PIXELS, "image_bytes must have"),
            (tf.reduce_sum(pixels), MAX_REQUEST_PIXELS, "all image_bytes of a request must have"),
        )
    ]
    scans = tf.strings.split(files, SCAN).row_lengths() - 1
    allowed = MAX_SCANS + tf.cast(tf.strings.length(files) // CHANCE, tf.int64)
    few = tf.debugging.assert_less_equal(scans, allowed, message=f"image_bytes must have at most {MAX_SCANS} scans")
    with tf.control_dependencies([*checks, few]):
        return tf.identity(files)


@tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
def pixels_of(files: tf.Tensor) -> tf.Tensor:
    """Pixels of each file, int64 (batch,), by their headers; what is no PNG or JPEG file is an error."""
    return tf.map_fn(_pixels, files, fn_output_signature=tf.TensorSpec([], tf.int64))


@tf.function(autograph=False)
def decode_file(file: tf.Tensor, channels: int, least: int | None = None) -> tf.Tensor:
    """Decodes one file, of those that `checked_files` gives.

    Turned as its EXIF data say, with transparent parts on white, to uint8 (height, width, channels). With `least`, a
    JPEG may be decoded to a half, a quarter or an eighth, with at least so many pixels a side, as in training.
    """
    image, exif = tf.cond(_is_png(file), lambda: _png(file), lambda: _jpeg(file, least))
    image = upright(image, orientation_of(exif))
    if channels == 3:
        return image
    luma = tf.reduce_sum(tf.cast(image, tf.int32) * tf.constant(LUMA), -1, keepdims=True)
    return tf.cast(tf.bitwise.right_shift(luma + 2**15, 16), tf.uint8)


def _pixels(file: tf.Tensor) -> tf.Tensor:
    is_png, is_jpeg = _is_png(file), tf.equal(tf.strings.substr(file, 0, 3), JPEG)
    known = tf.debugging.Assert(is_png | is_jpeg, ["image_bytes must be a PNG or JPEG file"])
    with tf.control_dependencies([known]):
        shape = tf.cond(
            is_png, lambda: _shape_of_png(file), lambda: tf.cast(tf.io.extract_jpeg_shape(file)[:2], tf.int64)
        )
    return tf.reduce_prod(shape)


def _is_png(file: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.strings.substr(file, 0, 8), PNG)


def _shape_of_png(file: tf.Tensor) -> tf.Tensor:
    """Height and width, from the header that every PNG begins with; it also has the bits of a channel."""
    is_usual = tf.strings.substr(_head(file), 24, 1) != b"\x10"
    with tf.control_dependencies([tf.debugging.Assert(is_usual, ["image_bytes must have 8 bits a channel"])]):
        numbers = tf.io.decode_raw(tf.strings.substr(_head(file), 16, 8), tf.int32, little_endian=False)
    width, height = tf.unstack(tf.bitwise.bitwise_and(tf.cast(tf.ensure_shape(numbers, [2]), tf.int64), 2**32 - 1))
    # They have no sign, and the product of the largest ones has no place in 64 bits.
    return tf.minimum(tf.stack([height, width]), MAX_PIXELS + 1)


def _head(file: tf.Tensor) -> tf.Tensor:
    """The first bytes; of a file that ends before, zeros: TensorFlow's own message would quote the bytes there are."""
    return tf.strings.join([tf.strings.substr(file, 0, 32), bytes(32)])


def _png(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels, uint8 (height, width, 3), and EXIF data."""
    spans = png_chunks.spans_of(file)
    rgba = tf.cast(tf.io.decode_png(png_chunks.needed(file, spans), 4), tf.int32)
    bits = tf.io.decode_raw(tf.strings.substr(_head(file), 24, 1), tf.uint8)[0]
    # TensorFlow fills in an alpha of as many bits as the file has, such as 15 of 255, where there is none.
    opaque = (bits < 8) & ~png_chunks.is_there(spans, TRANSPARENCY)
    colors, alpha = rgba[..., :3], tf.where(opaque, 255, rgba[..., 3:])
    image = tf.cast((colors * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)
    return image, png_chunks.content_of(file, spans, EXIF)


def _jpeg(file: tf.Tensor, least: int | None) -> tuple[tf.Tensor, tf.Tensor]:
    """The same for a JPEG, whose segments are counted before it is decoded.

    Training takes every CMYK for Adobe's, with 0 for all of the ink; TensorFlow does where a segment says so, and takes
    others for the negative. So each gets that segment; one of its own may name a transform, comes later, and counts.
    """
    exif = exif_of_jpeg(file)
    with tf.control_dependencies([exif]):
        shape = tf.io.extract_jpeg_shape(file)
        start, rest = tf.strings.substr(file, 0, 2), tf.strings.substr(file, 2, tf.strings.length(file))
        file = tf.where(tf.equal(shape[2], 4), tf.strings.join([start, ADOBE, rest]), file)
        decode = partial(tf.io.decode_jpeg, file, 3, dct_method="INTEGER_ACCURATE")
        if least is None:
            return decode(), exif
        fits = [(tf.reduce_min(shape[:2]) >= scale * least) & tf.reduce_all(shape[:2] % scale == 0) for scale in SCALES]
        chosen = tf.reduce_min(tf.where(tf.stack(fits), tf.range(len(SCALES)), len(SCALES)))
        return tf.switch_case(chosen, [partial(decode, ratio=scale) for scale in (*SCALES, 1)]), exif
