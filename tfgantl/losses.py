"""Adversarial losses: pure functions of float32 logits, in generator/discriminator pairs, and gradient penalties.

Logits may have any shape with the batch first; (batch, 1) and patch outputs (batch, h, w, 1) give the mean.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfgantl.errors import ConfigError


class AdversarialLoss(NamedTuple):
    """A pair of functions that return scalar float32 means over the batch."""

    generator: Callable[[tf.Tensor], tf.Tensor]
    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def minimax_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Goodfellow et al., 2014, equation 1: the generator minimises log(1 - D(G(z)))."""
    return -tf.reduce_mean(tf.nn.softplus(fake_logits))  # log(1 - sigmoid(x)) = -softplus(x)


def minimax_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Goodfellow et al., 2014, equation 1: binary cross-entropy of real against fake."""
    # -log(sigmoid(x)) = softplus(-x); -log(1 - sigmoid(x)) = softplus(x)
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Goodfellow et al., 2014, section 3: the generator maximises log D(G(z))."""
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))  # -log(sigmoid(x)) = softplus(-x)


def hinge_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Lim and Ye, 2017, https://arxiv.org/abs/1705.02894."""
    return -tf.reduce_mean(fake_logits)


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Lim and Ye, 2017: logits beyond the margin of 1 give no gradient."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real_logits)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


def least_squares_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Mao et al., 2017, https://arxiv.org/abs/1611.04076, with a = 0, b = c = 1."""
    return 0.5 * tf.reduce_mean(tf.square(fake_logits - 1.0))


def least_squares_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Mao et al., 2017, with a = 0, b = c = 1."""
    return 0.5 * (tf.reduce_mean(tf.square(real_logits - 1.0)) + tf.reduce_mean(tf.square(fake_logits)))


def wasserstein_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875."""
    return -tf.reduce_mean(fake_logits)


def wasserstein_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Arjovsky et al., 2017; only a distance together with a Lipschitz constraint such as `gradient_penalty`."""
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


LOSSES = {
    "minimax": AdversarialLoss(minimax_generator_loss, minimax_discriminator_loss),
    "non_saturating": AdversarialLoss(non_saturating_generator_loss, minimax_discriminator_loss),
    "hinge": AdversarialLoss(hinge_generator_loss, hinge_discriminator_loss),
    "least_squares": AdversarialLoss(least_squares_generator_loss, least_squares_discriminator_loss),
    "wasserstein": AdversarialLoss(wasserstein_generator_loss, wasserstein_discriminator_loss),
}


# What a discriminator loses by a logit of something that it should take for generated.
FAKE_TERMS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "minimax": tf.nn.softplus,
    "non_saturating": tf.nn.softplus,
    "hinge": lambda logits: tf.nn.relu(1.0 + logits),
    "least_squares": lambda logits: 0.5 * tf.square(logits),
    "wasserstein": tf.identity,
}


def get(name: str) -> AdversarialLoss:
    """Returns the pair called `name`.

    Raises:
        ConfigError: If there is no such loss.
    """
    if name not in LOSSES:
        raise ConfigError(f"`loss` must be one of {', '.join(LOSSES)}. Received: {name}")
    return LOSSES[name]


def _squared_gradient_norms(critic: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.reduce_sum(critic(images))
    gradients = tf.cast(tape.gradient(logits, images), tf.float32)
    return tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3])


def r1_penalty(critic: Callable[[tf.Tensor], tf.Tensor], real_images: tf.Tensor) -> tf.Tensor:
    """Half the mean squared gradient norm at the real images: 1/2 E ||grad D(x)||^2.

    Args:
        critic: Maps images to logits.
        real_images: float32 (batch, height, width, channels), as the critic sees them.

    Returns:
        Scalar float32; the caller multiplies by gamma.

    Reference:
        Mescheder et al., 2018, https://arxiv.org/abs/1801.04406
    """
    return 0.5 * tf.reduce_mean(_squared_gradient_norms(critic, real_images))


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor], real_images: tf.Tensor, fake_images: tf.Tensor, mix: tf.Tensor
) -> tf.Tensor:
    """Two-sided penalty E (||grad D(x)|| - 1)^2 on random mixes of real and fake.

    Args:
        critic: Maps images to logits.
        real_images: float32 (batch, height, width, channels).
        fake_images: The same shape.
        mix: float32 (batch, 1, 1, 1) in [0, 1], the share of real in each mix.

    Returns:
        Scalar float32; the paper multiplies by 10.

    Reference:
        Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028
    """
    mixed = mix * real_images + (1.0 - mix) * fake_images
    norms = tf.sqrt(_squared_gradient_norms(critic, mixed) + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1.0))
