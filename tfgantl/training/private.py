"""Differential privacy of a training: its settings, what they allow for, and what it comes to."""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, check_above, check_at_least, check_within, not_installed
from tfgantl.hooks import TrainStepHooks

if TYPE_CHECKING:
    from tfgantl.gan import GAN
    from tfgantl.private_step import PrivateGradients
    from tfgantl.training.optimization import Optimization
    from tfgantl.transfer import Transfer

DATA_HOOKS = ("reconstruction_loss", "discriminator_penalty")  # which look at real images


@dataclass(frozen=True)
class DifferentialPrivacy:
    """DP-SGD for the discriminator: gradients of real images are clipped one by one, and noise is added to their sum.

    Args:
        noise: Standard deviation of the noise, in units of `clip`; 0 for a training without differential privacy.
        clip: Largest norm of the gradient of one training image.
        delta: Probability that the guarantee is allowed to fail with; less than one in the number of training images.

    Example:
        >>> from tfgantl.training.private import DifferentialPrivacy
        >>> DifferentialPrivacy(noise=2.0).on
        True

    Reference:
        Abadi et al., 2016, https://arxiv.org/abs/1607.00133
    """

    noise: float = 0.0
    clip: float = 1.0
    delta: float = 1e-5

    def __post_init__(self) -> None:
        check_at_least(self, 0, "noise")
        check_above(self, 0, "clip")
        check_within(self, "(0, 1)", "delta")

    @property
    def on(self) -> bool:
        """Whether there is any."""
        return self.noise > 0

    def check(self, optimization: "Optimization", transfer: "Transfer | None" = None, gan: "GAN | None" = None) -> None:
        """Refuses what would look at training images past the noise.

        Args:
            optimization: Settings of the training.
            transfer: The method, if it is known.
            gan: The pair, if it is built.

        Raises:
            ConfigError: If something does.
        """
        if not self.on:
            return
        for name in ("r1", "gradient_penalty", "lecam", "apa"):
            if getattr(optimization, name):
                raise ConfigError(
                    f"`optimization.{name}` must be off (0 or false) with `privacy.noise`, since it looks at real "
                    f"images without noise. Received: {getattr(optimization, name)}"
                )
        if optimization.simultaneous:
            raise ConfigError("`optimization.simultaneous` must be false with `privacy.noise`. Received: true")
        if optimization.adaptive:
            raise ConfigError("`optimization.augment` must not be ada with `privacy.noise`. Received: ada")
        for name in DATA_HOOKS if transfer is not None else ():
            if getattr(type(transfer), name) is not getattr(TrainStepHooks, name):
                raise ConfigError(
                    "`transfer` must not add losses of real images with `privacy.noise`. "
                    f"Received: {type(transfer).__name__}"
                )
        if gan is not None:
            self._check_discriminator(gan)

    def _check_discriminator(self, gan: "GAN") -> None:
        from keras.layers import BatchNormalization

        if hasattr(gan.discriminator, "self_supervision"):
            raise ConfigError(
                "`networks` must have a discriminator that learns nothing else of real images with `privacy.noise`. "
                f"Received: {type(gan.discriminator).__name__}, which reconstructs them"
            )
        layers = gan.discriminator._flatten_layers()
        if any(isinstance(layer, BatchNormalization) for layer in layers):
            raise ConfigError(
                "`networks` must have a discriminator without batch normalisation with `privacy.noise`, which mixes "
                f"the images of a batch. Received: {type(gan.discriminator).__name__} with it"
            )

    def new_key(self) -> int:
        """A secret that sampling and noise follow from: it is neither the seed nor kept, and nobody can guess it."""
        return secrets.randbits(62)

    def gradients(self, key: int) -> "PrivateGradients | None":
        """What makes gradients private, from such a secret; `None` without noise."""
        from tfgantl.private_step import PrivateGradients

        return PrivateGradients(self.clip, self.noise, key) if self.on else None

    def record(self, images: int | None, batch_size: int, steps: int) -> dict[str, float] | None:
        """What JSON and model cards keep: ε, δ, noise and clip; `None` without noise.

        Args:
            images: Number of training images.
            batch_size: Images a step; of as many training images at most.
            steps: Training steps taken.
        """
        if not self.on or images is None:
            return None
        epsilon = self.epsilon(images, min(batch_size, images), steps)
        return {"epsilon": epsilon, "delta": self.delta, "noise": self.noise, "clip": self.clip}

    def epsilon(self, images: int, batch_size: int, steps: int) -> float:
        """The ε that a training comes to, if one training image were another.

        Each batch is drawn by itself, without replacement; the sum of clipped gradients then changes by at most twice
        `clip`.

        Args:
            images: Number of training images.
            batch_size: Images a step.
            steps: Training steps.

        Raises:
            ConfigError: If `dp-accounting` is not installed, there is no noise, or `delta` is that large that one of
                the images might be given away.

        Reference:
            Wang et al., 2019, https://arxiv.org/abs/1808.00087 (Rényi differential privacy of subsampling)
        """
        if not self.on:
            raise ConfigError("`noise` must be above 0 for there to be an epsilon. Received: 0")
        if self.delta * images >= 1:
            raise ConfigError(
                f"`privacy.delta` must be below one in the number of training images, 1 / {images} = {1 / images:.2g}: "
                f"giving one of them away would be allowed. Received: {self.delta:g}"
            )
        try:
            import dp_accounting
            from dp_accounting import rdp
        except ImportError as error:
            raise ConfigError(not_installed("`privacy.noise`", "dp-accounting", "privacy", error)) from error
        gaussian = dp_accounting.GaussianDpEvent(self.noise / 2.0)
        step = dp_accounting.SampledWithoutReplacementDpEvent(images, batch_size, gaussian)
        accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
        accountant.compose(dp_accounting.SelfComposedDpEvent(step, steps))
        return float(accountant.get_epsilon(self.delta))
