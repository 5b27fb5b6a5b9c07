"""Will it help? What can be told about a source and a target before anything is trained."""

from dataclasses import dataclass

import numpy as np

SAMPLES = 1000


@dataclass(frozen=True)
class Prospect:
    """How far a source is from a target.

    Args:
        ckid: cKID between images of the source and the training shots.
        separability: Accuracy of a logistic regression, on held-out folds, that tells them by the features of the
            source discriminator: 0.5 if it cannot, 1 if they have nothing in common.
        shots: Number of training shots in all; `None` if there is no end to them.
        classes: Number of classes, or `None`.
    """

    ckid: float
    separability: float
    shots: int | None
    classes: int | None

    def __str__(self):
        return (
            f"before training: cKID of the source {self.ckid:.4f}, its discriminator tells {self.separability:.0%} "
            f"of source and target images"
        )


def look_ahead(source, examples, extractor, seed: int = 0) -> Prospect:
    """Measures the distance between a source and a target, on training images alone.

    Args:
        source: Trained pair, fitted to the target.
        examples: Training images of the target.
        extractor: Features for the distance.
        seed: Chooses latents and folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tfgantl.images import to_uint8, to_unit
    from tfgantl.metrics.distances import kernel_distance
    from tfgantl.metrics.judging import labels_like

    images, labels = examples.some(SAMPLES)
    count = max(len(images), 100)
    known = None if source.num_classes is None else labels_like(labels, count, seed)
    fakes = to_uint8(source.generate(source.latents(count, seed + 4), known))
    real_features, fake_features = extractor(images)[0], extractor(fakes)[0]
    ckid = kernel_distance(real_features, fake_features, labels if known is not None else None, known)

    # As many of either, so that guessing is right in half of the cases.
    fewer = min(len(images), len(fakes))
    seen = np.concatenate([images[:fewer], fakes[:fewer]])
    features = discriminator_features(source, to_unit(seen), np.zeros(len(seen), np.int32))
    side = np.repeat([0, 1], fewer)
    folds = StratifiedKFold(min(5, fewer), shuffle=True, random_state=seed % 2**32)
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    separability = float(cross_val_score(judge, features, side, cv=folds).mean()) if fewer > 1 else 1.0
    return Prospect(ckid, separability, examples.size, source.num_classes)


def discriminator_features(source, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Spatial means of all blocks of the discriminator, float32 (n, d), for images in [-1, 1]."""
    from tfgantl.transfer.relations import block_features

    network = block_features(source.discriminator)
    maps = network.predict(source.inputs(images, None if source.num_classes is None else labels), verbose=0)
    maps = maps if isinstance(maps, list) else [maps]
    return np.concatenate([x.mean(axis=tuple(range(1, x.ndim - 1))) for x in maps], axis=1)
