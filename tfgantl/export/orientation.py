"""Which way up a picture file is, in the graph of a SavedModel, as `tfgantl.untrusted.exif` has it for training.

It is the mark of orientation in the EXIF data ahead of the pixels, and nothing else: neither XMP nor text chunks, nor
bytes that look alike in a comment or a colour profile.
"""

import tensorflow as tf

from tfgantl.untrusted.exif import ENTRY, LONGS, MAX_ENTRIES, MAX_SEGMENTS, ORIENTATION, SHORTS, STRAY

END = -1


def exif_of_jpeg(file: tf.Tensor) -> tf.Tensor:
    """EXIF data of the first segment ahead of the pixels that holds some, string (); else empty."""
    size = tf.strings.length(file)

    def goes_on(position: tf.Tensor, count: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
        return (position != END) & (position <= size - ENTRY) & (count < MAX_SEGMENTS)

    def step(position: tf.Tensor, count: tf.Tensor, data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        start, length, following = _segment(file, position)
        following = tf.where((following > position) & (following < size), following, END)
        found = tf.cond(length > 0, lambda: tf.strings.substr(file, start, length), lambda: data)
        return following, count + 1, found

    end, count, data = tf.while_loop(goes_on, step, (tf.constant(2), tf.constant(0), tf.constant(b"")))
    few = (end == END) | (count < MAX_SEGMENTS)
    message = f"image_bytes must have at most {MAX_SEGMENTS} segments ahead of the pixels"
    with tf.control_dependencies([tf.debugging.Assert(few, [message])]):
        return tf.identity(data)


def _segment(file: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where EXIF data begins and how long it is (0: none), and where the next segment begins.

    Stray bytes, and those that fill, are passed over one by one.
    """
    head, name = _numbers(tf.strings.substr(file, position, 4)), tf.strings.substr(file, position + 4, 6)
    marker, length = head[1], 256 * head[2] + head[3]
    is_marker = tf.equal(head[0], 0xFF) & (marker != 0xFF) & (marker != 0)
    is_exif = is_marker & tf.equal(marker, 0xE1) & tf.equal(name, b"Exif\0\0")
    alone = tf.equal(marker, 1) | ((marker >= 0xD0) & (marker <= 0xD8))
    size = tf.where(is_marker, tf.where(alone, 2, 2 + length), STRAY)
    is_last = is_exif | (is_marker & (tf.equal(marker, 0xDA) | tf.equal(marker, 0xD9)))
    return position + 10, tf.where(is_exif, length - 8, 0), tf.where(is_last, END, position + size)


def orientation_of(data: tf.Tensor) -> tf.Tensor:
    """The mark of orientation in EXIF data, int32 from 1 to 8; 1 if there is none, or it is damaged."""
    content = _numbers(tf.strings.join([data, bytes(16)]))
    size = tf.strings.length(data)
    big = tf.equal(content[0], ord("M"))

    def read(numbers: tf.Tensor, count: int) -> tf.Tensor:
        return tf.cond(big, lambda: _number(numbers, count), lambda: _number(tf.reverse(numbers, [-1]), count))

    start = read(content[4:8], 4)
    start = tf.where((start < 8) | (start > size), size, start)
    count = tf.minimum(read(content[start : start + 2], 2), tf.minimum(MAX_ENTRIES, (size - start) // ENTRY))
    rows = tf.reshape(content[start + 2 : start + 2 + ENTRY * tf.maximum(count, 0)], (-1, ENTRY))
    kind, short, long = read(rows[:, 2:4], 2), read(rows[:, 8:10], 2), read(rows[:, 8:12], 4)
    is_short, is_long = (tf.reduce_any(tf.equal(kind[:, None], kinds), 1) for kinds in (SHORTS, LONGS))
    value = tf.where(is_short, short, tf.where(is_long, long, 0))
    found = tf.boolean_mask(value, tf.equal(read(rows[:, :2], 2), ORIENTATION))
    mark = tf.concat([[1], found], 0)[-1]
    return tf.where((mark >= 1) & (mark <= 8), mark, 1)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a picture by its mark, from 1 (upright) to 8: transposed, then mirrored at one axis or both."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    image = tf.cond(_among(orientation, (2, 3, 6, 7)), lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(_among(orientation, (3, 4, 7, 8)), lambda: tf.reverse(image, [0]), lambda: image)


def _among(value: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, tf.constant(values)))


def _numbers(text: tf.Tensor) -> tf.Tensor:
    """Bytes of a string, int32."""
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)


def _number(digits: tf.Tensor, count: int) -> tf.Tensor:
    """Number of so many bytes (..., count), the first one the highest; from 2^31 on it is negative."""
    value = digits[..., 0]
    for i in range(1, count):
        value = value * 256 + digits[..., i]
    return value
