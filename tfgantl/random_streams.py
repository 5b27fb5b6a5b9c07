"""All random numbers of training, validation and evaluation: each stream has a name here, and no two overlap in a run.

There are three kinds. NumPy's numbers serve what happens once, such as the images of a validation (`Stream`). Those of
the graph serve each training step (`StepStream`). A served generator turns a seed into latents by `latents_of_seeds`,
whose numbers may never change: published models hold them.

Initial weights, the order of the images and the training of classifiers follow from the seed of the run as well, but
draw no latents, and belong to the modules that make them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum, unique
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


@unique
class Stream(Enum):
    """A stream of NumPy's numbers: `(key, offset)`, for a generator that is seeded with `[seed + offset, key]`.

    Those with an offset are older than this list. They keep it, so that published results can be repeated.
    """

    SAMPLES = (11, 0)  # whatever a user asks for: `GAN.latents`, sample sheets, `evaluate`
    CALIBRATION = (11, 1)  # BatchNorm statistics of the averaged generator
    ANCHORS = (11, 2)  # latents near which CDC and RSSA judge whole images
    TRANSFERABILITY = (11, 4)  # images of the source that are compared with the shots
    EVALUATION = (11, 1000)  # images that the metrics of a run are measured on
    PROBE = (11, 2000)  # images that a probe is measured on
    VALIDATION = (17, 0)  # images that choose the best state
    DISCRIMINATOR_ACCURACY = (19, 0)  # images that the discriminator is tested on at the end of a stage
    SOURCE_CLASSES = (43, 0)  # images that stand for the classes of a source
    FISHER = (41, 0)  # images that Fisher information is measured on
    LABELS = (13, 0)  # order of the classes among the images of an evaluation
    CODES = (47, 0)  # codes that show what is typical of a latent space
    ENCODER = (61, 0)  # codes and classes that an encoder is trained on
    TUNING = (67, 0)  # codes around those that a generator is tuned for
    RESTARTS = (53, 0)  # codes that the inversion of a picture begins at
    DIRECTIONS = (71, 0)  # codes whose images directions are found on
    EFFECTS = (73, 0)  # codes whose images show what directions do
    HOLES = (59, 0)  # pixels that a random hole takes
    NOISE = (79, 0)  # that pictures are damaged with, to be restored
    CAPTIONS = (83, 0)  # words and frames of captions, and combinations that are held out
    CONTRASTIVE = (89, 0)  # pictures and phrases of a training of encoders
    STYLE_SKETCH = (127, 0)  # projections that products of channels are taken of
    PHRASES = (113, 0)  # phrases, and crops of styles, that a training of phrases learns from
    SUBSETS = (23, 0)  # halves whose kernel distances give the standard deviation
    CLUSTERS = (31, 0)  # members of large clusters that are compared
    MEMBERS = (103, 0)  # training and held-out pictures that membership inference tells apart
    BOOTSTRAP = (101, 0)  # images that a resample of a kernel distance draws
    PATHS = (109, 0)  # ends of paths through a latent space, and places on them
    EXTRAPOLATION = (107, 0)  # parts of images that distances are extrapolated from

    def generator(self, seed: int) -> np.random.Generator:
        """NumPy's generator at the start of this stream of a run with this seed."""
        key, offset = self.value
        return np.random.default_rng([seed + offset, key])


@unique
class StepStream(IntEnum):
    """A stream of the graph's numbers; equal (seed, stream, step) give equal numbers."""

    D_LATENTS = 0  # of the fakes that the discriminator is trained on
    D_REAL = 1  # augmentation of the real images
    D_FAKE = 2  # augmentation of these fakes
    D_MIX = 3  # interpolation of real and fake in the gradient penalty
    G_LATENTS = 4  # of the fakes that the generator is trained on
    G_FAKE = 5  # augmentation of these
    PENALTY = 6  # choices of a transfer method
    REGULARIZER = 7  # choices of a regularizer
    TEST_LATENTS = 8  # of the fakes of `GAN.evaluate`; its step is the number of images seen
    SOURCE_LATENTS = 9  # of the images of a source that a discriminator is rebuilt from
    PATH_NOISE = 10  # that images are multiplied by to measure path lengths
    RANDOM_CLASSES = 13  # of generated images, where those of the batch must not be told
    SELF_SUPERVISION = 11  # which part of real images a discriminator reconstructs
    BLENDED = 12  # augmentation of images of what lies between two captions


def latents(count: int, latent_dim: int, seed: int, stream: Stream = Stream.SAMPLES) -> np.ndarray:
    """Standard normal noise, of which row i depends on (seed, stream, i) alone.

    Args:
        count: Number of rows.
        latent_dim: Length of a row.
        seed: Of the run, in [0, 2**32 - 1].
        stream: What they are for.

    Returns:
        float32 (count, latent_dim).

    Example:
        >>> latents(1, 2, seed=0).round(2)
        array([[-0.11,  0.98]], dtype=float32)
    """
    return stream.generator(seed).standard_normal((count, latent_dim), np.float32)


def step_seeds(seed: int, stream: StepStream, step: tf.Tensor | int) -> tf.Tensor:
    """Seed, int64 (2,), of the stateless random functions of TensorFlow, for one stream of one step."""
    import tensorflow as tf

    return tf.stack([tf.constant(seed * 100 + int(stream), tf.int64), tf.cast(step, tf.int64)])


def key_seeds(key: int, step: tf.Tensor | int, number: int) -> tf.Tensor:
    """Seed, int64 (2,), of one of many tensors of a step, from a key that is no seed of the run.

    Args:
        key: In [0, 2**62).
        step: Of the training.
        number: Of the tensor, below 2**16.
    """
    import tensorflow as tf

    return tf.stack([tf.constant(key, tf.int64), tf.cast(step, tf.int64) * 2**16 + number])


def latents_of_seeds(seeds: tf.Tensor, latent_dim: int) -> tf.Tensor:
    """Standard normal noise, of which row i depends on seed i alone; what a served generator makes of seeds.

    Args:
        seeds: int64 (batch,).
        latent_dim: Length of the noise.

    Returns:
        float32 (batch, latent_dim).
    """
    import tensorflow as tf

    # A loop of a hundred seeds takes half a second where each operation is called from Python.
    if tf.executing_eagerly():
        return _graph_of_latents(latent_dim)(tf.convert_to_tensor(seeds, tf.int64))
    return _latents_of_seeds(seeds, latent_dim)


def _latents_of_seeds(seeds: tf.Tensor, latent_dim: int) -> tf.Tensor:
    import tensorflow as tf

    def one(seed: tf.Tensor) -> tf.Tensor:
        # A fixed algorithm: the default may differ from device to device.
        return tf.random.stateless_normal([latent_dim], tf.stack([seed, tf.constant(0, tf.int64)]), alg="philox")

    return tf.map_fn(one, seeds, fn_output_signature=tf.TensorSpec([latent_dim], tf.float32))


@cache
def _graph_of_latents(latent_dim: int) -> Callable[[tf.Tensor], tf.Tensor]:
    import tensorflow as tf

    graph = tf.function(partial(_latents_of_seeds, latent_dim=latent_dim), autograph=False)
    return graph.get_concrete_function(tf.TensorSpec([None], tf.int64))
