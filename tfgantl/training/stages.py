"""The parts of a run, and what is learnt at the end of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    from tfgantl.gan import GAN


@dataclass(frozen=True)
class Stage:
    """A part of a run during which the same weights are trained.

    Patterns are regular expressions that must match a layer's whole name; each must match at least one layer.

    Args:
        name: Shown in progress and report.
        steps: Number of training steps.
        freeze_generator: Patterns of generator layers that keep their weights.
        freeze_discriminator: Patterns of discriminator layers that keep their weights.
        before: Called with the GAN when the stage begins.
        measured: Whether the stage ends with a validation; if not, its outcome is `None`.
    """

    name: str
    steps: int
    freeze_generator: tuple[str, ...] = ()
    freeze_discriminator: tuple[str, ...] = ()
    before: Callable[[GAN], None] | None = None
    measured: bool = True

    def __post_init__(self):
        if self.steps < 1:
            raise ConfigError(f"stage `{self.name}` must have at least 1 step. Received: {self.steps}")

    def begin(self, gan: GAN) -> None:
        """Freezes, and does what is to be done before the steps."""
        self.apply(gan)
        if self.before is not None:
            self.before(gan)

    def apply(self, gan: GAN) -> None:
        """Sets `trainable` on every layer; frozen batch normalisation also keeps, and uses, its moving statistics.

        Raises:
            ConfigError: If a pattern matches no layer.
        """
        # Layer by layer: `trainable = True` on a network that is so already does not reach its frozen layers.
        for network in (gan.generator, gan.discriminator):
            for layer in network._flatten_layers():
                layer.trainable = True
        _freeze(gan.generator, self.freeze_generator)
        _freeze(gan.discriminator, self.freeze_discriminator)


def _freeze(network, patterns):
    for pattern in patterns:
        matched = [layer for layer in network.layers if re.fullmatch(pattern, layer.name)]
        if not matched:
            names = ", ".join(layer.name for layer in network.layers if layer.weights)
            raise ConfigError(f"a pattern of layers to freeze must match one of {names}. Received: {pattern}")
        for layer in matched:
            layer.trainable = False


@dataclass(frozen=True)
class StageMetrics:
    """What a schedule learns at the end of a stage, measured on validation images.

    Args:
        ckid: cKID of the averaged generator.
        best_ckid: Lowest cKID so far.
        d_real: Share of validation images that the discriminator takes for real.
        d_fake: Share of generated images that it takes for generated. Both are 0.5 if it cannot tell them.
    """

    ckid: float
    best_ckid: float
    d_real: float
    d_fake: float
