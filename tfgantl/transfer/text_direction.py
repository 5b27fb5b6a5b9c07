"""Adaptation by two phrases, without any image of the target."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, check_above, check_at_least
from tfgantl.models.parts import everything
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import tensorflow as tf

    from tfgantl.crossmodal.encoders import TextImageEncoders
    from tfgantl.gan import GAN

LEAST_DIFFERENCE = 0.05  # between the vectors of two phrases that mean different things


@dataclass(frozen=True)
class TextDirection(FineTune):
    """Moves every image along the direction between two phrases; no image of the target is looked at.

    In the space of a text and an image encoder that were trained together, the change of an image G(z) from that of
    the source is to point where the target text lies from the source text: 1 - cos(E(G(z)) - E(G_s(z)), T_t - T_s) is
    minimised. The last state is taken, as there is nothing to choose by.

    Args:
        source_text: What the source draws.
        target_text: What it is to draw.
        encoders: Directory of both encoders; the shipped ones, of digits, if not given.
        strength: Weight of the loss.
        keep: Weight of what changes in other directions, such as towards another class.
        amount: Length of a change, in the space of the encoders, beyond which further change is worth less; two images
            that have nothing in common are 1.4 apart.

    Reference:
        Gal et al., 2021, https://arxiv.org/abs/2108.00946 (StyleGAN-NADA), with encoders of CLIP and chosen layers
    """

    needs_target = False
    adversarial = 0.0
    cost = "the source generator and the image encoder, twice"
    source_text: str = "a thin digit"
    target_text: str = "a thick digit"
    encoders: str | None = None
    strength: float = 1.0
    keep: float = 1.0
    amount: float = 0.5

    def __post_init__(self) -> None:
        check_above(self, 0, "strength", "amount")
        check_at_least(self, 0, "keep")

    def facts(self) -> dict[str, str]:
        self.__dict__.pop("_encoders", None)  # those that are there now
        encoders = self._encoders
        return {"encoders of phrases": encoders.hash, "layers of the encoders of phrases": encoders.layers_hash}

    @cached_property
    def _encoders(self) -> "TextImageEncoders":
        """Those of which the facts are, whatever comes to lie there before training."""
        from tfgantl.crossmodal.encoders import TextImageEncoders

        return TextImageEncoders.load(self.encoders)

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        import numpy as np

        from tfgantl.penalties.embedding_direction import EmbeddingDirection

        super().prepare(gan, source)
        encoders = self._encoders
        del self.__dict__["_encoders"]  # which would be copied along with the method
        before, after = encoders.embed_texts([self.source_text, self.target_text])
        length = float(np.linalg.norm(after - before))
        if length < LEAST_DIFFERENCE:
            raise ConfigError(
                "`source_text` and `target_text` must differ in a word that the text encoder knows. "
                f"Received: {self.source_text} and {self.target_text}"
            )
        gan.method_state = EmbeddingDirection(gan.generator, encoders.image, (after - before) / length, self.amount)

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        yield Stage("text direction", steps, freeze_discriminator=everything)

    def generator_penalty(
        self, gan: "GAN", latents: "tf.Tensor", labels: "tf.Tensor | None", fakes: "tf.Tensor"
    ) -> "tf.Tensor":
        return self.strength * gan.method_state.loss(gan.inputs(latents, labels), fakes, self.keep)
