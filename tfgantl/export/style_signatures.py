"""Endpoints of networks that paint: a picture as a file goes in, a painted one of the same size comes out."""

import keras
import tensorflow as tf

from tfgantl.export.picture_decoding import checked_files, decode_file, pixels_of
from tfgantl.export.signatures import check_finite, check_labels, check_rows, finite_images
from tfgantl.export.text_inputs import TEXTS, checked_texts
from tfgantl.images import to_uint8, to_unit
from tfgantl.models.stylizer import SMALLEST, Stylizer, paint
from tfgantl.style.by_phrase import PhraseStylizer

LARGEST = 1024  # pixels of the longer side; larger pictures are brought to it
MAX_PAINTED = 8 * LARGEST**2  # pixels of a request: a second and more for each million, on one core


def style_signatures(network: keras.Model) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a `Stylizer`.

    - `serving_default(image_bytes, style, strength) → png_bytes`: PNG or JPEG files, the number of a style, and a
      strength from 0 for the picture itself to 1.
    - `mix(image_bytes, mix, strength) → png_bytes`: the same with a weight of each style, which are brought to a sum
      of 1.
    - `phrase(image_bytes, text, strength) → png_bytes`, of a `PhraseStylizer`: the same with the mix that a phrase asks
      for. Texts that are empty, too long, not UTF-8 or without any known word are errors.

    Pictures keep their size, but none gets more than 1,024 pixels a side, and all of a request not more than eight such
    pictures have. Each depends on its own row alone.

    Args:
        network: A `Stylizer` or `PhraseStylizer` in float32.
    """
    painter = network.stylizer if isinstance(network, PhraseStylizer) else network
    styles = painter.num_styles
    files = tf.TensorSpec([None], tf.string, "image_bytes")
    style = tf.TensorSpec([None], tf.int32, "style")
    mix = tf.TensorSpec([None, styles], tf.float32, "mix")
    strength = tf.TensorSpec([None], tf.float32, "strength")

    def painted(image_bytes: tf.Tensor, mix: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
        inside = tf.debugging.Assert(
            tf.reduce_all((strength >= 0) & (strength <= 1)), ["strength must be in [0, 1]. Received:", strength]
        )
        usable = tf.reduce_all(mix >= 0) & tf.reduce_all(tf.reduce_sum(mix, 1) > 0)
        positive = tf.debugging.Assert(usable, ["mix must be at least 0, and above 0 somewhere. Received:", mix])
        pixels = tf.reduce_sum(tf.minimum(pixels_of(image_bytes), tf.constant(LARGEST**2, tf.int64)))
        most, message = (
            tf.constant(MAX_PAINTED, tf.int64),
            f"a request must ask for at most {MAX_PAINTED} painted pixels",
        )
        few = tf.debugging.assert_less_equal(pixels, most, message=message)
        with tf.control_dependencies(
            [check_rows(image_bytes, mix, strength), check_finite(mix), check_finite(strength), inside, positive, few]
        ):
            shares = mix / tf.reduce_sum(mix, 1, keepdims=True)
            rows = tuple(tf.identity(x) for x in (checked_files(image_bytes), shares, strength))
        # One at a time: sizes differ, and each takes its own memory.
        return tf.map_fn(
            lambda row: _painted(painter, *row), rows, parallel_iterations=1,
            fn_output_signature=tf.TensorSpec([], tf.string),
        )  # fmt: skip

    @tf.function(autograph=False, input_signature=[files, style, strength])
    def serving_default(image_bytes: tf.Tensor, style: tf.Tensor, strength: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([check_labels(style, styles)]):
            return {"png_bytes": painted(image_bytes, tf.one_hot(style, styles), strength)}

    @tf.function(autograph=False, input_signature=[files, mix, strength])
    def mixed(image_bytes: tf.Tensor, mix: tf.Tensor, strength: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"png_bytes": painted(image_bytes, mix, strength)}

    endpoints = {"serving_default": serving_default, "mix": mixed}
    if not isinstance(network, PhraseStylizer):
        return endpoints

    @tf.function(autograph=False, input_signature=[files, TEXTS, strength])
    def phrase(image_bytes: tf.Tensor, text: tf.Tensor, strength: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"png_bytes": painted(image_bytes, network(checked_texts(text, network.text_encoder)), strength)}

    return {**endpoints, "phrase": phrase}


def _painted(network: Stylizer, file: tf.Tensor, mix: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    image = tf.cast(decode_file(file, 3), tf.float32)
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    large = tf.debugging.Assert(tf.reduce_min(sides) >= SMALLEST, [f"image_bytes must have {SMALLEST} pixels a side"])
    with tf.control_dependencies([large]):
        factor = tf.minimum(1.0, LARGEST / tf.reduce_max(sides))
    wanted = tf.maximum(tf.cast(tf.round(sides * factor), tf.int32), SMALLEST)
    image = tf.cond(factor < 1.0, lambda: tf.image.resize(image, wanted, "bicubic", antialias=True), lambda: image)
    image = to_unit(tf.clip_by_value(tf.reshape(image, (wanted[0], wanted[1], 3)), 0.0, 255.0))
    painted = finite_images(paint(network, image, mix, strength), "weights are too large")
    return tf.io.encode_png(to_uint8(painted))
