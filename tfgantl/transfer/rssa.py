"""Relaxed spatial structural alignment: parts of an image relate to each other as in the source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above, check_at_least
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class RSSA(FineTune):
    """Relaxed spatial structural alignment: parts of an image relate to each other as they did in the source.

    For each layer the cosine similarities of all pairs of positions make a matrix; the smooth L1 distance of the
    target's from the source's is added to the loss of the generator. Of the paper, this is the self-correlation;
    the disturbance correlation and the projection of latents, which needs inverted images, are left out.

    Args:
        strength: Weight of the penalty.
        samples: Latents that are compared, at most the batch size.
        largest_map: Side of the largest feature map that is compared.

    Reference:
        Xiao et al., 2022, https://arxiv.org/abs/2203.04121
    """

    cost = "the source generator and a second pass of the generator on `samples` latents"
    strength: float = 0.8
    samples: int = 16
    largest_map: int = 16

    def __post_init__(self) -> None:
        check_above(self, 0, "strength")
        check_at_least(self, 1, "samples", "largest_map")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        from tfgantl.models.blocks import block_features

        generator, discriminator = super().networks(source, dtype)
        block_features(generator, self.largest_map)
        return generator, discriminator

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.penalties.source_features import SourceFeatures

        super().prepare(gan, source)
        gan.method_state = SourceFeatures(gan.generator, largest_map=self.largest_map)

    def generator_penalty(
        self, gan: "GAN", latents: "tf.Tensor", labels: "tf.Tensor | None", fakes: "tf.Tensor"
    ) -> "tf.Tensor":
        return self.strength * gan.method_state.structure_inconsistency(gan, latents, labels, self.samples)
