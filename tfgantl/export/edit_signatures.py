"""Endpoints of a generator that can be edited: moved along directions, and begun at a picture."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.editing.directions import Directions
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError
from tfgantl.export.image_signatures import from_pictures
from tfgantl.export.parts import in_parts
from tfgantl.export.signatures import (
    check_finite,
    check_labels,
    check_rows,
    encode_pngs,
    finite_images,
    generator_signatures,
)
from tfgantl.images import to_uint8
from tfgantl.models.inference import rows_at_a_time


def editing_signatures(
    generator: keras.Model, directions: Directions, encoder: keras.Model | None = None
) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a generator, and these beside them:

    - `edit(latents, direction, strength[, labels]) → png_bytes`: direction by its name, strength in standard deviations
      of typical codes.
    - `edit_codes(codes, strengths[, labels]) → png_bytes`: all directions at once, in the order of the manifest.
    - `codes(latents[, labels]) → codes`, where codes are behind a mapping.
    - `invert(image_bytes) → codes[, label]`, where there is an encoder: PNG or JPEG files of any size.

    Args:
        generator: Latents [, labels] → images.
        directions: Of this generator.
        encoder: Of the same space, as `train_encoder` gives it.

    Raises:
        ArtifactError: If the directions are those of another model.
    """
    space = LatentSpace(generator, directions.space)
    if directions.generator != space.generator_hash or not space.draws(directions.drawn):
        raise ArtifactError(
            f"directions must be of the model {space.generator_hash}. Received: those of {directions.generator}"
            f"{', which draws otherwise' * (directions.generator == space.generator_hash)}"
        )
    names = tf.constant([direction.name for direction in directions])
    vectors = np.stack([direction.vector for direction in directions])
    steps = tf.constant(np.asarray(space.from_whitened(vectors)) - space.mean, tf.float32)
    allowed = f"direction must be one of {', '.join(direction.name for direction in directions)}"
    latents = tf.TensorSpec([None, space.latent_dim], tf.float32, name="latents")
    codes = tf.TensorSpec([None, *space.shape], tf.float32, name="codes")
    labels = [tf.TensorSpec([None], tf.int32, name="labels")] if space.num_classes else []
    of_codes = labels if space.reads_labels else []
    classes: Any = space.num_classes
    size = rows_at_a_time(generator)

    def checked(rows: tf.Tensor, *labels: tf.Tensor) -> list[tf.Tensor]:
        checks = [check_rows(rows, *labels), check_finite(rows), *(check_labels(some, classes) for some in labels)]
        with tf.control_dependencies(checks):
            return [tf.identity(some) for some in (rows, *labels)]

    def pictures(codes: tf.Tensor, strengths: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([check_finite(strengths), check_rows(codes, strengths)]):
            moved = codes + tf.tensordot(strengths, steps, 1)
        return {"png_bytes": in_parts(drawn, [moved, *labels], size)}

    def drawn(codes: tf.Tensor, *labels: tf.Tensor) -> tf.Tensor:
        return encode_pngs(to_uint8(finite_images(space.decode(codes, labels[0] if labels else None))))

    direction = tf.TensorSpec([None], tf.string, name="direction")
    strength = tf.TensorSpec([None], tf.float32, name="strength")

    @tf.function(autograph=False, input_signature=[latents, direction, strength, *labels])
    def edit(latents: tf.Tensor, direction: tf.Tensor, strength: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        chosen = tf.cast(direction[:, None] == names[None], tf.float32)
        one_each = tf.debugging.Assert(tf.reduce_all(tf.reduce_sum(chosen, 1) == 1.0), [allowed])
        with tf.control_dependencies([one_each, check_rows(latents, direction, strength)]):
            latents, *own = checked(latents, *labels)
        return pictures(space.codes_of(latents, *own), chosen * strength[:, None], *own)

    strengths = tf.TensorSpec([None, len(directions)], tf.float32, name="strengths")

    @tf.function(autograph=False, input_signature=[codes, strengths, *of_codes])
    def edit_codes(codes: tf.Tensor, strengths: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
        codes, *own = checked(codes, *labels)
        return pictures(codes, strengths, *own)

    found = {**generator_signatures(generator), "edit": edit, "edit_codes": edit_codes}
    if space.name != "z":

        @tf.function(autograph=False, input_signature=[latents, *labels])
        def codes_(latents: tf.Tensor, *labels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"codes": space.codes_of(*checked(latents, *labels))}

        found["codes"] = codes_
    return found if encoder is None else {**found, "invert": _inversion(space, encoder)}


def _inversion(space: LatentSpace, encoder: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    """The endpoint that gives codes of pictures, by the encoder alone."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def invert(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return from_pictures(coded, image_bytes, space.image_shape, rows_at_a_time(encoder))

    def coded(images: tf.Tensor) -> dict[str, tf.Tensor]:
        u, *logits = tf.nest.flatten(encoder(images, training=False))
        label = {"label": tf.argmax(logits[0], 1, tf.int32)} if logits else {}
        return {"codes": space.from_whitened(u), **label}

    return invert
