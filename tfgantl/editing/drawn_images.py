"""What a generator draws of some noise, in a few numbers: generators of equal weights may draw something else."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfgantl import random_streams
from tfgantl.models.inference import predict
from tfgantl.random_streams import Stream

LOOKED_AT = 4  # images
COARSE = 4  # parts of a side; their means are all that earlier versions kept
PATTERNS = 16  # of random signs, over every value of an image: nothing moves without moving their sums
SEED = 0  # of these
ALIKE, MEANS_ALIKE = 0.01, 0.05  # of the largest: other machines compute a little otherwise


def drawn_by(generator: keras.Model, labels: np.ndarray | None) -> tuple[float, ...]:
    """Means of parts of some images, and sums over whole ones with random signs.

    Args:
        generator: Latents, or latents and labels, to images.
        labels: int (`LOOKED_AT`,) for one with classes.
    """
    noise = random_streams.latents(LOOKED_AT, generator.inputs[0].shape[-1], 0, Stream.CODES)
    images = predict(generator, noise if labels is None else [noise, labels])
    rows = [part.mean((1, 3)) for part in np.array_split(images, min(COARSE, images.shape[1]), axis=1)]
    means = [part.mean(-1) for row in rows for part in np.array_split(row, min(COARSE, row.shape[1]), axis=1)]
    rng, flat = np.random.default_rng(SEED), images.reshape(len(images), -1)
    sums = [flat @ rng.choice(np.array([-1, 1], np.float32), flat.shape[1]) for _ in range(PATTERNS)]
    return tuple(np.concatenate([*means, *(np.array(sums) / np.sqrt(flat.shape[1]))]).round(6).tolist())


def alike(drawn: Any, own: Sequence[float]) -> bool:
    """Whether two generators of equal weights are the same, by what they draw; machines differ a little.

    Args:
        drawn: As `drawn_by` gave it once, maybe in an earlier version.
        own: As it gives it now.
    """
    means = len(own) - LOOKED_AT * PATTERNS
    if np.shape(drawn) not in ((means,), np.shape(own)):
        return False
    found = np.asarray(drawn)
    pairs = (found[:means], np.asarray(own[:means]), MEANS_ALIKE), (found[means:], np.asarray(own[means:]), ALIKE)
    return all(np.allclose(x, y, rtol=0, atol=share * np.abs(y).max()) for x, y, share in pairs if len(x))
