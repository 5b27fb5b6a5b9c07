"""What an exported generator answers to: named inputs and outputs, core TensorFlow operations only."""

from typing import Any

import keras
import tensorflow as tf

from tfgantl.editing.names import MAX_NUMBER
from tfgantl.export.parts import MAX_ROWS, in_parts, most_rows
from tfgantl.images import to_uint8
from tfgantl.models.inference import rows_at_a_time
from tfgantl.provenance import FIRST, GENERATED
from tfgantl.random_streams import latents_of_seeds

OVERSHOOT = 0.01  # of resized images beyond [-1, 1], by rounding


def generator_signatures(generator: keras.Model) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a generator.

    - `serving_default(latents[, labels]) → images`: float32 in [-1, 1].
    - `generate(seed[, labels]) → images`: uint8.
    - `generate_png(seed[, labels]) → png_bytes`: PNG files that say that they were generated. The name ends as
      TensorFlow Serving needs it to write base64 in JSON.

    An image depends on its own row alone. Labels outside of the classes, latents that are not finite, and more than
    256 rows, or than 2²⁴ numbers in an answer, are errors. Large images are made some at a time.

    Args:
        generator: Latents (batch, latent_dim) [, labels (batch,)] → images.
    """
    latent_dim = generator.inputs[0].shape[-1]
    latents = tf.TensorSpec([None, latent_dim], tf.float32, name="latents")
    seed = tf.TensorSpec([None], tf.int64, name="seed")
    labels = [tf.TensorSpec([None], tf.int32, name="labels")] if len(generator.inputs) == 2 else []
    classes: Any = getattr(generator, "num_classes", None)

    most, size = min(MAX_ROWS, most_rows(generator.outputs[0].shape)), rows_at_a_time(generator)

    def checked(latents: tf.Tensor, *labels: tf.Tensor) -> list[tf.Tensor]:
        checks = [
            check_rows(latents, *labels),
            check_finite(latents),
            *(check_labels(rows, classes) for rows in labels),
        ]
        with tf.control_dependencies(checks):
            return [tf.identity(rows) for rows in (latents, *labels)]

    def drawn(seed: tf.Tensor, *labels: tf.Tensor, most: int = MAX_ROWS) -> list[tf.Tensor]:
        with tf.control_dependencies([check_rows(seed, most=most)]):  # before any noise is drawn
            seed = tf.identity(seed)
        return checked(latents_of_seeds(seed, latent_dim), *labels)

    def images_of(*rows: tf.Tensor) -> tf.Tensor:
        return finite_images(generator(list(rows) if len(rows) > 1 else rows[0], training=False))

    def pixels_of(*rows: tf.Tensor) -> tf.Tensor:
        return to_uint8(images_of(*rows))

    @tf.function(autograph=False, input_signature=[latents, *labels])
    def serving_default(latents: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([check_rows(latents, most=most)]):
            latents = tf.identity(latents)
        return {"images": in_parts(images_of, checked(latents, *labels), size)}

    @tf.function(autograph=False, input_signature=[seed, *labels])
    def generate(seed: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": in_parts(pixels_of, drawn(seed, *labels, most=most), size)}

    @tf.function(autograph=False, input_signature=[seed, *labels])
    def generate_png(seed: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"png_bytes": in_parts(lambda *rows: encode_pngs(pixels_of(*rows)), drawn(seed, *labels), size)}

    return {"serving_default": serving_default, "generate": generate, "generate_png": generate_png}


def encode_pngs(images: tf.Tensor) -> tf.Tensor:
    """PNG files, string (batch,), of uint8 (batch, height, width, 1 or 3), which say that they were generated."""
    files = tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string))
    first = tf.strings.substr(files, 0, FIRST)
    return tf.strings.join([first, GENERATED, tf.strings.substr(files, FIRST, 2**31 - 1)])


def check_rows(tensor: tf.Tensor, *others: tf.Tensor, most: int = MAX_ROWS) -> tf.Operation:
    """Fails in the graph for a batch that is too large, and where other tensors have another number of rows."""
    rows = tf.shape(tensor)[0]
    few = tf.debugging.assert_less_equal(rows, most, message=f"a request must have at most {most} rows")
    counts = tf.stack([tf.shape(other)[0] for other in (tensor, *others)])
    same = tf.debugging.Assert(tf.reduce_all(counts == rows), ["inputs must have as many rows. Received:", counts])
    return tf.group(few, same) if others else few


def check_some(tensor: tf.Tensor) -> tf.Operation:
    """Fails in the graph for a batch of no rows, of which convolutions by oneDNN give another shape."""
    return tf.debugging.Assert(tf.shape(tensor)[0] > 0, ["a request must have at least 1 row. Received: none"])


def check_finite(tensor: tf.Tensor) -> tf.Operation:
    """Fails in the graph for NaN, infinity, which JSON has no words for, and what leads there."""
    inside = tf.reduce_all(tf.abs(tensor) <= MAX_NUMBER)  # which NaN is not
    return tf.debugging.Assert(inside, [f"numbers must be finite, and at most {MAX_NUMBER:g} in absolute value"])


def check_unit(images: tf.Tensor) -> tf.Operation:
    """Fails in the graph for pixels that are scaled otherwise, of which a classifier would be sure all the same."""
    inside = tf.reduce_all(tf.abs(images) <= 1 + OVERSHOOT)
    return tf.debugging.Assert(inside, ["images must be in [-1, 1]; files may be sent as they are"])


def finite_images(images: tf.Tensor, why: str = "latents are too large") -> tf.Tensor:
    """Images as they are; fails in the graph where they are none, which would be black as pixels."""
    is_finite = tf.reduce_all(tf.math.is_finite(images))
    with tf.control_dependencies([tf.debugging.Assert(is_finite, [f"images must be finite: {why}"])]):
        return tf.identity(images)


def check_labels(labels: tf.Tensor, classes: int) -> tf.Operation:
    """Fails in the graph for a label that is no class."""
    inside = tf.reduce_all((labels >= 0) & (labels < classes))
    return tf.debugging.Assert(inside, [f"labels must be in [0, {classes - 1}]. Received:", labels], summarize=10)
