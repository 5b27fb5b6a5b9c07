"""Trains a text and an image encoder so that phrases come to lie near the images that they are true of."""

from math import log as ln

import keras
import numpy as np
import tensorflow as tf

from tfgantl import replicas
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.image_encoder import build_image_encoder
from tfgantl.crossmodal.text_encoder import PADDING, UNKNOWN, TextEncoder
from tfgantl.crossmodal.wrapped_text import WrappedTextEncoder
from tfgantl.errors import DataError, DivergedError
from tfgantl.images import to_unit
from tfgantl.optimizers import Adam
from tfgantl.progress import bar
from tfgantl.random_streams import Stream
from tfgantl.shared_step import shared

RATE = 2e-3
TEMPERATURE, LEAST_TEMPERATURE = 0.07, 0.01
FORGOTTEN = 0.1  # share of words that are read as if they were not known
LEAST = 2  # pictures


def train_encoders(
    images: np.ndarray,
    captions: Captions,
    steps: int = 1000,
    batch_size: int = 96,
    seed: int = 0,
    dimension: int = 64,
    width: int = 16,
    shift: int = 2,
    text: TextEncoder | WrappedTextEncoder | None = None,
    bank: CaptionBank | None = None,
) -> TextImageEncoders:
    """Trains both encoders on images with captions.

    In each batch, an image is to be told from all others by its phrase, and a phrase by its image. Phrases that are
    true of several images of the batch, such as equal ones, have all of these for their aim, in equal shares. Images
    are shifted by some pixels, and some words are left unread. In the scope of a strategy of `tf.distribute`, its
    replicas share each batch.

    Args:
        images: uint8 (n, side, side, channels).
        captions: Of these images.
        steps: Training steps.
        batch_size: Images a step; fewer if there are fewer.
        seed: Makes the training repeatable.
        dimension: Length of the vectors.
        width: Channels of the first stage of the image encoder.
        shift: Pixels that images are moved by, at most.
        text: A text encoder to train; a fresh one that knows the words of the captions if not given.
        bank: Captions that pictures can be given later; those of the training if not given.

    Returns:
        Both encoders.

    Raises:
        DataError: If there are fewer than two images, or not as many captions.
        DivergedError: If the loss is not finite.

    Reference:
        Radford et al., 2021, https://arxiv.org/abs/2103.00020 (symmetric cross-entropy, learnt temperature)
    """
    if len(images) < LEAST or len(images) != len(captions):
        raise DataError(
            f"images must be at least {LEAST}, each with captions. "
            f"Received: {len(images)}, and captions of {len(captions)}"
        )
    keras.utils.set_random_seed(seed)
    text = TextEncoder.of(captions.phrases, dimension) if text is None else text
    image = build_image_encoder(images.shape[1], images.shape[-1], text.output_shape[-1], width)
    # The logarithm of the inverse temperature.
    sharpness = keras.Variable(-ln(TEMPERATURE), name="sharpness", aggregation="mean")
    weights = [*text.trainable_variables, *image.trainable_variables, sharpness]
    optimizer = Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    optimizer.build(weights)

    def step(pictures: tf.Tensor, read: tf.Tensor, true: tf.Tensor) -> dict[str, tf.Tensor]:
        true = replicas.gathered(true)
        with tf.GradientTape() as tape:
            vectors = [image(pictures, training=True), text.of_numbers(read, training=True)]
            logits = tf.exp(sharpness) * tf.matmul(*map(replicas.gathered, vectors), transpose_b=True)
            loss = (
                shared_cross_entropy(logits, true) + shared_cross_entropy(tf.transpose(logits), tf.transpose(true))
            ) / 2
            minimised = replicas.part(loss)
        optimizer.apply(tape.gradient(minimised, weights), weights)
        sharpness.assign(tf.minimum(sharpness, -ln(LEAST_TEMPERATURE)))
        return {"loss": loss}

    shared_step = shared(step)
    rng, progress = Stream.CONTRASTIVE.generator(seed), bar(steps, "text and image encoders")
    numbers, count = text.numbers(captions.phrases), min(batch_size, len(images))
    for _ in range(steps):
        some = rng.permutation(len(images))[:count]
        phrases = captions.draw(some, rng)
        true = captions.true_of(some, phrases).astype(np.float32)
        pictures = to_unit(shifted(images[some], shift, rng))
        read = some_unread(numbers[phrases], rng) if numbers.dtype.kind == "i" else numbers[phrases]
        loss = shared_step(tf.constant(pictures), tf.constant(read), tf.constant(true))["loss"]
        progress.update()
    progress.close()
    if not np.isfinite(loss.numpy()):
        raise DivergedError(f"the encoders must have a finite loss. Received: {loss.numpy()} after {steps} steps")
    bank = CaptionBank.of_captions(captions) if bank is None else bank
    return TextImageEncoders(text, image, float(np.exp(sharpness.numpy())), bank)


def shared_cross_entropy(logits: tf.Tensor, true: tf.Tensor) -> tf.Tensor:
    """Mean over rows; what is true of a row shares its aim, by its weight."""
    shares = true / tf.reduce_sum(true, 1, keepdims=True)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(shares, logits))


def shifted(images: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Images (n, height, width, channels), each moved by up to `most` pixels; what comes in repeats the border."""
    count, height, width = images.shape[:3]
    offsets = rng.integers(-most, most + 1, (2, count))
    rows = np.clip(np.arange(height) + offsets[0][:, None], 0, height - 1)
    columns = np.clip(np.arange(width) + offsets[1][:, None], 0, width - 1)
    return images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def some_unread(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers of words (n, longest of these phrases), some of which are read as unknown."""
    longest = max(1, int((numbers != PADDING).sum(1).max()))
    words = numbers[:, :longest]
    forgotten = (rng.random(words.shape) < FORGOTTEN) & (words != PADDING)
    return np.where(forgotten, UNKNOWN, words)
