"""Texts in the graph of a SavedModel: what no image can be thought of by is refused there as it is in Python."""

import tensorflow as tf

from tfgantl.crossmodal.text_checks import MAX_CHARACTERS, REFUSED
from tfgantl.crossmodal.text_encoder import UNKNOWN, TextEncoder, plain_words
from tfgantl.crossmodal.wrapped_text import WrappedTextEncoder
from tfgantl.export.signatures import check_rows

# In the syntax of TensorFlow; what is no UTF-8 does not match either, but for halves of surrogate pairs.
CLEAN = "".join(["[^", *(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in REFUSED), "]*"])
SHOWN = 8  # known words in a message

TEXTS = tf.TensorSpec([None], tf.string, "text")


def checked_texts(texts: tf.Tensor, encoder: TextEncoder | WrappedTextEncoder) -> tf.Tensor:
    """The texts, string (batch,), if each can be read; else the graph fails with the reason.

    Args:
        texts: UTF-8.
        encoder: That is to read them.
    """
    with tf.control_dependencies([check_rows(texts)]):
        texts = tf.identity(texts)
    short = _all(tf.strings.length(texts, "UTF8_CHAR") <= MAX_CHARACTERS, f"at most {MAX_CHARACTERS} characters")
    with tf.control_dependencies([short]):  # before anything looks for words
        texts = tf.identity(texts)
    clean = _all(tf.strings.regex_full_match(texts, CLEAN), "UTF-8, and no control characters")
    counts = tf.strings.split(plain_words(texts)).row_lengths()
    some, few = _all(counts > 0, "words"), _all(counts <= encoder.most_words, f"at most {encoder.most_words} words")
    with tf.control_dependencies([clean, some, few]):
        texts = tf.identity(texts)
    if not encoder.vocabulary:  # that of an encoder of another program
        return texts
    known = tf.reduce_any(encoder.get_layer("numbers")(texts) > UNKNOWN, 1)
    with tf.control_dependencies([_all(known, f"a known word, such as {', '.join(encoder.vocabulary[:SHOWN])}")]):
        return tf.identity(texts)


def _all(true: tf.Tensor, wanted: str) -> tf.Operation:
    return tf.debugging.Assert(tf.reduce_all(true), [f"text must have {wanted}"])
