"""Endpoints of a model that draws what a text says."""

import tensorflow as tf

from tfgantl.crossmodal.text_to_image import TextToImage
from tfgantl.export.parts import MAX_ROWS, in_parts, most_rows
from tfgantl.export.signatures import check_finite, check_rows, encode_pngs, finite_images
from tfgantl.export.text_inputs import TEXTS, checked_texts
from tfgantl.images import to_uint8
from tfgantl.models.inference import rows_at_a_time
from tfgantl.random_streams import latents_of_seeds


def imagine_signatures(model: TextToImage) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a generator with its text encoder.

    - `serving_default(text, latents) → images`: float32 in [-1, 1].
    - `imagine(text, seed) → png_bytes`: PNG files.

    A picture depends on its own row alone. Texts that are empty, too long, not UTF-8 or without any known word, latents
    that are not finite, and more than 256 rows, or than 2²⁴ numbers in an answer, are errors. Large pictures are made
    some at a time.

    Args:
        model: The generator with its text encoder.
    """
    latents = tf.TensorSpec([None, model.latent_dim], tf.float32, name="latents")
    seed = tf.TensorSpec([None], tf.int64, name="seed")

    most, size = most_rows(model.generator.outputs[0].shape), rows_at_a_time(model.generator)

    def checked(text: tf.Tensor, latents: tf.Tensor, most: int = MAX_ROWS) -> list[tf.Tensor]:
        with tf.control_dependencies([check_rows(latents, text, most=most), check_finite(latents)]):
            latents = tf.identity(latents)
        return [latents, checked_texts(text, model.text_encoder)]

    def images_of(latents: tf.Tensor, text: tf.Tensor) -> tf.Tensor:
        return finite_images(model((latents, text)))

    @tf.function(autograph=False, input_signature=[TEXTS, latents])
    def serving_default(text: tf.Tensor, latents: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": in_parts(images_of, checked(text, latents, min(MAX_ROWS, most)), size)}

    @tf.function(autograph=False, input_signature=[TEXTS, seed])
    def imagine(text: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([check_rows(seed)]):  # before any noise is drawn
            seed = tf.identity(seed)
        rows = checked(text, latents_of_seeds(seed, model.latent_dim))
        return {"png_bytes": in_parts(lambda *rows: encode_pngs(to_uint8(images_of(*rows))), rows, size)}

    return {"serving_default": serving_default, "imagine": imagine}
