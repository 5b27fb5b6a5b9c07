"""A training step whose discriminator learns of each training image no more than differential privacy allows.

Only gradients of real images touch the data: each example's is clipped, and noise is added to their sum. What follows
of generated images and of the discriminator is no further access, so that the generator is as private as it is.

References:
    Abadi et al., 2016, https://arxiv.org/abs/1607.00133 (DP-SGD); Xie et al., 2018, https://arxiv.org/abs/1802.06739
    (of a discriminator)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from tfgantl import replicas
from tfgantl.random_streams import StepStream, key_seeds, step_seeds


@dataclass(frozen=True)
class PrivateGradients:
    """How gradients of real images are made private.

    Args:
        clip: Largest Euclidean norm of the gradient of one example, over all weights together.
        noise: Standard deviation of what is added to their sum, in units of `clip`.
        key: What the noise follows from, in [0, 2**62): whoever knows it can take the noise away.
    """

    clip: float
    noise: float
    key: int

    def __call__(
        self, loss_of: Callable[..., tf.Tensor], batch: Sequence[tf.Tensor], weights: Sequence[Any], step: tf.Tensor
    ) -> list[tf.Tensor]:
        """Private mean of the gradients.

        Args:
            loss_of: Loss (), of a batch of one example.
            batch: Tensors (batch, …).
            weights: Variables.
            step: Number of the step.

        Returns:
            Gradients like the weights: the sum of the clipped ones and the noise, over the number of examples.
        """
        total = clipped_sum(loss_of, batch, weights, self.clip)
        count = tf.cast(tf.shape(batch[0])[0], tf.float32)
        # Of the whole batch; each replica adds its share of it.
        share = self.clip * self.noise / replicas.number()
        noise = [tf.random.stateless_normal(x.shape, key_seeds(self.key, step, i)) for i, x in enumerate(total)]
        return [(x + share * n) / count for x, n in zip(total, noise, strict=True)]


def clipped_sum(
    loss_of: Callable[..., tf.Tensor], batch: Sequence[tf.Tensor], weights: Sequence[Any], clip: float
) -> list[tf.Tensor]:
    """Sum of the gradients of all examples, each scaled down to a norm of at most `clip`.

    One example at a time: all gradients at once would take the memory of a network for each.
    """
    values = [weight.value if isinstance(weight, keras.Variable) else weight for weight in weights]

    def add(total: tuple[tf.Tensor, ...], example: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            loss = loss_of(*(part[None] for part in example))
        gradients = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = [tf.cast(gradient, tf.float32) for gradient in gradients]
        factor = clip / tf.maximum(tf.linalg.global_norm(gradients), clip)
        return tuple(one + factor * gradient for one, gradient in zip(total, gradients, strict=True))

    zeros = tuple(tf.zeros(value.shape, tf.float32) for value in values)
    return list(tf.foldl(add, tuple(batch), zeros, parallel_iterations=1))


def private_step(gan: Any, reals: tf.Tensor, labels: tf.Tensor | None) -> dict[str, tf.Tensor]:
    """A step of `GAN.train_step`, with private gradients of real images.

    Generated images have random classes, as those of the batch would tell which classes it has.

    Args:
        gan: A compiled `GAN`.
        reals: Images (batch, height, width, channels) in [-1, 1].
        labels: int (batch,), or `None`.

    Returns:
        Scalars to log. Those of real images are of the data, and must not be published.
    """
    count = tf.shape(reals)[0]
    seeds, classes = step_seeds(gan.seed, StepStream.RANDOM_CLASSES, gan.step), gan.num_classes
    drawn = (
        None if labels is None else replicas.drawn(tf.random.stateless_uniform, (count,), seeds, 0, classes, tf.int32)
    )
    critic, d_parts = partial(gan.transfer.discriminator_logits, gan), [gan.discriminator, *gan.d_adapters]
    weights = [weight for part in d_parts for weight in part.trainable_variables]
    with tf.GradientTape() as g_tape:
        latents, fakes = gan.draw(count, drawn, StepStream.D_LATENTS)

    def loss_of(image: tf.Tensor, *label: tf.Tensor) -> tf.Tensor:
        logits = critic(images=image, labels=label[0] if label else None)
        return gan.adversarial.discriminator(logits, tf.zeros_like(logits))  # a constant, where fake logits would be

    shown = gan.augmented(reals, StepStream.D_REAL)
    batch = (shown,) if labels is None else (shown, labels)
    real_logits = critic(images=shown, labels=labels)
    with tf.GradientTape() as d_tape:
        fake_logits = critic(images=gan.augmented(fakes, StepStream.D_FAKE), labels=drawn)
        fake_loss = gan.adversarial.discriminator(tf.zeros_like(fake_logits), fake_logits)
    if weights:
        values = [weight.value for weight in weights]
        of_fakes = d_tape.gradient(fake_loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        of_reals, shares = gan.private(loss_of, batch, weights, gan.step), replicas.number()  # Keras adds theirs up
        scale = gan.d_optimizer.scale_loss(tf.ones(())) / shares  # divided by again, for float16
        gan.d_optimizer.apply([scale * (a + b) for a, b in zip(of_fakes, of_reals, strict=True)], weights)

    if not gan.reuse_fakes:
        with tf.GradientTape() as g_tape:
            latents, fakes = gan.draw(count, drawn, StepStream.G_LATENTS)
    with g_tape:
        g_loss = gan.adversarial.generator(critic(images=gan.augmented(fakes, StepStream.G_FAKE), labels=drawn))
        g_total = gan.transfer.adversarial * g_loss + gan.generator_penalty(latents, drawn, fakes)
    gan.apply(gan.optimizer, [gan.generator, *gan.g_adapters], g_total, g_tape)
    gan.follow()
    d_real, d_fake = (tf.reduce_mean(tf.cast(x, tf.float32)) for x in (real_logits > 0, fake_logits < 0))
    d_loss = gan.adversarial.discriminator(real_logits, fake_logits)
    return {"g_loss": g_loss, "d_loss": d_loss, "d_real": d_real, "d_fake": d_fake}
