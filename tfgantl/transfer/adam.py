"""Adaptation-aware kernel modulation: filters that matter are modulated, the others fine-tuned."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, check_above, check_at_least, check_within
from tfgantl.models.parts import all_but_norms, all_but_outputs
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    from tfgantl.gan import GAN


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
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Zhao et al., 2022, https://arxiv.org/abs/2210.16559
    """

    cost = "one outer product a kernel, and the Fisher information once"
    probe_share: float = 0.25
    quantile: float = 0.5
    samples: int = 128
    g_lr_multiplier: float = 10.0

    def __post_init__(self) -> None:
        check_above(self, 0, "g_lr_multiplier")
        check_within(self, "(0, 1)", "probe_share")
        check_within(self, "[0, 1]", "quantile")
        check_at_least(self, 1, "samples")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.kernel_adapters import Modulation
        from tfgantl.penalties.fisher import Fisher

        super().prepare(gan, source)
        gan.method_state = Fisher()
        gan.g_adapters.append(Modulation(gan.generator, gan.seed, outputs=False))
        gan.d_adapters.append(Modulation(gan.discriminator, gan.seed + 1, outputs=False))

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        probing = max(1, round(steps * self.probe_share))
        if steps <= probing:
            raise ConfigError(f"`steps` must be at least 2 for AdAM. Received: {steps}")
        yield Stage("probe", probing, all_but_norms, all_but_outputs)
        yield Stage("adapt", steps - probing, before=self.choose)

    def choose(self, gan: "GAN") -> None:
        """Chooses the filters to modulate; the others are themselves again."""
        import numpy as np

        from tfgantl.penalties.fisher import ranks

        for adapters in (gan.g_adapters, gan.d_adapters):
            adapter = adapters[0]
            parts = list(adapter.parts.values())
            variables = [part for u, v, _ in parts for part in (u, v)]
            fisher = gan.method_state(gan, variables, self.samples, gan.seed + 3)
            scores = [f_v + f_u.mean() for f_u, f_v in zip(fisher[::2], fisher[1::2], strict=True)]
            for (_, _, chosen), score in zip(parts, scores, strict=True):
                chosen.assign((ranks(score) >= round(len(score) * self.quantile)).astype(np.float32))
