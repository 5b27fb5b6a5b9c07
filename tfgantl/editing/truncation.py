"""Truncation: images of codes w that are drawn towards their average, for better and less diverse ones."""

import numpy as np

from tfgantl import random_streams
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ConfigError
from tfgantl.images import to_uint8


def truncated_images(
    space: LatentSpace, psi: float, count: int, labels: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Images of average + ψ · (w - average), where the average is that of 4,096 codes.

    Args:
        space: `w` of a generator.
        psi: ψ: 1 changes nothing, 0 gives the average image.
        count: Number of images.
        labels: int (count,) for a conditional generator.
        seed: Of the latents. With another ψ, the same seed gives the same latents, so that curves compare.

    Returns:
        uint8 (count, height, width, channels).

    Raises:
        ConfigError: If the space is another, or ψ is below 0.

    Reference:
        Marchesi, 2017, https://arxiv.org/abs/1706.00082; Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """
    if space.name != "w":
        raise ConfigError(f"`space` must be w for truncation. Received: {space.name}")
    if not psi >= 0:
        raise ConfigError(f"`psi` must be at least 0. Received: {psi}")
    codes = space.of_latents(random_streams.latents(count, space.latent_dim, seed), labels)
    return to_uint8(space.images((space.mean + psi * (codes - space.mean)).astype(np.float32)))
