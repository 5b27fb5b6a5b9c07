"""How networks are trained: the settings that a recipe may change, and the precision of the machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tfgantl.errors import ConfigError

AUGMENTATIONS = ("translation", "cutout", "color")
Loss = Literal["minimax", "non_saturating", "hinge", "least_squares", "wasserstein"]
Precision = Literal["auto", "float32", "mixed_bfloat16"]


@dataclass(frozen=True)
class Optimization:
    """Losses, penalties and optimizers (Adam for both networks).

    Args:
        loss: minimax, non_saturating, hinge, least_squares or wasserstein.
        g_learning_rate: Learning rate of the generator.
        d_learning_rate: Learning rate of the discriminator.
        beta_1: Decay of Adam's first moment.
        beta_2: Decay of Adam's second moment.
        decay: Whether learning rates fall to a tenth over the run, along a cosine.
        ema_decay: Share of the old average that a step keeps in the averaged generator.
        augment: Names out of translation, cutout, color for DiffAugment; gray images leave color out; empty for none.
        r1: Weight of the R1 penalty; 0 for none.
        r1_every: Steps between two R1 penalties.
        gradient_penalty: Weight of the gradient penalty of WGAN-GP; 0 for none.
    """

    loss: Loss = "non_saturating"
    g_learning_rate: float = 2e-4
    d_learning_rate: float = 2e-4
    beta_1: float = 0.5
    beta_2: float = 0.99
    decay: bool = False
    ema_decay: float = 0.995
    augment: str = "translation,cutout,color"
    r1: float = 0.1
    r1_every: int = 16
    gradient_penalty: float = 0.0

    def __post_init__(self):
        if self.loss not in get_args(Loss):
            raise ConfigError(f"`loss` must be one of {', '.join(get_args(Loss))}. Received: {self.loss}")
        if not {name.strip() for name in self.augment.split(",") if name.strip()} <= set(AUGMENTATIONS):
            raise ConfigError(f"`augment` must name {', '.join(AUGMENTATIONS)}, with commas. Received: {self.augment}")
        for name in ("g_learning_rate", "d_learning_rate"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"`{name}` must be above 0. Received: {getattr(self, name)}")
        for name in ("r1", "gradient_penalty"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"`{name}` must be at least 0. Received: {getattr(self, name)}")
        for name in ("beta_1", "beta_2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"`{name}` must be in [0, 1). Received: {getattr(self, name)}")
        if self.r1_every < 1:
            raise ConfigError(f"`r1_every` must be at least 1. Received: {self.r1_every}")

    def compile(self, gan, steps: int, transfer=None) -> None:
        """Compiles a GAN with these settings for a run of `steps` steps."""
        import keras

        from tfgantl.augment import DiffAugment

        def adam(rate):
            if self.decay:
                rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.1)
            return keras.optimizers.Adam(rate, beta_1=self.beta_1, beta_2=self.beta_2)

        gan.compile(
            adam(self.g_learning_rate),
            adam(self.d_learning_rate),
            loss=self.loss,
            augment=DiffAugment(self.augment) if self.augment else None,
            r1=self.r1,
            r1_every=self.r1_every,
            gradient_penalty=self.gradient_penalty,
            transfer=transfer,
        )


def dtype_policy(precision: Precision) -> str:
    """The Keras dtype policy for a precision; `auto` takes bfloat16 where the processor computes in it.

    Example:
        >>> dtype_policy("float32")
        'float32'
    """
    if precision != "auto":
        return precision
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"
