"""What a transfer method is: what moves, what is frozen when, and what is added to the step."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError
from tfgantl.hooks import TrainStepHooks
from tfgantl.training.stages import Stage, StageMetrics

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN
    from tfgantl.metrics.transferability import Transferability


class Transfer(TrainStepHooks):
    """Base of all methods. The order is: `networks` → `prepare` → compile → the stages of `schedule` → `finish`.

    Subclasses are frozen dataclasses: their fields are the options of the method on the command line. What a method
    must remember during a run goes into `gan.method_state`, what changes the weights that a network computes with into
    `gan.g_adapters` and `gan.d_adapters`; all three are part of the checkpoint. A method asks networks what they are
    made of (`tfgantl.models.structure`), and names parts of them to freeze (`tfgantl.models.parts`), never layers.

    Attributes:
        needs_source: Whether the method starts from a source at all.
        needs_trained_discriminator: Whether it makes no sense with another discriminator than that of the source.
        needs_target: Whether the method looks at images of the target. Without, there is nothing to choose a state by,
            and no baseline to compare with.
        cost: What a step costs beyond one of fine-tuning, in words, for the documentation.
        g_lr_multiplier: Factor on the learning rate of the generator; few weights take larger steps than all of them.
        d_lr_multiplier: Factor on that of the discriminator.
    """

    needs_source = True
    needs_trained_discriminator = False
    needs_target = True
    cost = "none"
    g_lr_multiplier = 1.0
    d_lr_multiplier = 1.0

    def resolve(self, transferability: Transferability) -> tuple[Transfer, str]:
        """Gives the method to use, and why; a method is its own choice, unless it is one that chooses.

        Args:
            transferability: What was measured before training.
        """
        return self, ""

    def facts(self) -> dict[str, str]:
        """Hashes of networks that it looks at beside the source pair: a run that goes on must have the same."""
        return {}

    def networks(self, source: GAN, dtype: str) -> tuple[keras.Model, keras.Model]:
        """Makes the generator and the discriminator to train, with fresh weights.

        Args:
            source: Trained pair that they are like.
            dtype: Keras dtype policy of the hidden layers.

        Raises:
            ConfigError: If the method cannot work with these networks.
        """
        from tfgantl.models.copies import fresh_copy

        return fresh_copy(source.generator, dtype), fresh_copy(source.discriminator, dtype)

    def prepare(self, gan: GAN, source: GAN | None) -> None:
        """Moves weights from the source, and adds adapters, before `compile`.

        Args:
            gan: Pair made of `networks`.
            source: Trained pair, or `None` if there is none.
        """

    def _needed(self, source: GAN | None) -> GAN:
        """The source, of a method that starts from one."""
        if source is None:
            raise ConfigError(f"`source` must be given for the method {type(self).__name__}. Received: none")
        return source

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        """Yields the stages of a run; receives the `StageMetrics` of each.

        Args:
            steps: Number of training steps in all.
        """
        yield Stage("adapt", steps)

    def finish(self, gan: GAN) -> None:
        """Makes the networks plain again, before they are saved: merges the adapters into the weights."""
        from tfgantl.models.adapters.base import merge

        for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
            merge(network, adapters)
            adapters.clear()
