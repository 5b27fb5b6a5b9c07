"""Cross-domain correspondence: images that are alike in the source stay alike in the target."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above, check_at_least
from tfgantl.transfer.finetune import FineTune

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class CDC(FineTune):
    """Cross-domain distance consistency, with anchors and a patch discriminator.

    Two latents whose images are alike in the source stay alike in the target: for each of `samples` latents the
    similarities (cosine) to the others, at one random layer, make a distribution, and the mean KL divergence of the
    target's from the source's is added to the loss of the generator. The discriminator sees whole images only
    near a few anchor latents, in every `anchor_every`-th step; elsewhere it sees patches.

    Args:
        strength: Weight of the divergence. The 1,000 of the published code is on its mean over all pairs of 4, which
            is 333 on the mean over latents that is taken here.
        samples: Latents that are compared, at most the batch size.
        anchors: Number of anchor latents; as many as there are shots, in the paper.
        anchor_spread: Standard deviation around an anchor.
        anchor_every: Steps between two that are near the anchors.

    Reference:
        Ojha et al., 2021, https://arxiv.org/abs/2104.06820
    """

    cost = "the source generator and a second pass of the generator on `samples` latents"
    strength: float = 333.0
    samples: int = 16
    anchors: int = 100
    anchor_spread: float = 0.1
    anchor_every: int = 4

    def __post_init__(self) -> None:
        check_above(self, 0, "strength")
        check_at_least(self, 0, "anchor_spread")
        check_at_least(self, 3, "samples")
        check_at_least(self, 1, "anchors", "anchor_every")

    def networks(self, source: "GAN", dtype: str) -> "tuple[keras.Model, keras.Model]":
        from tfgantl.models.blocks import block_features, deepest_map

        generator, discriminator = super().networks(source, dtype)
        block_features(generator)
        deepest_map(discriminator)
        return generator, discriminator

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.models.adapters.patches import PatchHead
        from tfgantl.penalties.source_features import SourceFeatures
        from tfgantl.random_streams import Stream

        super().prepare(gan, source)
        gan.method_state = SourceFeatures(gan.generator, anchors=gan.latents(self.anchors, gan.seed, Stream.ANCHORS))
        gan.d_adapters.append(PatchHead(gan.discriminator))

    def latents(self, gan: "GAN", noise: "tf.Tensor") -> "tf.Tensor":
        return gan.method_state.near_anchors(gan, noise, self.anchor_spread, self.anchor_every)

    def discriminator_logits(self, gan: "GAN", images: "tf.Tensor", labels: "tf.Tensor | None") -> "tf.Tensor":
        return gan.d_adapters[-1].discriminator_logits(gan, images, labels, whole_every=self.anchor_every)

    def generator_penalty(
        self, gan: "GAN", latents: "tf.Tensor", labels: "tf.Tensor | None", fakes: "tf.Tensor"
    ) -> "tf.Tensor":
        return self.strength * gan.method_state.distance_inconsistency(gan, latents, labels, self.samples)
