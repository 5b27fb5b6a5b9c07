"""Directions from attributes: where in a latent space images get more of them, by linear models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV

from tfgantl.editing.attributes import Attribute, measured_of
from tfgantl.editing.directions import Direction, Directions, in_space, unit
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import DataError
from tfgantl.images import to_uint8
from tfgantl.progress import log
from tfgantl.random_streams import Stream

COUNT = 4096  # images that directions are found on
OWN = 0.5  # least share of a normal, squared, that must not lie in those of the attributes before it
PENALTIES = np.logspace(-1, 4, 11)  # of the ridge, of which cross-validation chooses one


@dataclass(frozen=True)
class Samples:
    """Images of a generator, with their coordinates.

    Args:
        u: float32 (n, units) whitened coordinates, of which those that classes share are taken out.
        images: uint8 (n, height, width, channels).
        labels: int32 (n,), or `None`.
    """

    u: np.ndarray
    images: np.ndarray
    labels: np.ndarray | None


def samples_of(space: LatentSpace, count: int = COUNT, seed: int = 0) -> Samples:
    """Random images of all classes.

    Args:
        space: Of the generator. In W+, noise gives all layers one vector, so that the first says all.
        count: How many.
        seed: In [0, 2**32 - 1].
    """
    labels = space.labels(count)
    codes = space.sample(count, labels, seed, Stream.DIRECTIONS)
    u = space.whitened(codes).reshape(count, *space.shape)
    u = u if u.ndim == 2 else u[:, 0]
    return Samples(within_classes(u, labels).astype(np.float32), to_uint8(space.images(codes, labels)), labels)


def within_classes(values: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Values (n, …) less the means of their classes: that eights are wider than ones is no matter of codes."""
    if labels is None:
        return values - values.mean(0)
    means = np.stack([values[labels == label].mean(0) for label in range(labels.max() + 1)])
    return values - means[labels]


def attribute_directions(
    space: LatentSpace, attributes: Sequence[Attribute], samples: Samples | None = None
) -> Directions:
    """The direction of each attribute, orthogonal to those of the others.

    Each attribute is fitted on the coordinates of generated images, within classes: by ridge regression, or logistic
    regression where there are only two values. From each normal, all others are projected out, which is what keeps them
    as they are; the normal itself is kept as `plain`. An attribute whose normal is nearly that of others before it is
    left out, as the two cannot be changed apart.

    Args:
        space: Where directions are looked for.
        attributes: What to look for, the more important first.
        samples: Images to look at; random ones if not given.

    Returns:
        A direction for each attribute that is not left out.

    Raises:
        DataError: If an attribute is the same in all images.

    Reference:
        Shen et al., 2020, https://arxiv.org/abs/1907.10786 (InterFaceGAN)
    """
    samples = samples or samples_of(space)
    values = measured_of(attributes, samples.images)
    kept: list[Attribute] = []
    normals, fits = np.zeros((0, samples.u.shape[1])), list[float]()
    for attribute, column in zip(attributes, values.T, strict=True):
        normal, fit = _normal(attribute, samples, column)
        rest = normal - np.linalg.lstsq(normals.T, normal, rcond=None)[0] @ normals if kept else normal
        if rest @ rest < OWN:
            near = kept[int(np.abs(normals @ normal).argmax())].name
            log(f"{attribute.name}: left out, as the model hardly changes it without {near}")
            continue
        kept.append(attribute)
        normals, fits = np.vstack([normals, normal]), [*fits, fit]
    vectors = unit(np.linalg.pinv(normals).T)  # row i of the dual basis is orthogonal to all normals but i
    pairs = zip(kept, in_space(space, vectors), in_space(space, normals), fits, strict=True)
    found = tuple(Direction(one.name, "attribute", vector, plain, fit) for one, vector, plain, fit in pairs)
    return Directions(space.generator_hash, space.name, found, space.drawn)


def _normal(attribute: Attribute, samples: Samples, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit normal (units,) along which an attribute grows, and how much of it that accounts for."""
    if attribute.two_valued:
        has = values > 0
        if has.all() or not has.any():
            raise DataError(f"`{attribute.name}` must be in some images of the model and not in all. Received: in "
                            f"{has.sum()} of {len(has)}")  # fmt: skip
        classifier = LogisticRegression(max_iter=1000).fit(samples.u, has)
        return unit(classifier.coef_)[0], float(classifier.score(samples.u, has))
    inner = within_classes(values, samples.labels)
    if not np.isfinite(inner).all() or inner.std() < 1e-6 * max(1.0, float(np.abs(values).max())):
        raise DataError(f"`{attribute.name}` must differ among images of the model. Received: {values[0]:.4g} in all")
    ridge = RidgeCV(PENALTIES).fit(samples.u, inner)
    return unit(ridge.coef_[None])[0], float(ridge.score(samples.u, inner))
