"""Where a transfer method may change a training step. The defaults change nothing. Imports no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

    from tfgantl.gan import GAN


class TrainStepHooks:
    """What `GAN.train_step` asks; each answer is part of the traced graph.

    Attributes:
        adversarial: Weight of the generator's adversarial loss.
    """

    adversarial = 1.0

    def latents(self, gan: GAN, noise: tf.Tensor) -> tf.Tensor:
        """Latents (batch, latent_dim) to train with, from standard normal noise of the same shape."""
        return noise

    def discriminator_logits(self, gan: GAN, images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Float32 logits of augmented images: (batch, 1), or (batch, height, width, 1) of patches."""
        return gan.discriminate(images, labels)

    def generator_penalty(
        self, gan: GAN, latents: tf.Tensor, labels: tf.Tensor | None, fakes: tf.Tensor
    ) -> tf.Tensor | float:
        """Scalar added to the generator loss; called inside the gradient tape."""
        return 0.0

    def reconstruction_loss(
        self, gan: GAN, images: tf.Tensor, labels: tf.Tensor | None, fakes: tf.Tensor
    ) -> tf.Tensor | float:
        """Scalar added to the generator loss, that may look at the real images of the step; inside the tape."""
        return 0.0

    def discriminator_penalty(self, gan: GAN, images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor | float:
        """Scalar added to the discriminator loss; called inside the gradient tape."""
        return 0.0
