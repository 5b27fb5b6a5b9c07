"""Before training: how much a source is likely to help, from features and predictions of its classifier alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

if TYPE_CHECKING:
    from tfgantl.recognition.trainer import Trainer

MAX_IMAGES = 1000  # of each domain, for distances


@dataclass(frozen=True)
class ClassifierTransferability:
    """Measures of one source before training; all but `a_distance`, `mmd` and `label_shift` need target labels.

    Args:
        leep: Log expected empirical prediction, at most 0; more is better.
        log_me: Log marginal evidence of a linear model on the features, per image and class; more is better.
        h_score: Regularised H-score: spread of class means against that of all features; more is better.
        a_distance: Proxy A-distance in [0, 2]; less is better.
        mmd: Maximum mean discrepancy of features, squared, in [0, 2]; less is better.
        label_shift: Largest ratio of class frequencies target / source, estimated; 1 is none.
    """

    leep: float | None
    log_me: float | None
    h_score: float | None
    a_distance: float
    mmd: float
    label_shift: float

    @property
    def warning(self) -> str:
        """Why transfer may do harm; empty if nothing suggests it."""
        if self.a_distance > 1.8 and (self.leep is None or self.leep < -1.5):
            return "domains are far apart and source predictions tell little about the labels: transfer may be negative"
        return (
            "class frequencies seem to differ: methods that align features may do harm" if self.label_shift > 3 else ""
        )


def classifier_transferability(trainer: Trainer) -> ClassifierTransferability:
    """Measures the source of a task against its target; the source classifier is trained if it is not yet.

    Args:
        trainer: Of the task; its target labels, if there are any, are looked at.
    """
    from tfgantl.recognition.selection import probabilities, unit_features
    from tfgantl.recognition.task import with_labels

    task, model = trainer.task, trainer.source_model()
    target = spread(trainer.target_pool)
    x, y = unit_features(model, spread(trainer.source_pool[0])), unit_features(model, target)
    supervised: dict[str, float | None] = {"leep": None, "log_me": None, "h_score": None}
    if task.labelled is not None:
        images, labels = with_labels(task.labelled, MAX_IMAGES)
        features = unit_features(model, images)
        supervised = {
            "leep": leep(probabilities(model, images), labels),
            "log_me": log_me(features, labels),
            "h_score": h_score(features, labels),
        }
    held_out, known = with_labels(task.source_validation, MAX_IMAGES)
    ratios = class_ratios(probabilities(model, held_out), known, probabilities(model, target))
    return ClassifierTransferability(
        **supervised, a_distance=a_distance(x, y, task.seed), mmd=mmd(x, y), label_shift=float(ratios.max())
    )


def spread(images: np.ndarray) -> np.ndarray:
    """At most `MAX_IMAGES` of some images, spread over all of them: those of a class may lie behind each other."""
    return images[np.linspace(0, len(images) - 1, min(len(images), MAX_IMAGES)).astype(int)]


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean log of what the source's predictions, turned into target labels as they go together, give the true label.

    Nguyen et al., 2020, https://arxiv.org/abs/2002.12462.

    Args:
        probabilities: float (n, source classes) of target images.
        labels: int (n,) of the target.
    """
    joint = np.stack([probabilities[labels == label].sum(0) for label in range(labels.max() + 1)]) / len(labels)
    conditional = joint / (joint.sum(0, keepdims=True) + 1e-12)
    return float(np.log((probabilities @ conditional.T)[np.arange(len(labels)), labels] + 1e-12).mean())


