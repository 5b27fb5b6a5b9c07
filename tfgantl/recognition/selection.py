"""Selection of states and methods without labels of the target: scores of which more is better."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from tfgantl.models.inference import predict_pixels

if TYPE_CHECKING:
    from tfgantl.recognition.domain_classifier import DomainClassifier


SELECTIONS = ("source_val", "im", "snd", "oracle", "last")


def information(probabilities: np.ndarray) -> float:
    """Mutual information of images and predictions: the entropy of the mean, less the mean entropy, in nats.

    Args:
        probabilities: float (n, classes).
    """

    def entropy(p: np.ndarray) -> np.ndarray:
        return -np.sum(p * np.log(p + 1e-12), -1)

    return float(entropy(probabilities.mean(0)) - entropy(probabilities).mean())


def soft_neighbourhood_density(probabilities: np.ndarray, temperature: float = 0.05) -> float:
    """Mean entropy of the softmax over similarities to the others: high where predictions form dense groups.

    Saito et al., 2021, https://arxiv.org/abs/2108.10860.

    Args:
        probabilities: float (n, classes).
        temperature: What similarities are divided by.
    """
    unit = probabilities / np.linalg.norm(probabilities, axis=1, keepdims=True)
    similarities = unit @ unit.T / temperature
    np.fill_diagonal(similarities, -np.inf)
    weights = np.exp(similarities - similarities.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    return float(-np.sum(weights * np.log(weights + 1e-12), 1).mean())


def probabilities(model: "DomainClassifier", images: np.ndarray) -> np.ndarray:
    """Float32 (n, classes) of uint8 images."""
    return softmax(predict_pixels(model.classifier, images), axis=1)


def unit_features(model: "DomainClassifier", images: np.ndarray) -> np.ndarray:
    """Float32 (n, d) features of uint8 images, each divided by its length."""
    return unit(predict_pixels(model.features, images))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d), each divided by its length."""
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12)
