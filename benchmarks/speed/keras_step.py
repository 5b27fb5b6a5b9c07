"""A worker that takes steps of this package, or those of the classic tutorial, as often as it is asked.

`python -m benchmarks.speed.keras_step KIND PAIR PRECISION [OPTION=VALUE …]` says that it is ready, then reads numbers
of steps from its standard input, a line each, and answers with the seconds that they took.

Kinds: `ours` (the compiled step of `GAN`), `fit` (`GAN.fit` on a data set), `adapt` (with augmentation, R1 and the rest
of what `adapt` compiles), `tutorial` (one `tf.function`, two tapes, Keras' own layers), `matmul` and `convolution` (one
large operation, whose number of operations is in `peaks.py`).
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed.pairs import BATCH, LATENTS, SHAPES, keras_networks, networks
from benchmarks.speed.peaks import PEAKS
from tfgantl import transfer as methods
from tfgantl.gan import GAN
from tfgantl.optimizers import Adam
from tfgantl.training.optimization import ADAPTATION


def images_of(pair: str) -> np.ndarray:
    """Noise in [-1, 1]: what a step costs does not depend on what the images show."""
    return np.random.default_rng(0).uniform(-1, 1, (BATCH * 4, *SHAPES[pair])).astype(np.float32)


def fit_seconds(gan: GAN, data: tf.data.Dataset, steps: int) -> float:
    """Seconds of some steps of `GAN.fit`, without its half a second to begin, which is nothing in a run."""
    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
    gan.fit(data, steps_per_epoch=steps + 1, verbose=0, shuffle=False, callbacks=[clock])
    return times[-1] - times[0]


def own_step(kind: str, pair: str, dtype: str, options: dict) -> Callable[[int], float | None]:
    """Steps of this package."""
    gan = GAN(*networks(pair, dtype, batch_norm=kind != "adapt"))
    if kind == "adapt":
        transfer = getattr(methods, options.get("transfer", "FineTune"))()
        source, gan = gan, GAN(*transfer.networks(gan, dtype))
        transfer.prepare(gan, source)
        ADAPTATION.compile(gan, 500, transfer)
        next(transfer.schedule(500)).begin(gan)
    else:
        gan.compile(Adam(1e-4, beta_1=0.5), Adam(1e-4, beta_1=0.5), loss="minimax")
    for name in ("reuse_fakes", "simultaneous"):
        setattr(gan, name, options.get(name) == "true")
    images = images_of(pair)
    if kind == "fit":
        data = tf.data.Dataset.from_tensor_slices(images).batch(BATCH).repeat()
        return lambda steps: fit_seconds(gan, data, steps)
    gan.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(images[:BATCH]).repeat())

    def run(steps: int) -> None:
        for _ in range(steps):
            logs = gan.train_function(batches)
        float(logs["g_loss"])

    return run


def tutorial_step(pair: str, dtype: str) -> Callable[[int], None]:
    """The step of the tutorials: one generator pass, two tapes, two optimizers, no average."""
    generator, discriminator = keras_networks(pair, dtype)
    optimizers = keras.optimizers.Adam(1e-4, beta_1=0.5), keras.optimizers.Adam(1e-4, beta_1=0.5)
    for optimizer, network in zip(optimizers, (generator, discriminator), strict=True):
        optimizer.build(network.trainable_variables)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fakes = generator(tf.random.normal((BATCH, LATENTS)), training=True)
            real, fake = discriminator(images, training=True), discriminator(fakes, training=True)
            g_loss = entropy(tf.ones_like(fake), fake)
            d_loss = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)
        for tape, loss, network, optimizer in (
            (g_tape, g_loss, generator, optimizers[0]), (d_tape, d_loss, discriminator, optimizers[1]),
        ):  # fmt: skip
            weights = network.trainable_variables
            optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)
        return g_loss

    images = tf.constant(images_of(pair)[:BATCH])

    def run(steps: int) -> None:
        for _ in range(steps):
            loss = step(images)
        float(loss)

    return run


def peak_step(kind: str, dtype: str) -> Callable[[int], None]:
    """The operation that a processor computes fastest, of its kind."""
    numbers = tf.dtypes.as_dtype(keras.DTypePolicy(dtype).compute_dtype)
    shapes = PEAKS[kind][0]
    inputs = [tf.cast(tf.random.normal(shape), numbers) for shape in shapes]
    compute = tf.matmul if kind == "matmul" else partial(tf.nn.conv2d, strides=1, padding="SAME")
    step = tf.function(lambda *x: tf.reduce_sum(tf.cast(compute(*x)[:1, :1], tf.float32)))

    def run(steps: int) -> None:
        for _ in range(steps):
            total = step(*inputs)
        float(total)

    return run


def main() -> None:
    """Answers until its standard input ends."""
    kind, pair, precision, *pairs = sys.argv[1:]
    options = dict(option.split("=") for option in pairs)
    keras.utils.set_random_seed(0)
    if kind in PEAKS:
        run: Callable[[int], float | None] = peak_step(kind, precision)
    else:
        run = tutorial_step(pair, precision) if kind == "tutorial" else own_step(kind, pair, precision, options)
    run(3)
    print(json.dumps({"version": f"tensorflow {tf.__version__}, keras {keras.__version__}"}), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        seconds = run(int(line))  # which `fit` takes itself
        print(json.dumps({"seconds": seconds or time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
