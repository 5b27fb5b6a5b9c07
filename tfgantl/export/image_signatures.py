"""Endpoints that take pictures as files: decoded in the graph, after a look at their headers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from tfgantl.data.decode import FINER
from tfgantl.errors import ArtifactError
from tfgantl.export.parts import MAX_ROWS, in_parts
from tfgantl.export.picture_decoding import checked_files, decode_file
from tfgantl.export.signatures import check_finite, check_rows, check_some, check_unit
from tfgantl.images import to_unit
from tfgantl.models.inference import rows_at_a_time
from tfgantl.models.outputs import gives_probabilities, last_activation, last_dense_inputs


def classifier_signatures(
    classifier: keras.Model, features: keras.Model | None = None
) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a classifier.

    - `serving_default(images) → probabilities, label`: images float32 in [-1, 1].
    - `classify(image_bytes) → probabilities, label`: PNG or JPEG files of any size.
    - `features(image_bytes) → features`: by `features`, or else what the last dense layer sees, if there is one.

    Args:
        classifier: Images (batch, side, side, channels) in [-1, 1] → logits (batch, classes), or a softmax of them.
        features: Images → features (batch, length), if they are not to be those.

    Raises:
        ArtifactError: If it is not such a network.
    """
    pictures, files = _specs(classifier)
    shape, size = classifier.inputs[0].shape[1:], rows_at_a_time(classifier)
    softmax = _gives_softmax(classifier)
    if features is None and (vectors := last_dense_inputs(classifier)) is not None:
        features = keras.Model(classifier.inputs, vectors)

    def predictions(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = tf.cast(classifier(images, training=False), tf.float32)
        return {
            "probabilities": outputs if softmax else tf.nn.softmax(outputs),
            "label": tf.argmax(outputs, 1, tf.int32),
        }

    @tf.function(autograph=False, input_signature=[pictures])
    def serving_default(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return in_parts(predictions, [checked_images(images)], size)

    @tf.function(autograph=False, input_signature=[files])
    def classify(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return from_pictures(predictions, image_bytes, shape, size)

    more = {} if features is None else {"features": feature_signatures(features)["features"]}
    return {"serving_default": serving_default, "classify": classify, **more}


def feature_signatures(extractor: keras.Model) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The endpoints of a network that gives features.

    - `serving_default(images) → features`: images float32 in [-1, 1].
    - `features(image_bytes) → features`: PNG or JPEG files of any size.

    Args:
        extractor: Images (batch, side, side, channels) in [-1, 1] → features (batch, length).

    Raises:
        ArtifactError: If its images are not square, or neither gray nor RGB.
    """
    pictures, files = _specs(extractor)
    shape, size = extractor.inputs[0].shape[1:], rows_at_a_time(extractor)

    def embed(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": tf.cast(extractor(images, training=False), tf.float32)}

    @tf.function(autograph=False, input_signature=[pictures])
    def serving_default(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return in_parts(embed, [checked_images(images)], size)

    @tf.function(autograph=False, input_signature=[files])
    def features(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return from_pictures(embed, image_bytes, shape, size)

    return {"serving_default": serving_default, "features": features}


def from_pictures(
    function: Callable[[tf.Tensor], Any], files: tf.Tensor, shape: tuple[int, int, int], size: int = MAX_ROWS
) -> Any:
    """What a function makes of pictures: decoded, cut to their centred squares, and resized with antialiasing.

    Args:
        function: float32 (batch, side, side, channels) in [-1, 1] → tensors (batch, …).
        files: string (batch,): PNG or JPEG, all of which are checked before any is decoded.
        shape: (side, side, channels), with 1 or 3 channels.
        size: Pictures at a time, as for `in_parts`.

    Returns:
        Tensors (batch, …), in the structure that the function gives.
    """
    with tf.control_dependencies([check_rows(files), check_some(files)]):
        files = tf.identity(files)
    # One at a time: each may take 200 MB while it is decoded.
    decode = partial(_decoded, side=shape[0], channels=shape[2])
    spec = tf.TensorSpec(shape, tf.float32)

    def seen(rows: tf.Tensor) -> Any:
        return function(tf.map_fn(decode, rows, parallel_iterations=1, fn_output_signature=spec))

    return in_parts(seen, [checked_files(files)], size)


def _decoded(file: tf.Tensor, side: int, channels: int) -> tf.Tensor:
    image = decode_file(file, channels, FINER * side)
    # The centred square, to half a pixel, is cut and resized in one step, as Pillow does it.
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    scale = side / tf.reduce_min(sides)
    offset = (sides - tf.reduce_min(sides)) / 2.0 * scale
    image = tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(image, tf.float32)[None], size=[side, side], scale=tf.stack([scale, scale]),
        translation=-offset, kernel_type="keyscubic", antialias=True,
    )[0]  # fmt: skip
    return tf.reshape(to_unit(tf.clip_by_value(image, 0.0, 255.0)), (side, side, channels))


def _specs(network: keras.Model) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    shape = network.inputs[0].shape[1:]
    if len(shape) != 3 or None in shape or shape[0] != shape[1] or shape[2] not in (1, 3):
        raise ArtifactError(f"images must be square, with 1 or 3 channels, to be read from files. Received: {shape}")
    return tf.TensorSpec([None, *shape], tf.float32, "images"), tf.TensorSpec([None], tf.string, "image_bytes")


def _gives_softmax(classifier: keras.Model) -> bool:
    """Whether what a classifier gives is a softmax already; measured where it does not end in plain logits."""
    activation, classes = last_activation(classifier), classifier.output_shape[-1]
    received = f"{classes} outputs with {activation or 'no'} activation"
    if activation in (None, "linear", "softmax") and classes and classes >= 2:
        softmax = activation != "linear" and gives_probabilities(classifier)
        if softmax or activation != "softmax":
            return softmax
        received += ", which do not sum to 1"  # several, side by side
    raise ArtifactError(f"a classifier must give at least two logits, or their softmax. Received: {received}")


def checked_images(images: tf.Tensor) -> tf.Tensor:
    """Images (batch, height, width, channels), if there are some, and all their pixels are in [-1, 1]."""
    with tf.control_dependencies([check_rows(images), check_some(images), check_finite(images)]):
        images = tf.identity(images)
    with tf.control_dependencies([check_unit(images)]):
        return tf.identity(images)
