"""The Inception score: how sure the network is of each picture, and how many things it sees in all."""

import numpy as np
from scipy.special import log_softmax


def inception_score(logits: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """Exponential of the mean divergence of the classes of a picture from those of all.

    Args:
        logits: float (n, classes), of generated pictures in random order.
        splits: Parts of about the same size that are scored by themselves; no more than there are pictures.

    Returns:
        Mean over the parts, from 1 (each picture looks like all others) to the number of classes, and the standard
        deviation. Real pictures are not looked at: copies of the training pictures score highest.

    Example:
        >>> sure = 50 * np.eye(4)
        >>> round(inception_score(sure, splits=1)[0], 3), inception_score(sure[[0, 0]], splits=1)[0]
        (4.0, 1.0)

    Reference:
        Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """
    logits = np.asarray(logits, np.float64)
    parts, count = min(splits, len(logits)), len(logits)
    scores = []
    for i in range(parts):
        log_p = log_softmax(logits[i * count // parts : (i + 1) * count // parts], axis=1)
        p = np.exp(log_p)
        log_mean = np.log(p.mean(0))
        scores.append(np.exp(np.sum(p * (log_p - log_mean), axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))
