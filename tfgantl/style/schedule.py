"""Which styles each crop of a training is painted in: one, in turn, or a mix of two."""

import numpy as np

from tfgantl.random_streams import Stream

LEAST = 0.3  # share of either style of a mix


class StyleSchedule:
    """Shares of the styles for the crops of every step, which depend on the seed and the number of the step alone.

    A network that has painted in single styles only makes of a mix what happens to lie between their rows, which is
    often like neither.

    Args:
        styles: Number of styles.
        steps: Of the training.
        batch_size: Crops a step.
        mixed: Share of the crops that are painted in a mix of two styles.
        seed: Chooses these, and their partners.

    Example:
        >>> StyleSchedule(3, steps=2, batch_size=2, mixed=0.0, seed=0)(1).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, styles: int, steps: int, batch_size: int, mixed: float, seed: int) -> None:
        rng, shape = Stream.STYLE_MIXES.generator(seed), (steps, batch_size)
        self._rows, self._batch_size = np.eye(styles, dtype=np.float32), batch_size
        self._partners = rng.integers(1, max(2, styles), shape)
        chosen = rng.random(shape) < (mixed if styles > 1 else 0.0)
        self._shares = np.where(chosen, rng.uniform(LEAST, 1 - LEAST, shape), 0.0).astype(np.float32)

    def __call__(self, step: int) -> np.ndarray:
        """Shares float32 (batch, styles) of a step; each row sums to 1."""
        first = (step * self._batch_size + np.arange(self._batch_size)) % len(self._rows)
        second = (first + self._partners[step]) % len(self._rows)
        share = self._shares[step][:, None]
        return (1 - share) * self._rows[first] + share * self._rows[second]
