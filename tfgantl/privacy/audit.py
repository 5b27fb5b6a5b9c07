"""The level of privacy: low, elevated or high risk, by a rule, with the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.privacy.copies import Copies, find_copies
from tfgantl.privacy.membership import Pictures, alike, attacks_on
from tfgantl.privacy.rates import AttackRates
from tfgantl.privacy.spaces import spaces_for
from tfgantl.random_streams import Stream

if TYPE_CHECKING:
    import keras

    from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.remembered import remembering

ENOUGH = 20  # pictures of either kind, for any level
MOST = 2000  # generated pictures that may be copies, and held-out ones
MOST_MEMBERS = 100  # members, and non-members: the recovery of their latents takes most of the time
HIGH_SHARE = 0.05  # of copies
HIGH_AUC = 0.6
HIGH_TPR = 0.1
RULE = (
    f"high: more copies than by chance and than {HIGH_SHARE:.0%}, or an attack on the generator whose interval lies "
    f"above an AUC of {HIGH_AUC} or above {HIGH_TPR:.0%} true positives at 1 % false ones; elevated: more copies than "
    "by chance, or an attack on the generator whose interval lies above an AUC of 0.5; low: neither; unknown: neither, "
    f"in a sample of the training pictures in which {HIGH_SHARE:.0%} of copies would look like chance"
)


@dataclass(frozen=True)
class Audit:
    """What a generator gives away of its training pictures.

    Args:
        level: low, elevated or high; unknown where it cannot be measured.
        reason: What the level follows from, in words.
        copies: Copies among the generated pictures, if they were looked for.
        attacks: Name of an attack → what it achieves.
    """

    level: str
    reason: str
    copies: Copies | None = None
    attacks: dict[str, AttackRates] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"privacy risk {self.level}: {self.reason}"

    def record(self) -> dict[str, Any]:
        """What JSON, logs and model cards keep."""
        copies = (
            {k: v for k, v in asdict(self.copies).items() if k not in ("worst", "twins") and v is not None}
            if self.copies
            else None
        )
        attacks = {name: asdict(rates) for name, rates in self.attacks.items()}
        return {"level": self.level, "reason": self.reason, "rule": RULE, "copies": copies, "attacks": attacks}

    def rows(self) -> list[tuple[str, str]]:
        """Rows of a table."""
        rows = [("level", str(self)), ("rule", RULE)]
        if self.copies is not None:
            spaces = ", ".join(f"{name} {share:.2%}" for name, share in self.copies.by_space.items())
            rows += [("copies", str(self.copies).removeprefix("copies: ")), ("by space", spaces)]
        for name, rates in self.attacks.items():
            needs = "" if rates.published else "; only where the discriminator is published, too: do not"
            rows.append((f"attack: {name}", f"{rates}, {rates.pictures} members and as many non-members{needs}"))
        return rows


def audit_privacy(
    generated: np.ndarray,
    train: Pictures,
    held_out: Pictures,
    extractor: Extractor,
    generator: keras.Model | None = None,
    discriminator: Callable[[np.ndarray, np.ndarray | None], np.ndarray] | None = None,
    seed: int = 0,
    of: int | None = None,
) -> Audit:
    """Looks for copies, runs the attacks, and judges.

    Args:
        generated: uint8 (n, side, side, channels), a thousand or more.
        train: Pictures that training saw, and their labels or `None`.
        held_out: Pictures of the same kind that neither training nor the choice of a checkpoint saw.
        extractor: Features for one of the spaces.
        generator: Latents, or [latents, labels] → images; `None` to leave the recovery of latents out.
        discriminator: Images in [-1, 1] and labels → logits, as `GAN.score`; `None` if it is not at hand.
        seed: Chooses members, starts and resamples.
        of: Number of training pictures, where `train` is a sample of them.

    Returns:
        The audit; of `unknown` level for less than 20 training or held-out pictures, and where a sample is so small a
        part of the training pictures that a generator with many copies would seem to have none.

    Example:
        >>> from tfgantl.metrics.extractors import Extractor
        >>> train, held_out = (HandwrittenDigits().load(split).take() for split in ("train", "test"))
        >>> audit_privacy(np.repeat(train[0], 5, axis=0), train, held_out, Extractor.load("digits")).level
        'high'
    """
    members, others = alike(train, held_out, MOST_MEMBERS, seed)
    fewest = min(len(members[0]), len(held_out[0]))
    if fewest < ENOUGH:
        return Audit(
            "unknown", f"it takes at least {ENOUGH} training and {ENOUGH} held-out pictures of the same classes, and "
            f"there are {fewest}"
        )  # fmt: skip
    spaces = spaces_for(remembering(extractor))
    # Among all training pictures, as those of a class may lie behind each other.
    compared = Stream.MEMBERS.generator(seed).permutation(len(held_out[0]))[:MOST]
    copies = find_copies(generated[:MOST], train[0], held_out[0][np.sort(compared)], spaces, of)
    attacks = attacks_on(members, others, generated, spaces, generator, discriminator, seed)
    return judged(copies, attacks)


def judged(copies: Copies, attacks: dict[str, AttackRates]) -> Audit:
    """Applies the rule. Attacks that need the discriminator do not count, since it is not published."""
    counted = {name: rates for name, rates in attacks.items() if rates.published}
    strong = [
        name for name, rates in counted.items()
        if rates.auc_interval[0] > HIGH_AUC or rates.tpr_interval[0] > HIGH_TPR
    ]  # fmt: skip
    seen = [name for name, rates in counted.items() if rates.auc_interval[0] > 0.5]
    high = strong or (copies.found and copies.share > HIGH_SHARE)
    level = "high" if high else "elevated" if seen or copies.found else "low"
    if level == "low" and copies.of and HIGH_SHARE * copies.sampled <= copies.chance:
        level = "unknown"  # that many copies, seen through this sample, would look like chance
    best = max(counted, key=lambda name: counted[name].auc_interval[0])
    reason = f"{copies}; best attack on the generator: {best}, {counted[best]}"
    return Audit(level, reason, copies, attacks)
