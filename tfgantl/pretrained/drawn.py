"""Whether a generator draws anything: weights that are finite may still be so large that nothing is left of it."""

import keras
import numpy as np

from tfgantl import random_streams
from tfgantl.errors import ArtifactError
from tfgantl.progress import log

PICTURES = 2


def check_draws(generator: keras.Model, where: str) -> None:
    """Looks at two pictures of a generator; any other network passes.

    Pixels of two values at most may be what it was trained for, so that is only told.

    Args:
        generator: Latents, or latents and labels or vectors of texts, to images.
        where: Where it is from, for messages.

    Raises:
        ArtifactError: If a pixel is not finite.
    """
    ranks = [len(spec.shape) for spec in getattr(generator, "inputs", None) or ()]
    if ranks not in ([2], [2, 1], [2, 2]) or len(generator.outputs) != 1 or len(generator.outputs[0].shape) != 4:
        return
    if ranks == [2, 1] and getattr(generator, "num_classes", None) is None:  # which is told elsewhere
        return
    latents = random_streams.latents(PICTURES, generator.inputs[0].shape[-1], seed=0)
    inputs = [latents, *(_conditions(spec, generator) for spec in generator.inputs[1:])]
    images = keras.ops.convert_to_numpy(generator(inputs if len(inputs) > 1 else latents, training=False))
    images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise ArtifactError(f"{where}: a generator must make finite pixels. Received: NaN or infinity")
    values = np.unique(images)
    if len(values) <= 2:
        told = " and ".join(f"{value:g}" for value in values)
        log(f"{where}: all pixels of two pictures are {told}; weights that are much too large or 0 give such ones")


def _conditions(spec: keras.KerasTensor, generator: keras.Model) -> np.ndarray:
    """Labels, or vectors of length 1."""
    if len(spec.shape) == 1:
        return np.arange(PICTURES, dtype=np.int32) % generator.num_classes
    return np.full((PICTURES, spec.shape[-1]), spec.shape[-1] ** -0.5, np.float32)
