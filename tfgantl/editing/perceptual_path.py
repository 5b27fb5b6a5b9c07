"""Perceptual path length: how much pictures change along a short step through a latent space."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import tensorflow as tf

from tfgantl import random_streams
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.metrics.intervals import NORMAL, Estimate
from tfgantl.metrics.lpips import LPIPS
from tfgantl.metrics.perceptual import LAYERS, perceptual_distance
from tfgantl.models.inference import rows_of
from tfgantl.models.vgg import smallest_side, vgg16
from tfgantl.progress import bar
from tfgantl.random_streams import Stream

EPSILON = 1e-4  # of the paper: share of a path that a step is
OUTLIERS = 1.0  # per cent of the steps that are left out at either end, as in the published program
BATCH = 32
Distance = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def path_distance(image_shape: tuple[int, int, int], vgg: str = "imagenet") -> tuple[Distance, str]:
    """The distance that path lengths are measured by, and its name, which belongs beside the number.

    Args:
        image_shape: Height, width and channels of the images, of at least 16 pixels.
        vgg: Weights of VGG16, as for `tfgantl.models.vgg.vgg16`, where there are none of LPIPS.

    Returns:
        LPIPS if its weights are there, else the plain distance of VGG16, which has the same form without weights that
        were fitted to people. Lengths by the one do not compare with those by the other.

    Raises:
        ConfigError: If the images are too small.
        ArtifactError: If there are no weights of either.
    """
    least = smallest_side(LAYERS)
    if min(image_shape[:2]) < least:
        raise ConfigError(
            f"`path_pairs` must be 0 for images below {least} pixels. Received: {image_shape[0]} x {image_shape[1]}"
        )
    try:
        return LPIPS().distance, "LPIPS"
    except ArtifactError:
        network = vgg16(LAYERS, vgg, (None, None, image_shape[-1]))
        return lambda images, others: perceptual_distance(network, images, others), "VGG16, not LPIPS"


def perceptual_path_length(
    space: LatentSpace,
    distance: Distance,
    pairs: int = 1000,
    at: Literal["full", "end"] = "full",
    epsilon: float = EPSILON,
    seed: int = 0,
    title: str | None = None,
) -> Estimate:
    """Mean of d(G(x(t)), G(x(t + ε))) / ε² over paths x between two random codes.

    Paths are straight in w, and arcs of great circles in z, where lengths of codes are those of standard normal ones.
    One per cent of the steps is left out at either end. Both ends of a path are of one class, where there are classes.

    Args:
        space: `z` or `w` of a generator.
        distance: float32 images (n, height, width, channels) in [-1, 1] and others → (n,), see `path_distance`.
        pairs: Number of paths; 100,000 in the paper.
        at: `full` for t anywhere in [0, 1), `end` for t = 0.
        epsilon: ε. The smaller, the more of the number is rounding: pictures are float32.
        seed: Chooses codes and t.
        title: Shows a bar with this title.

    Returns:
        The mean, in [0, ∞), and the 95 % interval from the standard deviation of the steps. Low for smooth generators,
        0 for one that makes a single picture: it is to be read beside recall.

    Raises:
        ConfigError: If `pairs` is below 10, or the space is another.

    Example:
        >>> space = LatentSpace(tfgantl.load_generator("rendered-digits"), "z")
        >>> pixels = lambda images, others: tf.reduce_mean(tf.square(images - others), axis=(1, 2, 3))
        >>> length = perceptual_path_length(space, pixels, pairs=50)
        >>> 0 < length.low < length.value
        True

    Reference:
        Karras et al., 2019, https://arxiv.org/abs/1812.04948, section 4.1
    """
    if space.name not in ("z", "w"):
        raise ConfigError(f"`space` must be z or w for path lengths. Received: {space.name}")
    if pairs < 10:
        raise ConfigError(f"`pairs` must be at least 10. Received: {pairs}")
    labels = space.labels(pairs)
    noise = random_streams.latents(2 * pairs, space.latent_dim, seed, Stream.PATHS)
    ends = [space.of_latents(part, labels) for part in (noise[:pairs], noise[pairs:])]
    places = Stream.PATHS.generator(seed + 1).random(pairs) if at == "full" else np.zeros(pairs)
    path = _on_a_sphere if space.name == "z" else _straight
    steps = [path(ends[0], ends[1], places + shift).astype(np.float32) for shift in (0.0, epsilon)]

    @tf.function(autograph=False, jit_compile=False, reduce_retracing=True)
    def changed(here: tf.Tensor, there: tf.Tensor, classes: tf.Tensor | None) -> tf.Tensor:
        return distance(space.decode(here, classes), space.decode(there, classes)) / epsilon**2

    lengths, size = [], min(BATCH, rows_of((None, *space.image_shape)))
    known = labels if space.reads_labels else None
    with bar(pairs, title or "", "pair", shown=title is not None) as progress:
        for start in range(0, pairs, size):
            rows = slice(start, start + size)
            classes = None if known is None else tf.constant(known[rows])
            lengths.append(changed(tf.constant(steps[0][rows]), tf.constant(steps[1][rows]), classes).numpy())
            progress.update(len(lengths[-1]))
    values = np.concatenate(lengths).astype(np.float64)
    low, high = np.percentile(values, [OUTLIERS, 100.0 - OUTLIERS], method="nearest")
    kept = values[(values >= low) & (values <= high)]
    half_width = NORMAL * float(kept.std(ddof=1)) / len(kept) ** 0.5
    mean = float(kept.mean())
    return Estimate(mean, mean - half_width, mean + half_width)


def _straight(first: np.ndarray, last: np.ndarray, places: np.ndarray) -> np.ndarray:
    return first + (last - first) * places[:, None]


def _on_a_sphere(first: np.ndarray, last: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Points of great circles whose radius is the root of the dimension, about the length of standard normal codes."""
    one, other = (x.astype(np.float64) / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, last))
    cosine = np.clip((one * other).sum(1), -1.0, 1.0)
    across = other - cosine[:, None] * one
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    angle = (places * np.arccos(cosine))[:, None]
    return first.shape[1] ** 0.5 * (np.cos(angle) * one + np.sin(angle) * across)
