"""What an exported generator answers to: named inputs and outputs, core TensorFlow operations only."""

import keras
import tensorflow as tf

from tfgantl.images import to_uint8


def latents_of_seeds(seeds: tf.Tensor, latent_dim: int) -> tf.Tensor:
    """Standard normal noise, of which row i depends on seed i alone.

    Args:
        seeds: int64 (batch,).
        latent_dim: Length of the noise.

    Returns:
        float32 (batch, latent_dim).
    """

    def one(seed):
        # A fixed algorithm: the default may differ from device to device.
        return tf.random.stateless_normal([latent_dim], tf.stack([seed, tf.constant(0, tf.int64)]), alg="philox")

    return tf.map_fn(one, seeds, fn_output_signature=tf.TensorSpec([latent_dim], tf.float32))


def encode_pngs(images: tf.Tensor) -> tf.Tensor:
    """PNG files, string (batch,), of uint8 (batch, height, width, 1 or 3)."""
    return tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string))


def generator_signatures(generator: keras.Model) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a generator.

    `serving_default(latents[, labels]) → images` float32 in [-1, 1];
    `generate_png(seed[, labels]) → png_bytes`, whose name ends as TensorFlow Serving needs it for base64 in JSON.

    Args:
        generator: Latents (batch, latent_dim) [, labels (batch,)] → images.
    """
    latent_dim = generator.inputs[0].shape[-1]
    latents = tf.TensorSpec([None, latent_dim], tf.float32, name="latents")
    seed = tf.TensorSpec([None], tf.int64, name="seed")
    labels = tf.TensorSpec([None], tf.int32, name="labels")

    if len(generator.inputs) == 1:

        @tf.function(input_signature=[latents])
        def serving_default(latents):
            return {"images": generator(latents, training=False)}

        @tf.function(input_signature=[seed])
        def generate_png(seed):
            images = generator(latents_of_seeds(seed, latent_dim), training=False)
            return {"png_bytes": encode_pngs(to_uint8(images))}

    else:

        @tf.function(input_signature=[latents, labels])
        def serving_default(latents, labels):
            return {"images": generator([latents, labels], training=False)}

        @tf.function(input_signature=[seed, labels])
        def generate_png(seed, labels):
            images = generator([latents_of_seeds(seed, latent_dim), labels], training=False)
            return {"png_bytes": encode_pngs(to_uint8(images))}

    return {"serving_default": serving_default, "generate_png": generate_png}
