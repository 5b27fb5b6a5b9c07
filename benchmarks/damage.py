"""Known damage to real pictures: what a generator might do wrong, one thing at a time."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

Pictures = tuple[np.ndarray, np.ndarray]  # uint8 (n, side, side, channels), and labels int (n,)
Damage = Callable[[Pictures, Pictures, np.random.Generator], Pictures]  # of pictures; training pictures are at hand


def _copied(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    drawn = rng.integers(0, len(train[0]), len(pictures[0]))
    return train[0][drawn], train[1][drawn]


def _repeated(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    drawn = np.resize(rng.permutation(len(pictures[0]))[: max(2, len(pictures[0]) // 10)], len(pictures[0]))
    return pictures[0][drawn], pictures[1][drawn]


def _without_a_class(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    kept = np.resize(np.flatnonzero(pictures[1] != rng.choice(np.unique(pictures[1]))), len(pictures[0]))
    return pictures[0][kept], pictures[1][kept]


def _blurred(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    return gaussian_filter(pictures[0], (0, 0.7, 0.7, 0)), pictures[1]


def _noisy(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    return np.clip(pictures[0] + rng.normal(0, 15, pictures[0].shape), 0, 255).astype(np.uint8), pictures[1]


def _blended(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    order = np.argsort(pictures[1], kind="stable")
    images = pictures[0][order].astype(float)
    return ((images + np.roll(images, 1, axis=0)) / 2).astype(np.uint8), pictures[1][order]


def _mislabelled(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    labels = pictures[1].copy()
    wrong = rng.permutation(len(labels))[: len(labels) // 5]
    labels[wrong] = (labels[wrong] + 1) % (labels.max() + 1)
    return pictures[0], labels


def hue_shifted(images: np.ndarray, turn: float) -> np.ndarray:
    """Colours turned around the gray axis: uint8 (n, side, side, 3), by a share of the whole circle."""
    angle = 2 * np.pi * turn
    cosine, along = np.cos(angle), (1 - np.cos(angle)) / 3
    across = np.sin(angle) / 3**0.5
    matrix = np.array([
        [cosine + along, along - across, along + across],
        [along + across, cosine + along, along - across],
        [along - across, along + across, cosine + along],
    ])  # fmt: skip
    return np.clip(images @ matrix.T, 0, 255).astype(np.uint8)


def _of_other_colours(pictures: Pictures, train: Pictures, rng: np.random.Generator) -> Pictures:
    return hue_shifted(pictures[0], 1 / 6) if pictures[0].shape[-1] == 3 else pictures[0], pictures[1]


OF_COLOUR = "hue shifted by 60°"
DAMAGE: dict[str, Damage] = {
    "one class of ten missing": _without_a_class,
    "a tenth of the pictures, ten times": _repeated,
    "copies of the 100 training pictures": _copied,
    "blur (0.7 pixels)": _blurred,
    "noise (15 of 255)": _noisy,
    "means of two of one class": _blended,
    "a fifth of the labels wrong": _mislabelled,
    OF_COLOUR: _of_other_colours,
}
