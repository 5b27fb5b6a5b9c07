"""Copies: generated pictures nearer to a training picture than held-out pictures are.

Distances are relative: that to the nearest training picture, over that to the nearest held-out picture. A blurred or
simple picture is near to all others in any space, and no copy for it; only one that is much nearer to a training
picture than to pictures of the same kind is. Held-out pictures say how small this ratio becomes by chance; where they
are many, one in 500 of them is spared, as data often hold a picture twice, and one pair would hide all copies.

References:
    Carlini et al., 2023, https://arxiv.org/abs/2301.13188 (distances relative to those of other pictures);
    Somepalli et al., 2023, https://arxiv.org/abs/2212.03860
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import betabinom

from tfgantl.privacy.spaces import Space, nearest_in

WORST = 20  # generated pictures that are shown
RISK = 0.05  # of a generator that never saw the training pictures, to be above `chance` in any space
SPARED = 500  # held-out pictures of which one may be nearer than a copy
SMALLEST = 1e-6  # distance, of one that is in a denominator


@dataclass(frozen=True)
class Copies:
    """How many generated pictures are copies.

    Args:
        share: Of the generated pictures, that are copies in any of the spaces. Where only some of the training pictures
            were looked at, and there are more copies than by chance, what is above chance counts for the others, too.
        chance: What a generator that never saw the training pictures does not exceed in any space, in 95 % of all
            cases; it follows from the numbers of pictures and of spaces alone.
        by_space: Space → share of copies in it.
        copied: Number of training pictures with a copy.
        generated: Number of generated pictures.
        train: Number of training pictures that were looked at.
        held_out: Number of held-out pictures.
        worst: Indices of up to twenty generated pictures, no two with the same twin, the worst first.
        twins: Index of the training picture that each of them is nearest to.
        of: Number of training pictures that there are, if not all were looked at.
    """

    share: float
    chance: float
    by_space: dict[str, float]
    copied: int
    generated: int
    train: int
    held_out: int
    worst: np.ndarray
    twins: np.ndarray
    of: int | None = None

    @property
    def sampled(self) -> float:
        """Share of the training pictures that were looked at."""
        return self.train / self.of if self.of else 1.0

    @property
    def found(self) -> bool:
        """Whether there are more of them than by chance, in any space."""
        return max(self.by_space.values()) > self.chance

    def __str__(self) -> str:
        sample = f", a sample of {self.of}," if self.of else ""
        return (
            f"copies: {self.share:.2%} of {self.generated} generated pictures, of {self.copied} of {self.train} "
            f"training pictures{sample} (by chance up to {self.chance:.2%} in a space, with {self.held_out} "
            "held-out pictures)"
        )


def find_copies(
    generated: np.ndarray, train: np.ndarray, held_out: np.ndarray, spaces: Sequence[Space], of: int | None = None
) -> Copies:
    """Looks for copies of training pictures.

    A generated picture is a copy in a space if its distance to the nearest training picture, over that to the nearest
    held-out picture, is smaller than for every held-out picture, but for one in 500; the other held-out pictures take
    the place of the held-out ones there.

    Args:
        generated: uint8 (n, side, side, channels).
        train: The same of training pictures, at least one.
        held_out: The same of pictures of the same kind that training did not see, at least two.
        spaces: Where to look.
        of: Number of training pictures, where `train` is a sample of them.

    Example:
        >>> from tfgantl.privacy.spaces import AlignedSpace
        >>> digits = HandwrittenDigits(shots=10)
        >>> train, held_out = (digits.load(split).take()[0] for split in ("train", "test"))
        >>> shifted = np.roll(train[:50], 1, axis=2)
        >>> find_copies(shifted, train, held_out, [AlignedSpace()]).share > 0.9
        True
    """
    nearness = np.empty((len(spaces), len(generated)))
    twins = np.empty((len(spaces), len(generated)), int)
    spared = len(held_out) // SPARED
    for i, space in enumerate(spaces):
        to_train, twins[i] = nearest_in(space, generated, train)
        ratios = to_train / np.maximum(nearest_in(space, generated, held_out)[0], SMALLEST)
        others = nearest_in(space, held_out, held_out, others=True)[0]
        usual = nearest_in(space, held_out, train)[0] / np.maximum(others, SMALLEST)
        nearness[i] = ratios / max(float(np.partition(usual, spared)[spared]), SMALLEST)  # below 1 for copies
    is_copy = nearness < 1.0
    rows, space_of = np.arange(len(generated)), nearness.argmin(0)
    twin, score = twins[space_of, rows], nearness.min(0)
    order = np.argsort(score, kind="stable")
    first = np.sort(np.unique(twin[order], return_index=True)[1])[:WORST]  # the nearest picture to each twin
    by_space = {space.name: float(row.mean()) for space, row in zip(spaces, is_copy, strict=True)}
    # Of pictures that are distributed as the held-out ones, the number below the k-th of these is beta-binomial.
    chance = float(
        betabinom.ppf(1.0 - RISK / len(spaces), len(generated), spared + 1, len(held_out) - spared) / len(generated)
    )
    more = max(1.0, (of or 0) / len(train))
    excess = max(0.0, max(by_space.values()) - chance)  # that each part of the training pictures would have as well
    return Copies(
        share=min(1.0, float(is_copy.any(0).mean()) + (more - 1.0) * excess),
        chance=chance,
        by_space=by_space,
        copied=len(np.unique(twins[is_copy])),
        generated=len(generated),
        train=len(train),
        held_out=len(held_out),
        worst=order[first],
        twins=twin[order[first]],
        of=of if more > 1.0 else None,
    )
