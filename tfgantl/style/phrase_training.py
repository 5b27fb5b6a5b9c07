"""Learns which phrases mean which styles, from captions of the styles and from their statistics."""

from math import log as ln

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.contrastive import LEAST_TEMPERATURE, TEMPERATURE, shared_cross_entropy, some_unread
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.errors import DivergedError
from tfgantl.optimizers import Adam
from tfgantl.progress import bar
from tfgantl.random_streams import Stream
from tfgantl.style.phrases import StylePhrases
from tfgantl.style.style_captions import StyleCaptions

RATE = 4e-3
BATCH = 48  # phrases a step
WIDTH = 32  # of the text encoder
READ = 2000  # phrases whose words become the vocabulary
NOISE = 0.5  # added to statistics, in deviations: crops of few pictures are soon known by heart
LEAST_DEVIATION = 1e-3  # of a statistic, relative to the mean of all


def learn_phrases(
    captions: StyleCaptions,
    statistics: np.ndarray,
    size: int,
    bank: CaptionBank,
    steps: int = 400,
    seed: int = 0,
    dimension: int = 32,
) -> StylePhrases:
    """Trains an encoder of phrases and one of statistics so that a phrase comes to lie near the styles that it means.

    In each step, phrases are to tell styles from each other, and styles phrases. A phrase may ask for several styles,
    in shares; then these are what it is to be as near to.

    Args:
        captions: Of the styles.
        statistics: Of crops of each style, float32 (styles, crops, length).
        size: Height and width of these crops in pixels.
        bank: Captions that pictures can be described by.
        steps: Training steps.
        seed: Makes the training repeatable.
        dimension: Length of the vectors.

    Returns:
        What is known of phrases.

    Raises:
        DivergedError: If the loss is not finite.

    Reference:
        Radford et al., 2021, https://arxiv.org/abs/2103.00020 (symmetric cross-entropy, learnt temperature)
    """
    keras.utils.set_random_seed(seed)
    rng, count = Stream.PHRASES.generator(seed), len(captions.styles)
    text = TextEncoder.of([captions.draw(rng)[0] for _ in range(READ)], dimension, WIDTH)
    mean, deviation = _scales(statistics)
    standard = ((statistics - mean) / deviation).astype(np.float32)
    style = _style_encoder(statistics.shape[-1], dimension)
    sharpness = keras.Variable(-ln(TEMPERATURE), name="sharpness")
    weights = [*text.trainable_variables, *style.trainable_variables, sharpness]
    optimizer = Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    optimizer.build(weights)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(read: tf.Tensor, seen: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            both = text.of_numbers(read, training=True), style(seen, training=True)
            logits = tf.exp(sharpness) * tf.matmul(*both, transpose_b=True)
            loss = shared_cross_entropy(logits, wanted) + _of_styles(logits, wanted)
        optimizer.apply(tape.gradient(loss, weights), weights)
        sharpness.assign(tf.minimum(sharpness, -ln(LEAST_TEMPERATURE)))
        return loss

    progress = bar(steps, "phrases")
    for _ in range(steps):
        drawn = [captions.draw(rng) for _ in range(BATCH)]
        read = some_unread(text.numbers([phrase for phrase, _ in drawn]), rng)
        seen = standard[np.arange(count), rng.integers(standard.shape[1], size=count)]
        seen = seen + rng.normal(0, NOISE, seen.shape).astype(np.float32)
        loss = step(tf.constant(read), tf.constant(seen), tf.constant(np.stack([wanted for _, wanted in drawn])))
        progress.update()
    progress.close()
    if not np.isfinite(loss.numpy()):
        raise DivergedError(f"phrases must have a finite loss. Received: {loss.numpy()} after {steps} steps")
    _take_in(style, mean, deviation)
    encoders = TextImageEncoders(text, style, float(np.exp(sharpness.numpy())), bank)
    vectors = np.asarray(style(statistics.reshape(-1, statistics.shape[-1]))).reshape(count, -1, dimension).mean(1)
    return StylePhrases(encoders, captions.styles, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), size)


def _of_styles(logits: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Mean over the styles that a phrase asks for at all: each is to tell the phrases that mean it."""
    total = tf.reduce_sum(wanted, 0)
    shares = tf.transpose(wanted / tf.maximum(total, 1e-6))
    each = tf.nn.softmax_cross_entropy_with_logits(shares, tf.transpose(logits))
    return tf.reduce_sum(tf.where(total > 0, each, 0.0)) / tf.maximum(tf.reduce_sum(tf.cast(total > 0, "float32")), 1.0)


def _style_encoder(length: int, dimension: int) -> keras.Model:
    """Statistics float32 (batch, length) → vectors (batch, dimension) of length 1."""
    statistics = keras.Input((length,), name="statistics")
    x = layers.Dense(dimension, name="projection")(statistics)
    return keras.Model(statistics, layers.UnitNormalization(name="direction")(x), name="style_encoder")


def _scales(statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each statistic over all crops of all styles."""
    flat = statistics.reshape(-1, statistics.shape[-1])
    deviation = flat.std(0)
    return flat.mean(0), np.maximum(deviation, LEAST_DEVIATION * max(float(deviation.mean()), 1e-6))


def _take_in(style: keras.Model, mean: np.ndarray, deviation: np.ndarray) -> None:
    """Makes an encoder of standardised statistics one of plain ones, so that nothing else is to be kept."""
    layer = style.get_layer("projection")
    kernel, bias = layer.get_weights()
    kernel = kernel / deviation[:, None]
    layer.set_weights([kernel, bias - mean @ kernel])
