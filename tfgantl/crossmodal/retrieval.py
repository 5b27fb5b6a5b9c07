"""Retrieval: how often what belongs together is found, from texts to pictures and from pictures to texts."""

from collections.abc import Sequence

import numpy as np

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.encoders import TextImageEncoders

RANKS = (1, 5, 10)


def recall_at(similarity: np.ndarray, relevant: np.ndarray, ranks: Sequence[int] = RANKS) -> dict[int, float]:
    """Share of queries with something relevant among the first k found.

    Args:
        similarity: float (queries, candidates).
        relevant: bool (queries, candidates): what counts as found. Pictures with equal captions are all relevant to
            that caption. Queries that nothing is relevant to are left out.
        ranks: The numbers k.

    Returns:
        k → recall in [0, 1]. Among equal similarities, the least lucky order counts.

    Example:
        >>> recall_at(np.array([[0.9, 0.1], [0.8, 0.3]]), np.eye(2, dtype=bool), ranks=(1, 2))
        {1: 0.5, 2: 1.0}
    """
    asked = relevant.any(1)
    similarity, relevant = similarity[asked], relevant[asked]
    best = np.where(relevant, similarity, -np.inf).max(1, keepdims=True)
    ahead = ((similarity >= best) & ~relevant).sum(1)
    return {k: float((ahead < k).mean()) for k in ranks}


def chance_at(relevant: np.ndarray, ranks: Sequence[int] = RANKS) -> dict[int, float]:
    """What `recall_at` would be of candidates in random order: 1 - C(n - m, k) / C(n, k) for m relevant ones of n.

    Example:
        >>> chance_at(np.eye(4, dtype=bool), ranks=(1, 2))
        {1: 0.25, 2: 0.5}
    """
    relevant = relevant[relevant.any(1)]
    n, m = relevant.shape[1], relevant.sum(1)
    found = {}
    for k in ranks:
        drawn = np.arange(min(k, n))
        missed = np.clip(n - m[:, None] - drawn, 0, None) / (n - drawn)
        found[k] = float((1 - missed.prod(1)).mean())
    return found


def measure_retrieval(
    encoders: TextImageEncoders, images: np.ndarray, captions: Captions, ranks: Sequence[int] = RANKS
) -> dict[str, dict[int, float]]:
    """Retrieval on held-out pictures, both ways.

    Every caption is asked for once, among all pictures, and every picture, among all captions. Whatever a caption is
    true of counts as found, so that pictures with equal captions are no rivals.

    Args:
        encoders: Trained on others.
        images: uint8 (n, height, width, channels).
        captions: Of these.
        ranks: Numbers of what is found that count.

    Returns:
        `text → picture`, `picture → text`, and what chance would give of each: rank → recall.
    """
    used = np.unique([phrase for ids in captions.of_pictures for phrase in ids])
    vectors = encoders.embed_texts([captions.phrases[i] for i in used], check=False)
    similarity = encoders.embed_images(images) @ vectors.T
    relevant = captions.true_of(np.arange(len(images)), used)
    return {
        "text → picture": recall_at(similarity.T, relevant.T, ranks),
        "by chance, text → picture": chance_at(relevant.T, ranks),
        "picture → text": recall_at(similarity, relevant, ranks),
        "by chance, picture → text": chance_at(relevant, ranks),
    }
