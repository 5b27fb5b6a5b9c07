"""Elastic weight consolidation: a weight is held near the source as firmly as it mattered there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above, check_at_least
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import tensorflow as tf

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class EWC(FineTune):
    """Elastic weight consolidation: holds each weight of the generator as firmly as it mattered to the source.

    Adds `strength` · mean F (θ - θ_s)² to the loss of the generator. F is the diagonal Fisher information of the
    source, divided by its mean over all weights, so that `strength` does not depend on the scale of the logits.

    Args:
        strength: Weight of the penalty; 10 to 100,000 is the range worth trying.
        samples: Generated images that the Fisher information is measured on.

    Reference:
        Li et al., 2020, https://arxiv.org/abs/2012.02780
    """

    needs_trained_discriminator = True  # the information is that of its logits
    cost = "one pass over the weights, and the Fisher information once"
    strength: float = 300.0
    samples: int = 256

    def __post_init__(self) -> None:
        check_above(self, 0, "strength")
        check_at_least(self, 1, "samples")

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.copies import thawed
        from tfgantl.models.variable_names import names_of
        from tfgantl.penalties.anchors import Anchors
        from tfgantl.penalties.fisher import Fisher

        super().prepare(gan, source)
        source = self._needed(source)
        with thawed(source.generator):  # it may be an averaged one
            fisher = Fisher()(source, source.generator.trainable_variables, self.samples, gan.seed)
        count = sum(f.size for f in fisher)
        mean = sum(float(f.sum()) for f in fisher) / count
        # Of the same architecture, but perhaps not under the same names.
        names = names_of(gan.generator, gan.generator.trainable_variables)
        importance = {name: f / (mean * count) for name, f in zip(names, fisher, strict=True)}
        gan.method_state = Anchors([gan.generator], importance)

    def generator_penalty(
        self, gan: "GAN", latents: "tf.Tensor", labels: "tf.Tensor | None", fakes: "tf.Tensor"
    ) -> "tf.Tensor":
        return self.strength * gan.method_state.distance(gan.generator)
