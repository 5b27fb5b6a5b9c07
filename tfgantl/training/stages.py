"""The parts of a run, and what is learnt at the end of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN
    from tfgantl.models.parts import Part


@dataclass(frozen=True)
class Stage:
    """A part of a run during which the same weights are trained.

    What is frozen is a part, see `tfgantl.models.parts`, or patterns: regular expressions of which each must match the
    whole name of at least one layer. Parts suit every network, and are for methods; patterns are for users, who know
    the names of their layers.

    Args:
        name: Shown in progress and report.
        steps: Number of training steps.
        freeze_generator: Layers of the generator that keep their weights.
        freeze_discriminator: Layers of the discriminator that keep their weights.
        before: Called with the GAN when the stage begins.
        measured: Whether the stage ends with a validation; if not, its outcome is `None`.
    """

    name: str
    steps: int
    freeze_generator: Part | tuple[str, ...] = ()
    freeze_discriminator: Part | tuple[str, ...] = ()
    before: Callable[[GAN], None] | None = None
    measured: bool = True

    def __post_init__(self) -> None:
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
            ConfigError: If a pattern matches no layer, or a network does not have a part.
        """
        # Layer by layer: `trainable = True` on a network that is so already does not reach its frozen layers.
        for network in (gan.generator, gan.discriminator):
            for layer in network._flatten_layers():
                layer.trainable = True
        frozen = self.freeze_generator, self.freeze_discriminator
        for network, selection in zip((gan.generator, gan.discriminator), frozen, strict=True):
            for layer in selected_layers(network, selection):
                layer.trainable = False


def selected_layers(network: keras.Model, selection: Part | tuple[str, ...]) -> list[keras.layers.Layer]:
    """The layers of a network that a part or patterns stand for.

    Raises:
        ConfigError: If a pattern matches no layer, or the network does not have the part.
    """
    if callable(selection):
        from tfgantl.models.structure import structure_of

        return selection(structure_of(network))
    selected = []
    for pattern in selection:
        matched = [layer for layer in network.layers if re.fullmatch(pattern, layer.name)]
        if not matched:
            names = ", ".join(layer.name for layer in network.layers if layer.weights)
            raise ConfigError(f"a pattern of layers to freeze must match one of {names}. Received: {pattern}")
        selected += matched
    return selected


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
