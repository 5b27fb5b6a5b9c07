"""Will it help? How far a source is from a target, measured before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    from tfgantl.data.examples import Examples
    from tfgantl.gan import GAN
    from tfgantl.metrics.extractors import Extractor

SAMPLES = 1000


@dataclass(frozen=True)
class Transferability:
    """How far a source is from a target.

    Args:
        ckid: cKID between images of the source and the training shots; `None` for a single shot.
        separability: Accuracy of a logistic regression, on held-out folds, that separates them by the features of the
            source discriminator: 0.5 if it cannot, 1 if they have nothing in common; `None` for a discriminator
            whose blocks are not known.
        shots: Number of training shots in all; `None` if there is no end to them.
        classes: Number of classes, or `None`.
    """

    ckid: float | None
    separability: float | None
    shots: int | None
    classes: int | None

    def __str__(self) -> str:
        if self.ckid is None:
            return "before training: nothing can be told from a single image"
        text = f"before training: cKID of the source {self.ckid:.4f}"
        if self.separability is not None:
            text += f", its discriminator tells {self.separability:.0%} of source and target images apart"
        return text


def estimate_transferability(source: GAN, examples: Examples, extractor: Extractor, seed: int = 0) -> Transferability:
    """Measures the distance between a source and a target, on training images alone.

    Args:
        source: Trained pair, fitted to the target.
        examples: Training images of the target.
        extractor: Features for the distance.
        seed: Chooses latents and folds.
    """
    from tfgantl.images import to_uint8
    from tfgantl.metrics.distances import kernel_distance
    from tfgantl.metrics.evaluation import labels_like
    from tfgantl.random_streams import Stream

    images, labels = examples.subset(SAMPLES)
    if len(images) < 2:
        return Transferability(None, None, examples.size, source.num_classes)
    count = max(len(images), 100)
    known = None if source.num_classes is None else labels_like(labels, count, seed)
    fakes = to_uint8(source.generate(source.latents(count, seed, Stream.TRANSFERABILITY), known))
    real_features, fake_features = extractor(images)[0], extractor(fakes)[0]
    ckid = kernel_distance(real_features, fake_features, labels if known is not None else None, known)
    fewer = min(len(images), len(fakes))  # as many of either, so that guessing is right in half of the cases
    return Transferability(
        ckid, separability(source, images[:fewer], fakes[:fewer], seed), examples.size, source.num_classes
    )


def separability(source: GAN, reals: np.ndarray, fakes: np.ndarray, seed: int) -> float | None:
    """Accuracy of a linear classifier on features of the source discriminator, or `None` if its blocks are not known.

    Args:
        source: Trained pair.
        reals: uint8 (n, side, side, channels), at least two.
        fakes: uint8, of the same shape.
        seed: Chooses the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tfgantl.images import to_unit
    from tfgantl.models.blocks import block_features
    from tfgantl.models.inference import predict

    try:
        blocks = block_features(source.discriminator)
    except ConfigError:
        return None
    images = to_unit(np.concatenate([reals, fakes]))
    labels = None if source.num_classes is None else np.zeros(len(images), np.int32)  # blocks do not look at them
    maps = predict(blocks, source.inputs(images, labels))
    features = [x.mean(axis=tuple(range(1, x.ndim - 1))) for x in (maps if isinstance(maps, list) else [maps])]
    side = np.repeat([0, 1], len(reals))
    folds = StratifiedKFold(min(5, len(reals)), shuffle=True, random_state=seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return float(cross_val_score(classifier, np.concatenate(features, axis=1), side, cv=folds).mean())
