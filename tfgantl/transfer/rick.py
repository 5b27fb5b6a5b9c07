"""RICK: filters that matter are frozen, those that never do are pruned, the rest is fine-tuned."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, check_at_least, check_within
from tfgantl.models.parts import all_but_outputs, everything
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    from tfgantl.gan import GAN


@dataclass(frozen=True)
class RICK(FineTune):
    """Freezes filters that matter to the target, prunes those that never do, and fine-tunes the rest.

    Every `every` steps the filters of both networks are scored by their mean Fisher information, and ranked within
    their layer: above the share `freeze` they keep their values until the next time; the lowest share `prune` becomes
    0, once and for all. Before the first time only the last layer of the discriminator is trained. The last layers
    are left out. (The paper ranks across layers; see `AdAM`.)

    Args:
        warm_up_share: Share of the steps before the first scoring.
        every: Steps between two scorings.
        freeze: Share of each layer's filters that is not frozen.
        prune: Share of each layer's filters that is pruned, rounded down.
        samples: Generated images for the Fisher information.

    Reference:
        Zhao et al., 2023, https://arxiv.org/abs/2304.05774
    """

    cost = "the Fisher information every `every` steps"
    warm_up_share: float = 0.1
    every: int = 50
    freeze: float = 0.4
    prune: float = 0.02
    samples: int = 32

    def __post_init__(self) -> None:
        check_within(self, "(0, 1)", "warm_up_share")
        if not 0 <= self.prune <= self.freeze <= 1:
            raise ConfigError(
                f"`prune` and `freeze` must be in [0, 1], the first no larger. Received: {self.prune} and {self.freeze}"
            )
        check_at_least(self, 1, "every", "samples")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.kernel_adapters import FilterStates
        from tfgantl.penalties.fisher import Fisher

        super().prepare(gan, source)
        gan.method_state = Fisher()
        gan.g_adapters.append(FilterStates(gan.generator, outputs=False))
        gan.d_adapters.append(FilterStates(gan.discriminator, outputs=False))

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        taken = max(1, round(steps * self.warm_up_share))
        if steps <= taken:
            raise ConfigError(f"`steps` must be at least 2 for RICK. Received: {steps}")
        yield Stage("warm up", taken, everything, all_but_outputs, measured=False)
        while taken < steps:
            share = min(self.every, steps - taken)
            taken += share
            yield Stage("adapt", share, before=self.score, measured=taken == steps)

    def score(self, gan: "GAN") -> None:
        """Sets the state of every filter anew; pruned ones stay pruned."""
        import numpy as np

        from tfgantl.models.adapters.base import merge
        from tfgantl.penalties.fisher import ranks

        for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
            merge(network, adapters)  # frozen filters go on from where they were frozen
            states = adapters[0]
            kernels = [kernel.variable for kernel in states.kernels.values()]
            # Everything counts for the information, also what was frozen until now.
            for name, kernel in states.kernels.items():
                tuned, frozen, _ = states.parts[name]
                tuned.assign(tuned.numpy() + frozen.numpy())
                frozen.assign(np.zeros(kernel.filters))
            fisher = gan.method_state(gan, kernels, self.samples, gan.seed + gan.steps_taken)
            for (name, kernel), information in zip(states.kernels.items(), fisher, strict=True):
                tuned, frozen, frozen_values = states.parts[name]
                score = kernel.matrix(information).numpy().mean(1)
                rank = ranks(np.where(tuned.numpy() > 0, score, -1.0))  # what was pruned comes first
                dead = rank < int(kernel.filters * self.prune)
                freeze = ~dead & (rank >= round(kernel.filters * self.freeze))
                tuned.assign((~dead & ~freeze).astype(np.float32))
                frozen.assign(freeze.astype(np.float32))
                frozen_values.assign(kernel.matrix(kernel.variable.numpy()))
