"""Methods that first ask which filters matter to the target, and treat them differently: AdAM and RICK."""

from dataclasses import dataclass

from tfgantl.errors import ConfigError, check_above, check_at_least, check_within
from tfgantl.training.stages import Stage
from tfgantl.transfer.finetune import FineTune
from tfgantl.transfer.low_rank import ALL_BUT_NORMS

ALL_BUT_LOGITS = "(?!logits$|label_projection$).*"
LAST = ("to_images_conv", "to_images_dense", "logits")


@dataclass(frozen=True)
class AdAM(FineTune):
    """Adaptation-aware kernel modulation: probes which filters matter, modulates these, and fine-tunes the others.

    (1) Probe: only the modulation W * (1 + v u^T) of every kernel is trained, and the last layer of the discriminator.
    (2) Each filter is scored by the Fisher information of its part of the modulation, v[o], plus the mean of that of
    u. (3) The share `quantile` of each layer's filters with the lowest scores is trained from then on, the others are
    only modulated. The last layers are left out of it. (The paper compares filters across layers; a DCGAN has most
    of its filters in the dense layer, which would decide alone.)

    Args:
        probe_share: Share of the steps for the probe.
        quantile: Share of the filters of each layer that is fine-tuned.
        samples: Generated images for the Fisher information.
        rate: Factor on the learning rate of the generator.

    Reference:
        Zhao et al., 2022, https://arxiv.org/abs/2210.16559
    """

    cost = "one outer product a kernel, and the Fisher information once"
    probe_share: float = 0.25
    quantile: float = 0.5
    samples: int = 128
    rate: float = 10.0

    def __post_init__(self):
        check_above(self, 0, "rate")
        check_within(self, "(0, 1)", "probe_share")
        check_within(self, "[0, 1]", "quantile")
        check_at_least(self, 1, "samples")

    def prepare(self, gan, source):
        from tfgantl.transfer.fisher import Fisher
        from tfgantl.transfer.kernel_adapters import Modulation

        super().prepare(gan, source)
        gan.memory = Fisher()
        gan.g_adapters.append(Modulation(gan.generator, gan.seed, but=LAST))
        gan.d_adapters.append(Modulation(gan.discriminator, gan.seed + 1, but=LAST))

    def schedule(self, steps):
        probing = max(1, round(steps * self.probe_share))
        if steps <= probing:
            raise ConfigError(f"`steps` must be at least 2 for AdAM. Received: {steps}")
        yield Stage("probe", probing, (ALL_BUT_NORMS,), (ALL_BUT_LOGITS,))
        yield Stage("adapt", steps - probing, before=self.choose)

    def choose(self, gan) -> None:
        """Chooses the filters to modulate; the others are themselves again."""
        import numpy as np

        for adapters in (gan.g_adapters, gan.d_adapters):
            adapter = adapters[0]
            parts = [adapter.parts[kernel.path] for kernel in adapter.kernels]
            variables = [part for u, v, _ in parts for part in (u, v)]
            fisher = gan.memory(gan, variables, self.samples, gan.seed + 3)
            scores = [f_v + f_u.mean() for f_u, f_v in zip(fisher[::2], fisher[1::2], strict=True)]
            for (_, _, chosen), score in zip(parts, scores, strict=True):
                chosen.assign((ranks(score) >= round(len(score) * self.quantile)).astype(np.float32))


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

    def __post_init__(self):
        check_within(self, "(0, 1)", "warm_up_share")
        if not 0 <= self.prune <= self.freeze <= 1:
            raise ConfigError(
                f"`prune` and `freeze` must be in [0, 1], the first no larger. Received: {self.prune} and {self.freeze}"
            )
        check_at_least(self, 1, "every", "samples")

    def prepare(self, gan, source):
        from tfgantl.transfer.fisher import Fisher
        from tfgantl.transfer.kernel_adapters import FilterStates

        super().prepare(gan, source)
        gan.memory = Fisher()
        gan.g_adapters.append(FilterStates(gan.generator, but=LAST))
        gan.d_adapters.append(FilterStates(gan.discriminator, but=LAST))

    def schedule(self, steps):
        taken = max(1, round(steps * self.warm_up_share))
        if steps <= taken:
            raise ConfigError(f"`steps` must be at least 2 for RICK. Received: {steps}")
        yield Stage("warm up", taken, (".*",), (ALL_BUT_LOGITS,), measured=False)
        while taken < steps:
            share = min(self.every, steps - taken)
            taken += share
            yield Stage("adapt", share, before=self.score, measured=taken == steps)

    def score(self, gan) -> None:
        """Sets the state of every filter anew; pruned ones stay pruned."""
        import numpy as np

        from tfgantl.models.adapters import merge

        for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
            merge(network, adapters)  # frozen filters go on from where they were frozen
            states, variables = adapters[0], {v.path: v for v in network.variables}
            kernels = [variables[kernel.path] for kernel in states.kernels]
            # Everything counts for the information, also what was frozen until now.
            for kernel in states.kernels:
                tuned, frozen, _ = states.parts[kernel.path]
                tuned.assign(tuned.numpy() + frozen.numpy())
                frozen.assign(np.zeros(kernel.filters))
            fisher = gan.memory(gan, kernels, self.samples, gan.seed + int(gan.step))
            for kernel, variable, information in zip(states.kernels, kernels, fisher, strict=True):
                tuned, frozen, kept = states.parts[kernel.path]
                score = kernel.matrix(information).numpy().mean(1)
                rank = ranks(np.where(tuned.numpy() > 0, score, -1.0))  # what was pruned comes first
                dead = rank < int(kernel.filters * self.prune)
                freeze = ~dead & (rank >= round(kernel.filters * self.freeze))
                tuned.assign((~dead & ~freeze).astype(np.float32))
                frozen.assign(freeze.astype(np.float32))
                kept.assign(kernel.matrix(variable.numpy()))


def ranks(scores):
    """Position of each score in ascending order, int (n,)."""
    import numpy as np

    return np.argsort(np.argsort(scores, kind="stable"), kind="stable")
