"""Picture files decoded in the graph of a SavedModel, to the pixels that training sees of the same files.

`tfgantl.data.decode` is the definition; a test compares both over a matrix of formats. What the graph cannot do in the
same way is refused: pictures of 16 bits a channel (which value is white depends on the set), and formats other than
PNG and JPEG.
"""

import tensorflow as tf

from tfgantl.export.orientation import MAX_SEGMENTS, exif_data, orientation_of, upright
from tfgantl.untrusted.pictures import JPEG, MAX_PIXELS, MAX_REQUEST_PIXELS, MAX_SCANS, PNG

SCAN = b"\xff\xda"  # what each scan of a JPEG begins with; two bytes in 65,536 look so by chance
CHANCE = 2**14  # bytes of a file for which one more is allowed
LUMA = (19595, 38470, 7471)  # of 65,536: ITU-R 601, as Pillow rounds it


def checked_files(files: tf.Tensor) -> tf.Tensor:
    """The files, string (batch,), if all are PNG or JPEG files that may be decoded, by their headers."""
    pixels = tf.map_fn(_pixels, files, fn_output_signature=tf.TensorSpec([], tf.int64))
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


def decode_file(file: tf.Tensor, channels: int) -> tf.Tensor:
    """Decodes one file, of those that `checked_files` gives.

    Turned as its EXIF data say, with transparent parts on white, to uint8 (height, width, channels).
    """
    is_png = _is_png(file)
    image = tf.cond(is_png, lambda: _png(file), lambda: _jpeg(file))
    image = upright(image, orientation_of(exif_data(file, is_png)))
    if channels == 3:
        return image
    luma = tf.reduce_sum(tf.cast(image, tf.int32) * tf.constant(LUMA), -1, keepdims=True)
    return tf.cast(tf.bitwise.right_shift(luma + 2**15, 16), tf.uint8)


def _pixels(file: tf.Tensor) -> tf.Tensor:
    is_png, is_jpeg = _is_png(file), tf.equal(tf.strings.substr(file, 0, 3), JPEG)
    known = tf.debugging.Assert(is_png | is_jpeg, ["image_bytes must be a PNG or JPEG file"])
    with tf.control_dependencies([known]):
        shape = tf.cond(is_png, lambda: _shape_of_png(file), lambda: tf.io.extract_jpeg_shape(file)[:2])
    return tf.reduce_prod(tf.cast(shape, tf.int64))


def _is_png(file: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.strings.substr(file, 0, 8), PNG)


def _shape_of_png(file: tf.Tensor) -> tf.Tensor:
    """Height and width, from the header that every PNG begins with; it also has the bits of a channel."""
    is_usual = tf.strings.substr(_head(file), 24, 1) != b"\x10"
    with tf.control_dependencies([tf.debugging.Assert(is_usual, ["image_bytes must have 8 bits a channel"])]):
        numbers = tf.io.decode_raw(tf.strings.substr(_head(file), 16, 8), tf.int32, little_endian=False)
    return tf.reverse(tf.ensure_shape(numbers, [2]), [0])


def _head(file: tf.Tensor) -> tf.Tensor:
    """The first bytes; of a file that ends before, zeros: TensorFlow's own message would quote the bytes there are."""
    return tf.strings.join([tf.strings.substr(file, 0, 32), bytes(32)])


def _png(file: tf.Tensor) -> tf.Tensor:
    rgba = tf.cast(tf.io.decode_png(file, 4), tf.int32)
    bits = tf.io.decode_raw(tf.strings.substr(_head(file), 24, 1), tf.uint8)[0]
    # TensorFlow fills in an alpha of as many bits as the file has, such as 15 of 255, where there is none.
    opaque = (bits < 8) & ~_has_transparency(file)
    colors, alpha = rgba[..., :3], tf.where(opaque, 255, rgba[..., 3:])
    return tf.cast((colors * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _has_transparency(file: tf.Tensor) -> tf.Tensor:
    """Whether a PNG without an alpha channel has a chunk that says what is transparent, ahead of its pixels."""
    size = tf.strings.length(file)

    def goes_on(position: tf.Tensor, count: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        return (position > 0) & (position <= size - 12) & (count < MAX_SEGMENTS) & ~found

    def step(position: tf.Tensor, count: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length, kind = _length(file, position), tf.strings.substr(file, position + 4, 4)
        following = tf.where(tf.equal(kind, b"IDAT") | (length < 0), 0, position + 12 + length)
        return following, count + 1, tf.equal(kind, b"tRNS")

    return tf.while_loop(goes_on, step, (tf.constant(8), tf.constant(0), tf.constant(False)))[2]


def _length(file: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Of the chunk of a PNG that begins there, int32."""
    return tf.io.decode_raw(tf.strings.substr(file, position, 4), tf.int32, little_endian=False)[0]


def _jpeg(file: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(file, 3, dct_method="INTEGER_ACCURATE")
