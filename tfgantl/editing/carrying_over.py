"""Whether edits carry over: directions that were found on one generator, applied to another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfgantl.editing.attribute_directions import within_classes
from tfgantl.editing.attributes import Attribute, measured_of
from tfgantl.editing.directions import Directions
from tfgantl.editing.effects import changes
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ConfigError
from tfgantl.images import to_uint8
from tfgantl.random_streams import Stream, latents

COUNT = 256


@dataclass(frozen=True)
class CarryOver:
    """How well edits carry over from one generator to another.

    Args:
        effects: Correlation, over directions and attributes, of the mean changes that directions make on both, in
            standard deviations of the attribute on each; 1 if they do the same.
        images: The same of the changes of each image: the same code is changed alike.
        same: Attribute → correlation, within classes, of its values in the two images of the same noise.
        own: Mean changes (directions, attributes) on the generator that they were found on,
        other: and on the other one.
    """

    effects: float
    images: float
    same: dict[str, float]
    own: np.ndarray
    other: np.ndarray


def carries_over(
    directions: Directions,
    found_on: LatentSpace,
    other: LatentSpace,
    attributes: Sequence[Attribute],
    count: int = COUNT,
    seed: int = 0,
) -> CarryOver:
    """Applies directions to the generator that they were found on and to another one, and compares what they do.

    Args:
        directions: Of `found_on`.
        found_on: Such as the space of a source.
        other: Such as the space of the adapted generator; its codes are of the same shape.
        attributes: What is measured.
        count: Noise vectors whose images are changed.
        seed: In [0, 2**32 - 1].

    Returns:
        Correlations; for the other way, call it with directions of the other generator.

    Raises:
        ConfigError: If codes of the two are not of one shape, or they have other classes or sizes of images.
    """
    check_comparable(found_on, other)
    labels = found_on.labels(count)
    noise = latents(count, found_on.latent_dim, seed, Stream.EFFECTS)
    made, values = [], []
    for space in (found_on, other):
        codes = space.of_latents(noise, labels)
        inner = within_classes(measured_of(attributes, to_uint8(space.images(codes, labels))), labels)
        scales = np.maximum(inner.std(0), 1e-9)
        made.append(np.stack([changes(space, x.vector, attributes, codes, labels) / scales for x in directions]))
        values.append(inner / scales)
    means = [x.mean(1) for x in made]
    same = {one.name: correlation(values[0][:, i], values[1][:, i]) for i, one in enumerate(attributes)}
    return CarryOver(correlation(*means), correlation(*made), same, *means)


def check_comparable(found_on: LatentSpace, other: LatentSpace) -> None:
    """Raises `ConfigError` unless directions of one space can be applied to another, and their images compared."""
    for name in ("name", "shape", "latent_dim", "num_classes", "image_shape"):
        one, two = getattr(found_on, name), getattr(other, name)
        if one != two:
            raise ConfigError(f"`to` must be a model with the {name} {one}, as this one has. Received: {two}")


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of all numbers of two arrays of one shape; 0 where one of them is constant."""
    x, y = one.ravel() - one.mean(), other.ravel() - other.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0