def log_me(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the largest evidence of y = F w + noise, per image.

    You et al., 2021, https://arxiv.org/abs/2102.11005.

    Args:
        features: float (n, d).
        labels: int (n,).
    """
    n, d = features.shape
    u, s, _ = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    squares, total = s**2, 0.0
    classes = np.unique(labels)
    for label in classes:
        y = (labels == label).astype(np.float64)
        z = (u.T @ y) ** 2
        rest = max(y @ y - z.sum(), 0.0)
        alpha = beta = 1.0
        for _ in range(20):
            t = alpha / beta
            effective = (squares / (squares + t)).sum()
            weights = (squares * z / (squares + t) ** 2).sum()
            residual = (z * (t / (squares + t)) ** 2).sum() + rest
            alpha, beta = effective / (weights + 1e-12), (n - effective) / (residual + 1e-12)
            if abs(alpha / beta - t) <= 1e-3 * t:
                break
        evidence = 0.5 * (
            d * np.log(alpha) + n * np.log(beta) - np.log(alpha + beta * squares).sum()
            - (d - len(squares)) * np.log(alpha) - beta * residual - alpha * weights - n * np.log(2 * np.pi)
        )  # fmt: skip
        total += evidence / n
    return float(total / len(classes))


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """tr(Σ⁻¹ Σ_between), with the covariance shrunk towards a multiple of the identity, as few images need.

    Bao et al., 2019, https://doi.org/10.1109/ICIP.2019.8803726; Ibrahim et al., 2022,
    https://arxiv.org/abs/2110.06893.

    Args:
        features: float (n, d).
        labels: int (n,).
    """
    centred = features.astype(np.float64) - features.mean(0)
    covariance, shrinkage = ledoit_wolf(centred)
    _, at = np.unique(labels, return_inverse=True)
    means = np.stack([centred[at == number].mean(0) for number in range(at.max() + 1)])[at]
    between = means.T @ means / len(means)
    return float(np.trace(np.linalg.pinv(covariance) @ between) * (1.0 - shrinkage))


def a_distance(source: np.ndarray, target: np.ndarray, seed: int = 0) -> float:
    """2 (1 - 2 ε), with ε the error of a linear classifier of the domains in five folds, in [0, 2].

    Ben-David et al., 2010, https://doi.org/10.1007/s10994-009-5152-4.

    Args:
        source: Features (n, d).
        target: Features (m, d).
        seed: Shuffles the folds.
    """
    order = np.random.default_rng(seed).permutation(len(source) + len(target))
    x = np.concatenate([source, target])[order]
    y = np.repeat([0, 1], [len(source), len(target)])[order]
    predicted = cross_val_predict(LogisticRegression(class_weight="balanced", max_iter=1000), x, y, cv=5)
    error = 0.5 * sum(float((predicted[y == side] != side).mean()) for side in (0, 1))
    return float(np.clip(2.0 * (1.0 - 2.0 * error), 0.0, 2.0))


def mmd(source: np.ndarray, target: np.ndarray) -> float:
    """Squared maximum mean discrepancy by a Gaussian kernel of the median width, without bias.

    Gretton et al., 2012, A kernel two-sample test, JMLR 13.

    Args:
        source: Features (n, d).
        target: Features (m, d).
    """
    together = np.concatenate([source, target])
    distances = cdist(together, together, "sqeuclidean")
    kernel = np.exp(-distances / (np.median(distances) + 1e-12))
    n, m = len(source), len(target)
    within = [(part.sum() - len(part)) / (len(part) * (len(part) - 1)) for part in (kernel[:n, :n], kernel[n:, n:])]
    return float(sum(within) - 2.0 * kernel[:n, n:].sum() / (n * m))


def class_ratios(source: np.ndarray, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Class frequencies target / source, from predictions alone (BBSE; Lipton et al., 2018, arXiv:1802.03916).

    Args:
        source: Probabilities (n, classes) of held-out source images.
        labels: Their labels, int (n,).
        target: Probabilities (m, classes) of target images.

    Returns:
        float64 (classes,), at least 0.
    """
    classes = source.shape[1]
    joint = np.zeros((classes, classes))
    np.add.at(joint, (source.argmax(1), labels), 1.0 / len(labels))
    frequencies = np.bincount(target.argmax(1), minlength=classes) / len(target)
    return np.maximum(np.linalg.lstsq(joint, frequencies, rcond=1e-3)[0], 0.0)
