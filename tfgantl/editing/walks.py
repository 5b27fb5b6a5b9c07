"""Between codes: interpolation, loops through several of them, and layers of one with layers of another."""

from collections.abc import Sequence

import numpy as np

from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ConfigError, DataError


def between(space: LatentSpace, first: np.ndarray, last: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Codes on the way from one to another.

    In z along a great circle, as the noise between two samples is as long as they are; behind a mapping along a line.

    Args:
        space: Of the codes.
        first: float32 (*space.shape).
        last: The same.
        shares: Of the last, from 0 to 1.

    Returns:
        float32 (len(shares), *space.shape).

    Raises:
        DataError: If one of them is not one code.

    Example:
        >>> space = LatentSpace(tfgantl.load_generator("rendered-digits"))
        >>> a, b = space.sample(2, np.array([3, 3]))
        >>> between(space, a, b, [0.0, 0.5, 1.0]).shape
        (3, 48)

    Reference:
        White, 2016, https://arxiv.org/abs/1609.04468
    """
    first, last = np.asarray(first), np.asarray(last)
    for code in (first, last):
        if code.shape != space.shape:
            raise DataError(f"a code must be ({', '.join(map(str, space.shape))}). Received: {code.shape}")
    share = np.asarray(shares, np.float32).reshape(-1, *[1] * first.ndim)
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    if space.name == "z" and min(lengths) > 0:
        cosine = np.clip(np.sum(first * last) / (lengths[0] * lengths[1]), -1.0, 1.0)
        angle = np.arccos(cosine)
        if np.sin(angle) > 1e-3:  # else the circle is not defined, or a line
            return (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)
    return (1 - share) * first + share * last


def loop(space: LatentSpace, codes: np.ndarray, frames: int) -> np.ndarray:
    """Codes of a closed walk through some of them, each at equal shares of the frames.

    Args:
        space: Of the codes.
        codes: float32 (n, *space.shape), at least 2.
        frames: Codes in all, at least n.

    Raises:
        ConfigError: For fewer frames than codes.
    """
    if not len(codes) <= frames:
        raise ConfigError(f"`frames` must be at least {len(codes)}, one for each code. Received: {frames}")
    ends = np.linspace(0, frames, len(codes) + 1).round().astype(int)
    parts = []
    for i, (begin, end) in enumerate(zip(ends, ends[1:], strict=False)):
        shares = [t / (end - begin) for t in range(end - begin)]
        parts.append(between(space, codes[i], codes[(i + 1) % len(codes)], shares))
    return np.concatenate(parts)


def crossed(space: LatentSpace, coarse: np.ndarray, fine: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """Style mixing: the first layers read one code, and those from a place on another.

    Args:
        space: `w+` of a StyleGAN2.
        coarse: float32 (layers, style_dim) for the first layers.
        fine: The same, for the others.
        places: First layer of `fine`, for each result.

    Returns:
        float32 (len(places), layers, style_dim).

    Raises:
        ConfigError: If the space is not w+.

    Reference:
        Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """
    if space.name != "w+":
        raise ConfigError(f"`space` must be w+ for layers to be mixed. Received: {space.name}")
    layers = np.arange(len(coarse))[:, None]
    return np.stack([np.where(layers < place, coarse, fine) for place in places])


def smoothness(steps: np.ndarray) -> float:
    """Mean distance between neighbouring images of a walk over the largest one: 1 is even, near 0 is a jump.

    Args:
        steps: Distances (n,).
    """
    largest = float(np.max(steps, initial=0.0))
    return float(np.mean(steps)) / largest if largest else 1.0
