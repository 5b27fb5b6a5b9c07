"""What steadies a training on few images: LeCam, adaptive pseudo augmentation, and its controller."""

from typing import Any

import keras
import tensorflow as tf

from tfgantl import replicas
from tfgantl.errors import ConfigError

# The strength of LeCam that `auto` takes. The penalty and the loss balance at a gap between mean real and mean fake
# logits; these let the gap grow to what a healthy discriminator of the loss has, and hold it there.
LECAM_WEIGHTS = {"minimax": 0.03, "non_saturating": 0.03, "hinge": 0.3, "least_squares": 0.1, "wasserstein": 0.01}


class Regularizer(keras.layers.Layer):
    """Base: takes part in every step. The defaults change nothing.

    What is remembered from step to step is in weights, made in `__init__`, so that checkpoints hold it.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    def state(self, name: str, dtype: str = "float32") -> keras.Variable:
        """Makes a scalar that starts at 0 and is not trained."""
        return self.add_weight(name=name, shape=(), dtype=dtype, initializer="zeros", trainable=False)

    def mix(self, images: tf.Tensor, fakes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Real images (batch, height, width, channels) to show the discriminator, before augmentation."""
        return images

    def penalty(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor | float:
        """Scalar added to the loss of the discriminator; called inside the gradient tape."""
        return 0.0

    def generator_penalty(self, gan: Any, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor | float:
        """Scalar added to the loss of the generator; called inside the gradient tape, with the latents of the step."""
        return 0.0

    def update(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Learns from the logits of the step; returns scalars to log."""
        return {}


class Controller(Regularizer):
    """Raises a probability while the discriminator is too sure of the real images, and lowers it otherwise.

    Every step: r ← 0.75 r + 0.25 mean sign(D(x) - centre), then p ← p + sign(r - target) · batch / horizon. The running
    mean stands for the four batches that the paper averages before each move.

    Args:
        target: The r that is aimed at: 0 if the discriminator guesses, 1 if it takes all real images for real.
        horizon: Images over which p can go from 0 to 1.
        most: Upper bound of p. Beyond it the generator starts to make augmented images.
        centre: The logit between real and fake: 0, or 0.5 for the least squares loss.

    Attributes:
        p: The probability, a weight.
        r_t: The running mean, a weight.

    Raises:
        ConfigError: If `horizon` is not above 0, or `target` or `most` not within [0, 1].

    Reference:
        Karras et al., 2020, https://arxiv.org/abs/2006.06676
    """

    logged_as = "p"

    def __init__(
        self, target: float = 0.6, horizon: int = 20_000, most: float = 0.85, centre: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if not horizon > 0:
            raise ConfigError(f"`horizon` must be above 0. Received: {horizon}")
        for name, value in (("target", target), ("most", most)):
            if not 0 <= value <= 1:
                raise ConfigError(f"`{name}` must be in [0, 1]. Received: {value}")
        self.target, self.horizon, self.most, self.centre = target, horizon, most, centre
        self.p, self.r_t = self.state("p"), self.state("r_t")

    def update(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        sure = replicas.mean(tf.reduce_mean(tf.sign(tf.cast(real_logits, tf.float32) - self.centre)))
        self.r_t.assign(0.75 * self.r_t + 0.25 * sure)
        move = tf.cast(replicas.rows_in_all(real_logits), tf.float32) / self.horizon
        p = self.p + tf.sign(self.r_t - self.target) * move
        self.p.assign(tf.clip_by_value(p, 0.0, self.most))
        return {self.logged_as: tf.convert_to_tensor(self.p.value), "r_t": tf.convert_to_tensor(self.r_t.value)}

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("target", "horizon", "most", "centre")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="tfgantl")
class AdaptivePseudoAugment(Controller):
    """APA: with probability p a real image gives way to a generated one of the same label.

    A discriminator that has learnt the real images by heart is so told that some generated ones are real. As r is
    measured on what it was shown, pseudo-real images among it, p settles sooner than that of `AdaptiveAugment`.

    Args:
        **kwargs: As for `Controller`.

    Example:
        >>> gan.compile(g_optimizer, d_optimizer, regularizers=[AdaptivePseudoAugment()])

    Reference:
        Jiang et al., 2021, https://arxiv.org/abs/2111.06849
    """

    logged_as = "apa"

    def mix(self, images: tf.Tensor, fakes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seed = tf.random.experimental.stateless_fold_in(seed, 1)
        replaced = replicas.drawn(tf.random.stateless_uniform, (tf.shape(images)[0], 1, 1, 1), seed) < self.p
        return tf.where(replaced, tf.cast(fakes, images.dtype), images)


@keras.saving.register_keras_serializable(package="tfgantl")
class LeCam(Regularizer):
    """Keeps the logits of real images near the average logit of fakes, and the other way round.

    R = mean relu(D(x) - a_F)² + mean relu(a_R - D(G(z)))², with a_R and a_F the moving averages of mean real and fake
    logits; weight · R is added to the loss of the discriminator.

    Args:
        weight: Strength; it depends on the scale of the logits, and so on the loss: see `LECAM_WEIGHTS`.
        start: Steps before the penalty acts. The averages move from the first step on.
        decay: Share of the old averages that a step keeps.

    Attributes:
        real: a_R, a weight.
        fake: a_F, a weight.
        seen: Number of steps that the averages have seen, a weight.

    Raises:
        ConfigError: If `weight` or `start` is below 0, or `decay` not in [0, 1).

    Example:
        >>> gan.compile(g_optimizer, d_optimizer, loss="hinge", regularizers=[LeCam(0.3, start=100)])

    Reference:
        Tseng et al., 2021, https://arxiv.org/abs/2104.03310
    """

    def __init__(self, weight: float, start: int = 100, decay: float = 0.99, **kwargs: Any):
        super().__init__(**kwargs)
        for name, value in (("weight", weight), ("start", start)):
            if not value >= 0:
                raise ConfigError(f"`{name}` must be at least 0. Received: {value}")
        if not 0 <= decay < 1:
            raise ConfigError(f"`decay` must be in [0, 1). Received: {decay}")
        self.weight, self.start, self.decay = weight, start, decay
        self.real, self.fake = self.state("real"), self.state("fake")
        self.seen = self.state("seen", "int32")

    def penalty(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        above = tf.reduce_mean(tf.square(tf.nn.relu(real_logits - self.fake)))
        below = tf.reduce_mean(tf.square(tf.nn.relu(self.real - fake_logits)))
        return tf.where(self.seen >= self.start, self.weight, 0.0) * (above + below)

    def update(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = tf.cast(self.seen, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + seen) / (10.0 + seen))  # follows closely at first
        decay = tf.where(seen > 0, decay, 0.0)  # nothing is left of the value that it starts with
        for average, logits in ((self.real, real_logits), (self.fake, fake_logits)):
            average.assign(decay * average + (1.0 - decay) * replicas.mean(tf.reduce_mean(logits)))
        self.seen.assign_add(1)
        return {"gap": self.real - self.fake}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight, "start": self.start, "decay": self.decay}
