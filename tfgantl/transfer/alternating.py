"""The five-step flow: freeze the generator, train the discriminator, unfreeze a part of the generator, repeat."""

from dataclasses import dataclass

from tfgantl.errors import ConfigError
from tfgantl.training.stages import Stage
from tfgantl.transfer.finetune import FineTune


@dataclass(frozen=True)
class Alternating(FineTune):
    """Alternates between training the discriminator alone and training both.

    (1) Take a source generator and discriminator; (2) move them to the target and freeze the generator; (3) train the
    discriminator to tell target images from generated ones; (4) unfreeze the chosen part of the generator and
    fine-tune it while the discriminator trains; (5) repeat 3 and 4 until the discriminator, after a stage of its own,
    can no longer tell validation images from generated ones, or the validation cKID has stopped to improve. The best
    state by validation is kept.

    Args:
        rounds: Largest number of repetitions of (3) and (4).
        discriminator_share: Share of each round's steps that goes to (3).
        freeze_generator: Patterns of generator layers that stay frozen in (4), such as `block0_.*`.
        tolerance: Balanced is when the accuracy of the discriminator lies within this of one half.
        patience: Rounds without a better validation cKID after which to stop.
    """

    rounds: int = 8
    discriminator_share: float = 0.2
    freeze_generator: tuple[str, ...] = ()
    tolerance: float = 0.05
    patience: int = 3

    def __post_init__(self):
        object.__setattr__(self, "freeze_generator", tuple(self.freeze_generator))
        if not 0 < self.discriminator_share < 1:
            raise ConfigError(f"`discriminator_share` must be in (0, 1). Received: {self.discriminator_share}")
        if self.rounds < 1:
            raise ConfigError(f"`rounds` must be at least 1. Received: {self.rounds}")

    def schedule(self, steps):
        best, stale, taken = float("inf"), 0, 0
        for number in range(1, self.rounds + 1):
            share = steps * number // self.rounds - taken
            alone = max(1, round(share * self.discriminator_share))
            outcome = yield Stage(f"{number} train D", alone, freeze_generator=(".*",))
            if abs(outcome.balance - 0.5) <= self.tolerance and number > 1:
                return
            outcome = yield Stage(f"{number} train both", max(1, share - alone), self.freeze_generator)
            taken += share
            stale = 0 if outcome.best_ckid < best else stale + 1
            best = outcome.best_ckid
            if stale >= self.patience:
                return
