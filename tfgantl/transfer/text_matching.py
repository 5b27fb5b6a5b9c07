"""What a pair learns of its captions beyond being conditional: wrong ones are told, and those between two are drawn."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from tfgantl import replicas
from tfgantl.losses import FAKE_TERMS
from tfgantl.models.conditional import VECTORS
from tfgantl.models.layers.caption_vectors import blend
from tfgantl.random_streams import StepStream
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.transfer.base import Transfer

if TYPE_CHECKING:
    from tfgantl.gan import GAN
    from tfgantl.metrics.transferability import Transferability


class TextMatching(Transfer):
    """A transfer method for text-conditional pairs, and two terms beside its own.

    The discriminator takes a real image with the caption of another one for a fake (GAN-CLS). As captions of two images
    may mean the same, each counts as much as its vector differs: 1 - cosine, and nothing if it is 0 or less. The
    generator also draws what lies half way between two captions, which no image shows (GAN-INT).

    Args:
        method: Any transfer method.
        mismatch: Weight of the first term.
        blending: Weight of the second, on half of a batch.

    Reference:
        Reed et al., 2016, https://arxiv.org/abs/1605.05396
    """

    def __init__(self, method: Transfer, mismatch: float = 1.0, blending: float = 0.5):
        self.method = method
        self.mismatch = mismatch
        self.blending = blending
        self.needs_source = method.needs_source
        self.needs_trained_discriminator = method.needs_trained_discriminator
        self.g_lr_multiplier, self.d_lr_multiplier = method.g_lr_multiplier, method.d_lr_multiplier
        self.adversarial = method.adversarial

    def resolve(self, transferability: "Transferability") -> tuple[Transfer, str]:
        method, why = self.method.resolve(transferability)
        return TextMatching(method, self.mismatch, self.blending), why

    def facts(self) -> dict[str, str]:
        return self.method.facts()

    def networks(self, source: "GAN", dtype: str) -> tuple[keras.Model, keras.Model]:
        return self.method.networks(source, dtype)

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        self.method.prepare(gan, source)

    def schedule(self, steps: int) -> Generator[Stage, StageMetrics, None]:
        return self.method.schedule(steps)

    def finish(self, gan: "GAN") -> None:
        self.method.finish(gan)

    def latents(self, gan: "GAN", noise: tf.Tensor) -> tf.Tensor:
        return self.method.latents(gan, noise)

    def discriminator_logits(self, gan: "GAN", images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        return self.method.discriminator_logits(gan, images, labels)

    def reconstruction_loss(
        self, gan: "GAN", images: tf.Tensor, labels: tf.Tensor | None, fakes: tf.Tensor
    ) -> tf.Tensor | float:
        return self.method.reconstruction_loss(gan, images, labels, fakes)

    def discriminator_penalty(self, gan: "GAN", images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor | float:
        total = self.method.discriminator_penalty(gan, images, labels)
        if not self.mismatch:
            return total
        wrong = replicas.rolled(labels)  # a batch is in random order
        vectors = _table(gan.discriminator)
        alike = tf.reduce_sum(vectors(labels) * vectors(wrong), axis=1)
        weights = tf.clip_by_value(1.0 - alike, 0.0, 1.0)
        logits = self.discriminator_logits(gan, gan.augmented(images, StepStream.D_REAL), wrong)
        terms = tf.reduce_mean(tf.reshape(FAKE_TERMS[gan.loss_name](logits), (tf.shape(weights)[0], -1)), axis=1)
        return total + self.mismatch * tf.reduce_mean(weights * terms)

    def generator_penalty(
        self, gan: "GAN", latents: tf.Tensor, labels: tf.Tensor | None, fakes: tf.Tensor
    ) -> tf.Tensor | float:
        total = self.method.generator_penalty(gan, latents, labels, fakes)
        if not self.blending:
            return total
        half = (tf.shape(labels)[0] + 1) // 2
        between = blend(labels, replicas.rolled(labels), _table(gan.generator).captions)[:half]
        images = gan.augmented(gan.run_generator(latents[:half], between), StepStream.BLENDED)
        return total + self.blending * gan.adversarial.generator(self.discriminator_logits(gan, images, between))


def _table(network: keras.Model) -> keras.layers.Layer:
    """Labels → vectors of captions, in a network or in one behind a miner."""
    return next(layer for layer in network._flatten_layers() if layer.name == VECTORS)
