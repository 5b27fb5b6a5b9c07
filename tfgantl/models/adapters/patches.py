"""A patch discriminator: a second head on a feature map of the discriminator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import Adapter, run
from tfgantl.models.blocks import deepest_map

if TYPE_CHECKING:
    from tfgantl.gan import GAN


class PatchHead(Adapter):
    """A 3 x 3 convolution to one logit for each place of a feature map, trained with the discriminator.

    Args:
        discriminator: Where the map is taken.
    """

    def __init__(self, discriminator: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        maps = keras.Model(discriminator.inputs, deepest_map(discriminator))
        self.maps = lambda: maps  # it shares the layers of the discriminator, which are not this layer's own
        self.head = keras.layers.Conv2D(1, 3, padding="same", name="patch_logits", dtype="float32")
        self.head.build(maps.output_shape)
        self.built = True

    def discriminator_logits(
        self, gan: GAN, images: tf.Tensor, labels: tf.Tensor | None, whole_every: int
    ) -> tf.Tensor:
        """Logits of whole images (batch, 1, 1, 1) in every `whole_every`-th step, else of patches (batch, h, w, 1).

        Raises:
            ConfigError: If R1 is taken in other steps: its second derivatives cannot be of logits of two shapes.
        """
        if gan.r1 and gan.r1_every % whole_every:
            raise ConfigError(
                f"`r1_every` must be a multiple of {whole_every}, the steps from one look at whole images to the next, "
                f"for {type(gan.transfer).__name__}. Received: {gan.r1_every}"
            )

        def patches() -> tf.Tensor:
            return self.head(tf.cast(run(self.maps(), gan.inputs(images, labels), gan.d_adapters), tf.float32))

        # Of one rank, or the optimizer of the graph takes sums over the one for sums over the other.
        return gan.in_every(whole_every, lambda: gan.discriminate(images, labels)[:, None, None], patches)
