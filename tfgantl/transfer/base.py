"""What a transfer method is: what moves, what is frozen when, and what is added to the losses."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from tfgantl.training.stages import Outcome, Stage

if TYPE_CHECKING:
    from tfgantl.gan import GAN


class Transfer:
    """Base of all methods. The order is: `prepare` → compile → the stages of `schedule` → `finish`.

    Subclasses are dataclasses: their fields are the options of the method on the command line.
    """

    needs_source = True

    def prepare(self, gan: GAN, source: GAN | None) -> None:
        """Moves weights from the source, and changes the networks, before `compile`.

        Args:
            gan: Freshly built pair for the target.
            source: Trained pair, or `None` if there is none.
        """

    def schedule(self, steps: int) -> Generator[Stage, Outcome, None]:
        """Yields the stages of a run; receives the `Outcome` of each.

        Args:
            steps: Number of training steps in all.
        """
        yield Stage("adapt", steps)

    def generator_penalty(self, gan: GAN, latents, labels, fakes):
        """Scalar added to the generator loss; called inside the gradient tape."""
        return 0.0

    def discriminator_penalty(self, gan: GAN, images, labels):
        """Scalar added to the discriminator loss; called inside the gradient tape."""
        return 0.0

    def finish(self, gan: GAN) -> None:
        """Merges whatever was added, so that the networks are plain again, before they are saved."""
