"""What makes a GAN of a network that paints: a discriminator that has seen the pictures of the styles.

Reference:
    Chen et al., 2018, CartoonGAN, CVPR: an adversarial loss for the style, features of VGG for the content
"""

import keras
import tensorflow as tf

from tfgantl import replicas
from tfgantl.losses import get
from tfgantl.models.style_discriminator import StyleDiscriminator

LOSS = get("hinge")


class Adversary:
    """A discriminator and its optimizer.

    Args:
        discriminator: Of the styles that the network paints.
        weight: Of the adversarial loss in what the network is trained for.
        learning_rate: Of the discriminator's Adam (β₁ = 0) at the beginning.
        steps: Number of steps, over which the learning rate falls to a twentieth.
    """

    def __init__(self, discriminator: StyleDiscriminator, weight: float, learning_rate: float, steps: int):
        self.discriminator, self.weight = discriminator, weight
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.05)
        self._optimizer = keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99)
        self._optimizer.build(discriminator.trainable_variables)

    @property
    def variables(self) -> list:
        """Everything that a training changes."""
        return [*self.discriminator.variables, *self._optimizer.variables]

    def loss(self, painted: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
        """How far painted images, float32 (batch, size, size, 3), are from being taken for the styles of `mix`."""
        return LOSS.generator(self.discriminator([painted, mix], training=False))

    def train_step(self, reals: tf.Tensor, painted: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
        """Learns to tell parts of the styles' pictures from painted images, both with the same `mix`.

        Returns:
            The loss before the step.
        """
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            images, rows = tf.concat([reals, painted], 0), tf.concat([mix, mix], 0)
            loss = LOSS.discriminator(*tf.split(self.discriminator([images, rows], training=True), 2))
            minimised = replicas.part(loss)
        self._optimizer.apply_gradients(zip(tape.gradient(minimised, variables), variables, strict=True))
        return loss
