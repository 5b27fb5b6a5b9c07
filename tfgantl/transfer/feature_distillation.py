"""Keeping what the source discriminator knows how to see."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class FeatureDistillation(FineTune):
    """Holds the features of the discriminator near those of the source discriminator, on target images.

    Adds `strength` · mean over blocks of E ||D_s^l(x) - D^l(x)||² / E ||D_s^l(x)||² to the loss of the discriminator.

    Args:
        strength: Weight of the penalty.

    Reference:
        Mo et al., 2020, https://arxiv.org/abs/2002.10964 (feature distillation, section 3)
    """

    cost = "the source discriminator, and a second pass of the discriminator"
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_above(self, 0, "strength")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        from tfgantl.models.blocks import block_features

        generator, discriminator = super().networks(source, dtype)
        block_features(discriminator)
        return generator, discriminator

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.penalties.source_features import SourceFeatures

        super().prepare(gan, source)
        gan.method_state = SourceFeatures(gan.discriminator)

    def discriminator_penalty(self, gan: "GAN", images: "tf.Tensor", labels: "tf.Tensor | None") -> "tf.Tensor":
        return self.strength * gan.method_state.feature_distance(gan, images, labels)
