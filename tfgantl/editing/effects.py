"""What directions do to images that they were not found on: attributes, classes, and how far images stay natural."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import PCA

from tfgantl.editing.attribute_directions import within_classes
from tfgantl.editing.attributes import Attribute, measured_of
from tfgantl.editing.directions import Direction, Directions, Effect, moved
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.images import to_uint8
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.memorisation import nearest
from tfgantl.progress import bar
from tfgantl.random_streams import Stream

COUNT = 128  # images that are moved
UNEDITED = 1024  # images that show what is natural
STRENGTHS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0)  # that are looked at to both sides, as long as images are natural
STEP = 1.0  # strength that slopes are measured with, to both sides
FAR = 0.95  # quantile of the distances of unedited images, beyond which an image is far from all others
MOST_FAR = 0.25  # share of edited images that may be, in the natural range; of unedited ones, 1 - FAR are
LEAST_STAYING = 0.9  # share of images whose class stays there
LEAST_FOLLOWING = 0.75  # share of images whose attribute grows from each strength to the next there
WITHIN = 7  # strengths in the natural range at which the attribute of a direction is looked at
COMPONENTS = 32  # of pixels, where there are no features


@dataclass(frozen=True)
class HeldOut:
    """Images that directions were not found on, and what is natural among them.

    Args:
        codes: float32 (n, *space.shape).
        labels: int32 (n,), or `None`.
        scales: Standard deviations (attributes,) within classes.
        features: Images uint8 → points (n, d) by which they are compared.
        points: Those of further images.
        bound: Distance to the nearest of these, beyond which an image is far.
    """

    codes: np.ndarray
    labels: np.ndarray | None
    scales: np.ndarray
    features: Callable[[np.ndarray], np.ndarray]
    points: np.ndarray
    bound: float

    def far(self, images: np.ndarray) -> np.ndarray:
        """Which of images uint8 (n, height, width, channels) are farther from all others than unedited ones are."""
        return nearest(self.features(images), self.points)[0] > self.bound


def held_out(
    space: LatentSpace,
    attributes: Sequence[Attribute],
    classifier: Extractor | None = None,
    count: int = COUNT,
    seed: int = 0,
) -> HeldOut:
    """Samples that effects are measured on.

    Args:
        space: Of the generator.
        attributes: That are measured.
        classifier: Compares images by its features; without one, they are compared by principal components of pixels.
        count: Images that are moved.
        seed: In [0, 2**32 - 1].
    """
    total = count + 2 * UNEDITED
    labels = space.labels(total)
    codes = space.sample(total, labels, seed, Stream.EFFECTS)
    images = to_uint8(space.images(codes, labels))
    if classifier is None:
        pca = PCA(min(COMPONENTS, images[0].size), random_state=0).fit(_flat(images[count:]))

        def features(x: np.ndarray) -> np.ndarray:
            return pca.transform(_flat(x))

    else:

        def features(x: np.ndarray) -> np.ndarray:
            return classifier(x)[0]

    points = features(images[count:])
    known, others = points[:UNEDITED], points[UNEDITED:]
    bound = float(np.quantile(nearest(others, known)[0], FAR))
    values = measured_of(attributes, images[count:])
    own = None if labels is None else labels[count:]
    scales = np.maximum(within_classes(values, own).std(0), 1e-9)
    return HeldOut(codes[:count], None if labels is None else labels[:count], scales, features, known, bound)


def with_effects(
    space: LatentSpace,
    directions: Directions,
    attributes: Sequence[Attribute],
    samples: HeldOut,
    classifier: Extractor | None = None,
) -> Directions:
    """Directions with what they do to held-out samples.

    Args:
        space: Of the generator.
        directions: Of this space.
        attributes: What is measured.
        samples: Of `held_out`, with the same attributes.
        classifier: Tells classes of images; without one, it is not known whether they stay.
    """
    progress = bar(len(directions), "effects", "direction")
    found = []
    for direction in directions:
        found.append(replace(direction, effect=_effect(space, direction, attributes, samples, classifier)))
        progress.update()
    progress.close()
    return replace(directions, all=tuple(found))


def changes(
    space: LatentSpace, vector: np.ndarray, attributes: Sequence[Attribute], codes: np.ndarray,
    labels: np.ndarray | None,
) -> np.ndarray:  # fmt: skip
    """Change of attributes for each unit of strength, of each image: float64 (n, attributes)."""
    ends = [to_uint8(space.images(moved(space, codes, vector, sign * STEP), labels)) for sign in (-1, 1)]
    below, above = (measured_of(attributes, images) for images in ends)
    return (above - below) / (2 * STEP)


def _effect(
    space: LatentSpace, direction: Direction, attributes: Sequence[Attribute], samples: HeldOut,
    classifier: Extractor | None,
) -> Effect:  # fmt: skip
    names, labels = [attribute.name for attribute in attributes], samples.labels

    def at(strength: float) -> np.ndarray:
        return to_uint8(space.images(moved(space, samples.codes, direction, strength), labels))

    slopes = changes(space, direction.vector, attributes, samples.codes, labels).mean(0)
    relative = slopes / samples.scales
    named = direction.name in names
    own = names.index(direction.name) if named else int(np.abs(relative).argmax())
    half = len(samples.codes) // 2  # The range is chosen on one half of the images; what is told of it is of the other.
    unmoved = at(0.0)
    classes = None
    if classifier is not None and classifier.predicts_labels:
        classes = classifier(unmoved)[1]

    def staying(images: np.ndarray, part: slice) -> float:
        """Share of images whose class is that of the unmoved one.

        Not the class that was asked for: a generator that draws it in half of all cases may move images all the same.
        """
        return 1.0 if classifier is None or classes is None else float((classifier(images)[1] == classes[part]).mean())

    def reach(sign: int) -> float:
        """The last strength in one direction up to which images look natural and the attribute follows."""
        last, before = 0.0, attributes[own](unmoved[:half])
        for strength in STRENGTHS:
            images = at(sign * strength)[:half]
            now = attributes[own](images)
            natural = samples.far(images).mean() <= MOST_FAR and staying(images, slice(half)) >= LEAST_STAYING
            if not natural or (named and (sign * (now - before) > 0).mean() < LEAST_FOLLOWING):
                return last
            last, before = sign * strength, now
        return last

    low, high = (reach(sign) for sign in (-1, 1))
    shown = [at(strength)[half:] for strength in np.linspace(low, high, WITHIN)]
    values = np.stack([attributes[own](images) for images in shown])
    plain = np.zeros(0)
    if direction.kind == "attribute":
        plain = changes(space, direction.plain, attributes, samples.codes, labels).mean(0) / samples.scales
    return Effect(
        slopes=dict(zip(names, map(float, slopes), strict=True)),
        relative=dict(zip(names, map(float, relative), strict=True)),
        before=dict(zip(names, map(float, plain), strict=False)),
        monotone=monotone(values) * (1 if named else float(np.sign(relative[own]))),
        class_stays=None
        if classes is None
        else float(np.mean([staying(images, slice(half, None)) for images in shown])),
        low=low,
        high=high,
    )


def monotone(values: np.ndarray) -> float:
    """Mean over images of Spearman's correlation of values (strengths, n) with the strengths; 0 for what is constant.

    Example:
        >>> monotone(np.array([[1.0, 3.0], [2.0, 2.0], [5.0, 1.0]]))
        0.0
    """
    if len(values) < 2:
        return 0.0
    ranks = rankdata(values, axis=0)
    ranks = ranks - ranks.mean(0)
    order = np.arange(len(values)) - (len(values) - 1) / 2
    spread = np.sqrt((ranks**2).sum(0) * (order**2).sum())
    return float(np.mean(order @ ranks / np.where(spread > 0, spread, 1.0)))


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255.0
