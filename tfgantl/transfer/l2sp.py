"""L2-SP: every weight is held near the source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import tensorflow as tf

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class L2SP(FineTune):
    """Adds `strength` / 2 · Σ (θ - θ_s)² to the loss of the generator, θ_s being the weights of the source.

    Args:
        strength: Weight of the penalty.
        discriminator: Whether the discriminator is held, too.

    Reference:
        Li et al., 2018, https://arxiv.org/abs/1802.01483
    """

    cost = "one pass over the weights"
    strength: float = 0.01
    discriminator: bool = False

    def __post_init__(self) -> None:
        check_above(self, 0, "strength")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.penalties.anchors import Anchors

        super().prepare(gan, source)
        gan.method_state = Anchors([gan.generator, *([gan.discriminator] if self.discriminator else [])])

    def generator_penalty(
        self, gan: "GAN", latents: "tf.Tensor", labels: "tf.Tensor | None", fakes: "tf.Tensor"
    ) -> "tf.Tensor":
        return 0.5 * self.strength * gan.method_state.distance(gan.generator)

    def discriminator_penalty(self, gan: "GAN", images: "tf.Tensor", labels: "tf.Tensor | None") -> "tf.Tensor | float":
        return 0.5 * self.strength * gan.method_state.distance(gan.discriminator) if self.discriminator else 0.0
