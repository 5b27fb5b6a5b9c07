"""How well scores tell members from non-members: ROC-AUC and true positives at few false ones, with intervals."""

from dataclasses import dataclass

import numpy as np

FALSE_POSITIVES = 0.01
RESAMPLES = 1000


@dataclass(frozen=True)
class AttackRates:
    """What an attack achieves.

    Args:
        auc: Area under the ROC curve: how often a member has the higher score; 0.5 for guesses, 1 for certainty.
        auc_interval: Its interval, by bootstrap.
        tpr: Share of the members found where 1 % of the non-members are taken for members.
        tpr_interval: Its interval.
        pictures: Number of members, and of non-members.
        published: Whether the attack needs nothing but the generator.
    """

    auc: float
    auc_interval: tuple[float, float]
    tpr: float
    tpr_interval: tuple[float, float]
    pictures: int
    published: bool = True

    def __str__(self) -> str:
        auc, tpr = ("[{:.2f}, {:.2f}]".format(*pair) for pair in (self.auc_interval, self.tpr_interval))
        return f"AUC {self.auc:.2f} {auc}, true positives at 1 % false ones {self.tpr:.2f} {tpr}"


def attack_rates(
    members: np.ndarray, others: np.ndarray, seed: int = 0, confidence: float = 0.95, published: bool = True
) -> AttackRates:
    """Measures an attack.

    Intervals are percentiles over resampled members and non-members: they cover the choice of pictures, and not that of
    the training seed.

    Args:
        members: Scores (n,) of training pictures; higher for what the attack takes for a member.
        others: Scores (m,) of held-out pictures.
        seed: Of the resamples.
        confidence: Of the intervals.
        published: Whether the attack needs nothing but the generator.

    Returns:
        The rates. Equal scores count half for the area, and are no true positives.

    Example:
        >>> round(attack_rates(np.array([3.0, 2.0, 1.0]), np.array([0.0, 2.0, -1.0])).auc, 3)
        0.833

    References:
        Carlini et al., 2022, https://arxiv.org/abs/2112.03570 (true positives at few false ones)
    """
    rng = np.random.default_rng(seed)
    above = np.greater(members[:, None], others) + 0.5 * np.equal(members[:, None], others)
    shares = [rng.multinomial(len(x), np.full(len(x), 1 / len(x)), RESAMPLES) / len(x) for x in (members, others)]
    aucs = ((shares[0] @ above) * shares[1]).sum(1)
    tprs = [
        _true_positives(members[rng.integers(0, len(members), len(members))],
                        others[rng.integers(0, len(others), len(others))])
        for _ in range(RESAMPLES)
    ]  # fmt: skip
    return AttackRates(
        float(above.mean()), _interval(aucs, confidence), _true_positives(members, others),
        _interval(np.array(tprs), confidence), len(members), published,
    )  # fmt: skip


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    low, high = np.percentile(values, [50.0 * (1.0 - confidence), 50.0 * (1.0 + confidence)])
    return float(low), float(high)


def _true_positives(members: np.ndarray, others: np.ndarray) -> float:
    """Share of the members above all but 1 % of the others; above all of them, if these are less than a hundred."""
    allowed = int(FALSE_POSITIVES * len(others))
    return float((members > np.partition(others, len(others) - 1 - allowed)[len(others) - 1 - allowed]).mean())
