"""The five-step flow: freeze the generator, train the discriminator, unfreeze a part of the generator, repeat."""

from collections.abc import Generator
from dataclasses import dataclass

from tfgantl.errors import ConfigError, check_at_least, check_within
from tfgantl.models.parts import everything
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune


@dataclass(frozen=True)
class Alternating(FineTune):
    """Alternates between training the discriminator alone and training both.

    (1) Take a source generator and discriminator; (2) move them to the target and freeze the generator; (3) train the
    discriminator to tell target images from generated ones; (4) unfreeze the chosen part of the generator and
    fine-tune it while the discriminator trains; (5) repeat 3 and 4 until the discriminator, after a stage of its own,
    can no longer tell validation images from generated ones, or the validation cKID has stopped to improve. The best
    state by validation is restored at the end.

    Args:
        rounds: Largest number of repetitions of (3) and (4).
        discriminator_share: Share of each round's steps that goes to (3).
        freeze_generator: Patterns of generator layers that stay frozen in (4), such as `block0_.*`.
        tolerance: Balanced is when the accuracy of the discriminator, on real images and on generated ones, lies
            within this of one half.
        patience: Rounds without a better validation cKID after which to stop.
    """

    rounds: int = 8
    discriminator_share: float = 0.2
    freeze_generator: tuple[str, ...] = ()
    tolerance: float = 0.1
    patience: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "freeze_generator", tuple(self.freeze_generator))
        check_within(self, "(0, 1)", "discriminator_share")
        check_at_least(self, 1, "rounds", "patience")
        check_within(self, "[0, 0.5]", "tolerance")

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        rounds = min(self.rounds, steps // 2)  # each needs a step of either kind
        if not rounds:
            raise ConfigError(f"`steps` must be at least 2 to alternate. Received: {steps}")
        best, stale, taken = float("inf"), 0, 0
        for number in range(1, rounds + 1):
            share = steps * number // rounds - taken
            taken += share
            alone = min(max(1, round(share * self.discriminator_share)), share - 1)
            outcome = yield Stage(f"{number} train D", alone, freeze_generator=everything)
            # Before the generator was trained at all, a D that cannot tell has only not learnt it yet.
            if number > 1 and max(abs(outcome.d_real - 0.5), abs(outcome.d_fake - 0.5)) <= self.tolerance:
                return
            outcome = yield Stage(f"{number} train both", share - alone, self.freeze_generator)
            stale = 0 if outcome.best_ckid < best else stale + 1
            best = outcome.best_ckid
            if stale >= self.patience:
                return
