"""Endpoints of a text and an image encoder: what pictures show in words, and how well a text fits a picture."""

import keras
import numpy as np
import tensorflow as tf

from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.export.examples import ROWS
from tfgantl.export.image_signatures import checked_images, from_pictures
from tfgantl.export.parts import in_parts
from tfgantl.export.signatures import check_rows
from tfgantl.export.text_inputs import TEXTS, checked_texts
from tfgantl.models.inference import rows_at_a_time

TOP = 5  # captions of a picture


def network_of(encoders: TextImageEncoders) -> keras.Model:
    """Both encoders as one network, images and text → a vector of each; what is published is a network."""
    image, text = encoders.image, encoders.text
    pictures, texts = keras.Input(encoders.image_shape, name="images"), keras.Input((), dtype="string", name="text")
    return keras.Model([pictures, texts], [image(pictures), text(texts)], name="encoders")


def example_texts(encoders: TextImageEncoders) -> tuple[str, ...]:
    """Some captions that the encoders know, from all over."""
    phrases = encoders.bank.phrases
    return tuple(phrases[i] for i in np.unique(np.linspace(0, len(phrases) - 1, ROWS).astype(int)))


def describe_signatures(
    network: keras.Model, encoders: TextImageEncoders
) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of encoders.

    - `serving_default(images) → captions, scores`: images float32 in [-1, 1] → five captions, string (batch, 5), the
      likeliest first, and their probabilities among all that there are.
    - `describe(image_bytes) → captions, scores`: PNG or JPEG files of any size.
    - `match(image_bytes, text) → scores`: the cosine of each picture and the text beside it.
    - `embed_images(image_bytes) → vectors`, `embed_texts(text) → vectors`: of length 1, to search by their products.

    Texts that are empty, too long, not UTF-8 or without any known word are errors, and so are requests without any
    picture.

    Args:
        network: From `network_of`.
        encoders: The same encoders.
    """
    shape, size = encoders.image_shape, rows_at_a_time(encoders.image)
    phrases = tf.constant(encoders.bank.phrases)
    bank = tf.constant(encoders.scale * encoders.embed_texts(encoders.bank.phrases, check=False).T)
    preference = tf.constant(encoders.bank.preference)
    top = min(TOP, len(encoders.bank.phrases))
    images = tf.TensorSpec([None, *shape], tf.float32, "images")
    files = tf.TensorSpec([None], tf.string, "image_bytes")

    def vectors_of(images: tf.Tensor) -> tf.Tensor:
        return encoders.image(images, training=False)

    def described(vectors: tf.Tensor) -> dict[str, tf.Tensor]:
        shares = tf.nn.softmax(tf.matmul(vectors, bank) + preference)
        scores, places = tf.math.top_k(shares, top)
        return {"captions": tf.gather(phrases, places), "scores": scores}

    @tf.function(autograph=False, input_signature=[images])
    def serving_default(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return described(in_parts(vectors_of, [checked_images(images)], size))

    @tf.function(autograph=False, input_signature=[files])
    def describe(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return described(from_pictures(vectors_of, image_bytes, shape, size))

    @tf.function(autograph=False, input_signature=[files, TEXTS])
    def match(image_bytes: tf.Tensor, text: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([check_rows(image_bytes, text)]):  # or one would be compared with each
            text = tf.identity(text)
        texts = encoders.text(checked_texts(text, encoders.text), training=False)
        with tf.control_dependencies([texts]):
            pictures = from_pictures(vectors_of, tf.identity(image_bytes), shape, size)
        return {"scores": tf.reduce_sum(pictures * texts, 1)}

    @tf.function(autograph=False, input_signature=[files])
    def embed_images(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"vectors": from_pictures(vectors_of, image_bytes, shape, size)}

    @tf.function(autograph=False, input_signature=[TEXTS])
    def embed_texts(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"vectors": encoders.text(checked_texts(text, encoders.text), training=False)}

    return {
        "serving_default": serving_default, "describe": describe, "match": match, "embed_images": embed_images,
        "embed_texts": embed_texts,
    }  # fmt: skip
