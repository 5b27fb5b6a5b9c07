"""The encoder of a generator: a picture in, its code and class out; learnt from images whose codes are known."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfgantl import replicas
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.errors import DivergedError
from tfgantl.images import to_unit
from tfgantl.models.inference import predict
from tfgantl.optimizers import Adam
from tfgantl.progress import bar
from tfgantl.random_streams import Stream
from tfgantl.shared_step import shared

BATCH = 32
REAL = BATCH // 8
RATE = 1e-3


def build_encoder(space: LatentSpace, width: int = 32) -> keras.Model:
    """Convolutions that halve the image to 4 pixels, and a dense layer.

    Args:
        space: Whose codes it gives.
        width: Channels of the first convolution; doubled at each further one, up to 256.

    Returns:
        Images float32 (batch, height, width, channels) in [-1, 1] → `[u, logits]`: whitened coordinates
        (batch, *space.shape) and logits (batch, classes), without classes only the first.
    """
    images = keras.Input(space.image_shape, name="images")
    x, side = images, min(space.image_shape[:2])
    while side > 4:
        x = layers.Conv2D(width, 4, 2, padding="same", kernel_initializer="he_normal")(x)
        x = layers.LeakyReLU(0.2)(x)
        width, side = min(2 * width, 256), -(-side // 2)
    x = layers.Flatten()(x)
    x = layers.Dense(256, kernel_initializer="he_normal")(x)
    x = layers.LeakyReLU(0.2)(x)
    u = layers.Dense(int(np.prod(space.shape)), name="flat_coordinates")(x)
    u = layers.Reshape(space.shape, name="coordinates")(u)
    heads = [u] if space.num_classes is None else [u, layers.Dense(space.num_classes, name="logits")(x)]
    return keras.Model(images, heads, name="encoder")


def train_encoder(
    space: LatentSpace,
    reconstruction: Reconstruction,
    steps: int,
    seed: int = 0,
    pictures: np.ndarray | None = None,
) -> keras.Model:
    """Trains an encoder on images that the generator makes, whose codes and classes are known.

    Each step minimises the error of the coordinates, the cross-entropy of the class, and how far the image of the code
    is from the image. Of real pictures only the last is known, with the class that the encoder believes in; they are
    an eighth of a batch. In the scope of a strategy of `tf.distribute`, its replicas share each batch.

    Args:
        space: Where codes are.
        reconstruction: Distance of images.
        steps: Training steps, of 32 images.
        seed: Makes the training repeatable.
        pictures: uint8 (n, height, width, channels) real pictures, if any.

    Returns:
        A trained `build_encoder`.

    Raises:
        DivergedError: If a loss is not finite.

    Reference:
        Perarnau et al., 2016, https://arxiv.org/abs/1611.06355 (IcGAN); Zhu et al., 2020,
        https://arxiv.org/abs/2004.00049 (in-domain encoders)
    """
    keras.utils.set_random_seed(seed)
    encoder = build_encoder(space)
    optimizer = Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    optimizer.build(encoder.trainable_variables)
    real = 0 if pictures is None else REAL

    def step(u: tf.Tensor, labels: tf.Tensor | None, extra: tf.Tensor | None) -> dict[str, tf.Tensor]:
        own = tf.shape(u)[0]  # rows of the generator, before those of real pictures
        images = space.decode(space.from_whitened(u), labels)
        shown = images if extra is None else tf.concat([images, extra], 0)
        with tf.GradientTape() as tape:
            found, *logits = tf.nest.flatten(encoder(shown, training=True))
            classes = labels
            if logits and extra is not None:
                classes = tf.concat([labels, tf.argmax(logits[0][own:], 1, tf.int32)], 0)
            loss = tf.reduce_mean(tf.square(found[:own] - u))
            again = space.decode(space.from_whitened(found), classes)
            loss += tf.reduce_mean(reconstruction(again, shown))
            if logits:
                loss += tf.reduce_mean(
                    keras.losses.sparse_categorical_crossentropy(labels, logits[0][:own], from_logits=True)
                )
            minimised = replicas.part(loss)
        optimizer.apply(tape.gradient(minimised, encoder.trainable_variables), encoder.trainable_variables)
        return {"loss": loss}

    shared_step = shared(step)
    rng = Stream.ENCODER.generator(seed)
    progress = bar(steps, "encoder")
    for _ in range(steps):
        labels = None if space.num_classes is None else rng.integers(space.num_classes, size=BATCH).astype(np.int32)
        codes = space.of_latents(rng.standard_normal((BATCH, space.latent_dim), np.float32), labels)
        extra = None if pictures is None else tf.constant(to_unit(pictures[rng.integers(len(pictures), size=real)]))
        u = tf.constant(space.whitened(codes), tf.float32)
        loss = shared_step(u, None if labels is None else tf.constant(labels), extra)["loss"]
        progress.update()
    progress.close()
    if not np.isfinite(loss.numpy()):
        raise DivergedError(f"the encoder must have a finite loss. Received: {loss.numpy()} after {steps} steps")
    return encoder


def encoder_name(space: LatentSpace, training: str) -> str:
    """Name of the file that an encoder is kept in, which says of which space of which generator it is.

    Args:
        space: Whose codes it gives.
        training: What else it follows from, in short.
    """
    return f"encoder-{space.name}-{space.generator_hash}-{training}.keras"


def newest_encoder(directory: Path, space: LatentSpace) -> Path | None:
    """The file with the encoder of a space that was made last; `None` if no file says that it is of this space.

    A run that has gone on has another generator than before, and encoders of both beside it.
    """
    return max(directory.glob(encoder_name(space, "*")), key=lambda file: file.stat().st_mtime_ns, default=None)


def suits(encoder: keras.Model, space: LatentSpace) -> bool:
    """Whether a network takes images and gives codes and classes as an encoder of a space does."""
    wanted = build_encoder(space)
    return [x.shape for x in (*encoder.inputs, *encoder.outputs)] == [
        x.shape for x in (*wanted.inputs, *wanted.outputs)
    ]


def encode(encoder: keras.Model, space: LatentSpace, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Coordinates and classes of pictures.

    Args:
        encoder: Of this space.
        space: The space.
        pictures: float32 (n, height, width, channels) in [-1, 1].

    Returns:
        u float32 (n, *space.shape), and probabilities (n, classes) or `None`.
    """
    found = predict(encoder, pictures)
    if space.num_classes is None:
        return (found[0] if isinstance(found, list) else found), None
    u, logits = found
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return u, odds / odds.sum(1, keepdims=True)
