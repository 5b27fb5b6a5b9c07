"""Chunks of a PNG file in the graph of a SavedModel, as `tfgantl.untrusted.chunks` finds them for training.

One walk for all there is to know: what a decoder needs, whether something is transparent, and EXIF data.
"""

import tensorflow as tf

from tfgantl.untrusted.chunks import (
    CHUNK,
    DEPTH,
    END,
    FRAME,
    HEADER,
    KEYS,
    KINDS,
    MAX_CHUNKS,
    PALETTE,
    PALETTED,
    PIXELS,
    TRANSPARENCY,
)

NOWHERE = -1


def spans_of(file: tf.Tensor) -> tf.Tensor:
    """Where the first chunk of each of `KINDS` begins and ends, int32 (kinds, 2); zeros for what is not there.

    Transparency that does not fit the colors is not there.

    Args:
        file: A PNG file, string ().
    """
    size, is_pixels = tf.strings.length(file), tf.constant([kind == PIXELS for kind in KINDS])
    most = MAX_CHUNKS + size // CHUNK

    def goes_on(position: tf.Tensor, count: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        return (position != NOWHERE) & (position <= size - FRAME) & (count < most)

    def step(position: tf.Tensor, count: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = tf.io.decode_raw(tf.strings.substr(file, position, 4), tf.int32, little_endian=False)[0]
        rest = size - position - FRAME  # sums of what a file claims would not fit int32
        is_cut, end = (length < 0) | (length > rest), position + FRAME + tf.clip_by_value(length, 0, rest)
        end = tf.where(is_cut, size, end)
        kind = tf.equal(tf.strings.substr(file, position + 4, 4), KINDS)
        holds_pixels, is_there = tf.reduce_any(kind & is_pixels), found[:, 1] > 0
        is_last = ~holds_pixels & (is_cut | tf.reduce_any(is_there & is_pixels))
        taken = kind & (is_pixels | ~is_there) & ~is_last
        start = tf.where(taken & ~is_there, position, found[:, 0])
        found = tf.stack([start, tf.where(taken, end, found[:, 1])], 1)
        return tf.where(is_last | is_cut, NOWHERE, end), count + 1, found

    first = (tf.constant(HEADER), tf.constant(0), tf.zeros((len(KINDS), 2), tf.int32))
    position, count, found = tf.while_loop(goes_on, step, first)
    few = (position == NOWHERE) | (position > size - FRAME) | (count < most)
    message = f"image_bytes must have at most {MAX_CHUNKS} chunks, and one for each {CHUNK} bytes"
    with tf.control_dependencies([tf.debugging.Assert(few, [message])]):
        is_void = tf.equal(KINDS, TRANSPARENCY) & ~_fits(file, found)
        return tf.where(is_void[:, None], 0, found)


def _fits(file: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Whether what is transparent is a color that there can be, bool ()."""
    head = tf.strings.substr(tf.strings.join([tf.strings.substr(file, 0, HEADER), bytes(HEADER)]), DEPTH, 2)
    bits, colors = tf.unstack(tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32), 2)
    values = tf.bitwise.left_shift(1, tf.minimum(bits, 16))
    content, palette = content_of(file, found, TRANSPARENCY), found[KINDS.index(PALETTE)]
    size, entries = tf.strings.length(content), tf.minimum((palette[1] - palette[0] - FRAME) // 3, values)
    whole = tf.strings.substr(tf.strings.join([content, bytes(6)]), 0, 6)
    keys = tf.cast(tf.io.decode_raw(whole, tf.uint16, little_endian=False), tf.int32)
    is_key = tf.reduce_any([(colors == kind) & (size == length) for kind, length in KEYS.items()])
    fits_palette = (colors == PALETTED) & (size >= 1) & (size <= entries)
    return fits_palette | (is_key & tf.reduce_all(keys < values))


def needed(file: tf.Tensor, spans: tf.Tensor) -> tf.Tensor:
    """The file, string (), with nothing but what its pixels need, and its EXIF data."""
    parts = tf.strings.substr(file, spans[:, 0], spans[:, 1] - spans[:, 0])
    return tf.strings.join([tf.strings.substr(file, 0, HEADER), tf.strings.reduce_join(parts), END])


def content_of(file: tf.Tensor, spans: tf.Tensor, kind: bytes) -> tf.Tensor:
    """What is in the chunk of a kind, string (); nothing, if there is none."""
    start, end = tf.unstack(spans[KINDS.index(kind)])
    return tf.strings.substr(file, start + 8, tf.maximum(end - start - FRAME, 0))


def is_there(spans: tf.Tensor, kind: bytes) -> tf.Tensor:
    """Whether there is a chunk of a kind, bool ()."""
    return spans[KINDS.index(kind), 1] > 0
