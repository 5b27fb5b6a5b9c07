"""Methods that first ask which filters matter to the target, and treat them differently: AdAM and RICK."""

from dataclasses import dataclass

from tfgantl.errors import ConfigError
from tfgantl.training.stages import Stage
from tfgantl.transfer.finetune import FineTune
from tfgantl.transfer.low_rank import ALL_BUT_NORMS

ALL_BUT_LOGITS = "(?!logits$|label_projection$).*"


@dataclass(frozen=True)
class AdAM(FineTune):
    """Adaptation-aware kernel modulation: probes which filters matter, modulates these, and fine-tunes the others.

    (1) Probe: only the modulation W * (1 + v u^T) of every kernel is trained, and the last layer of the discriminator.
    (2) Each filter is scored by the Fisher information of its part of the modulation, v[o], plus the mean of that of
    u. (3) Filters at or above the `quantile` are only modulated from then on; those below are trained themselves.

    Args:
        probe_share: Share of the steps for the probe.
        quantile: Share of the filters of each network that is fine-tuned.
        samples: Generated images for the Fisher information.

    Reference:
        Zhao et al., 2022, https://arxiv.org/abs/2210.16559
    """

    cost = "one outer product a kernel, and the Fisher information once"
    probe_share: float = 0.25
    quantile: float = 0.5
    samples: int = 128

    def __post_init__(self):
        if not 0 < self.probe_share < 1:
            raise ConfigError(f"`probe_share` must be in (0, 1). Received: {self.probe_share}")
        if not 0 <= self.quantile <= 1:
            raise ConfigError(f"`quantile` must be in [0, 1]. Received: {self.quantile}")
        if self.samples < 1:
            raise ConfigError(f"`samples` must be at least 1. Received: {self.samples}")

    def prepare(self, gan, source):
        from tfgantl.transfer.fisher import Fisher
        from tfgantl.transfer.kernel_adapters import Modulation

        super().prepare(gan, source)
        gan.memory = Fisher()
        gan.g_adapters.append(Modulation(gan.generator, gan.seed))
        gan.d_adapters.append(Modulation(gan.discriminator, gan.seed + 1, but=("logits",)))

    def schedule(self, steps):
        probing = max(1, round(steps * self.probe_share))
        if steps <= probing:
            raise ConfigError(f"`steps` must be at least 2 for AdAM. Received: {steps}")
        yield Stage("probe", probing, (ALL_BUT_NORMS,), (ALL_BUT_LOGITS,))
        yield Stage("adapt", steps - probing, before=self.choose)

    def choose(self, gan) -> None:
        """Chooses the filters to modulate; the modulation of the others starts, and stays, at nothing."""
        import numpy as np

        for adapters in (gan.g_adapters, gan.d_adapters):
            adapter = adapters[0]
            parts = [adapter.parts[kernel.path] for kernel in adapter.kernels]
            variables = [part for u, v, _ in parts for part in (u, v)]
            fisher = gan.memory(gan, variables, self.samples, gan.seed + 3)
            scores = [f_v + f_u.mean() for f_u, f_v in zip(fisher[::2], fisher[1::2], strict=True)]
            threshold = np.quantile(np.concatenate(scores), self.quantile)
            for (_, v, chosen), score in zip(parts, scores, strict=True):
                modulated = (score >= threshold).astype(np.float32)
                chosen.assign(modulated)
                v.assign(v.numpy() * modulated)


@dataclass(frozen=True)
class RICK(FineTune):
    """Freezes filters that matter to the target, prunes those that never do, and fine-tunes the rest.

    Every `every` steps the filters of both networks are scored by their mean Fisher information: those above the
    `freeze` quantile keep their values until the next time, those at or below the `prune` quantile become 0 and stay
    so. Before the first time only the last layer of the discriminator is trained.

    Args:
        warm_up_share: Share of the steps before the first scoring.
        every: Steps between two scorings.
        freeze: Share of the filters of each network below which none is frozen.
        prune: Share of the filters that is pruned. The paper's settings, about 0.001 of thousands of filters, would
            prune none of the few hundred of a small network.
        samples: Generated images for the Fisher information.

    Reference:
        Zhao et al., 2023, https://arxiv.org/abs/2304.05774
    """

    cost = "the Fisher information every `every` steps"
    warm_up_share: float = 0.1
    every: int = 50
    freeze: float = 0.4
    prune: float = 0.005
    samples: int = 32

    def __post_init__(self):
        if not 0 < self.warm_up_share < 1:
            raise ConfigError(f"`warm_up_share` must be in (0, 1). Received: {self.warm_up_share}")
        if not 0 <= self.prune <= self.freeze <= 1:
            raise ConfigError(
                f"`prune` and `freeze` must be in [0, 1], the first no larger. Received: {self.prune} and {self.freeze}"
            )
        for name in ("every", "samples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")

    def prepare(self, gan, source):
        from tfgantl.transfer.fisher import Fisher
        from tfgantl.transfer.kernel_adapters import FilterStates

        super().prepare(gan, source)
        gan.memory = Fisher()
        gan.g_adapters.append(FilterStates(gan.generator))
        gan.d_adapters.append(FilterStates(gan.discriminator, but=("logits",)))

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
            scores = [k.matrix(f).numpy().mean(1) for k, f in zip(states.kernels, fisher, strict=True)]
            alive = [states.parts[k.path][0].numpy() > 0 for k in states.kernels]
            everything = np.concatenate([s[a] for s, a in zip(scores, alive, strict=True)])
            lowest, highest = np.quantile(everything, [self.prune, self.freeze])
            pruned_already = 1.0 - np.mean(np.concatenate(alive))
            for kernel, variable, score, living in zip(states.kernels, kernels, scores, alive, strict=True):
                tuned, frozen, kept = states.parts[kernel.path]
                dead = (score <= lowest) & (pruned_already < self.prune) & (kernel.filters > 1)
                living = living & ~dead
                freeze = living & (score > highest)
                tuned.assign((living & ~freeze).astype(np.float32))
                frozen.assign(freeze.astype(np.float32))
                kept.assign(kernel.matrix(variable.numpy()))
