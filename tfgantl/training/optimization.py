"""How networks are trained: the settings that a recipe may change, and the precision of the machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tfgantl.errors import ConfigError, check_above, check_at_least, check_within

if TYPE_CHECKING:
    from tfgantl.gan import GAN
    from tfgantl.models import Discriminators, Networks
    from tfgantl.private_step import PrivateGradients
    from tfgantl.transfer import Transfer


AUGMENTATIONS = ("translation", "cutout", "color", "affine", "resolution")
Loss = Literal["minimax", "non_saturating", "hinge", "least_squares", "wasserstein"]
LeCamWeight = Literal["auto"] | float
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
        augment: Names out of translation, cutout, color, affine, resolution for DiffAugment, or ada alone for adaptive
            augmentation; gray images leave color out; empty for none.
        apa: Whether generated images take the place of some real ones when the discriminator gets too sure.
        horizon: Images over which the probabilities of ada and apa can go from 0 to 1.
        lecam: Weight of the LeCam penalty; auto chooses it by the loss; 0 for none.
        label_ramp: Steps between which a conditional pair goes from ignoring labels to using them; none to use them
            all the time.
        r1: Weight of the R1 penalty; 0 for none.
        r1_every: Steps between two R1 penalties.
        gradient_penalty: Weight of the gradient penalty of WGAN-GP; 0 for none.
        path_length: Weight of the path length penalty of a StyleGAN2, in every fourth step; 0 for none.
        reuse_fakes: Whether the generator learns from the images that the discriminator has just been trained on, which
            saves a pass of it, or from fresh ones.
    """

    loss: Loss = "non_saturating"
    g_learning_rate: float = 2e-4
    d_learning_rate: float = 2e-4
    beta_1: float = 0.5
    beta_2: float = 0.99
    decay: bool = False
    ema_decay: float = 0.995
    augment: str = "translation,cutout,color"
    apa: bool = False
    horizon: int = 20_000
    lecam: LeCamWeight = 0.0
    label_ramp: tuple[int, int] | None = None
    r1: float = 0.1
    r1_every: int = 16
    gradient_penalty: float = 0.0
    path_length: float = 0.0
    reuse_fakes: bool = False

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise ConfigError(f"`loss` must be one of {', '.join(get_args(Loss))}. Received: {self.loss}")
        if not self.adaptive and not self._names <= set(AUGMENTATIONS):
            raise ConfigError(
                f"`augment` must name {', '.join(AUGMENTATIONS)}, with commas, or be ada alone. "
                f"Received: {self.augment}"
            )
        if self.loss == "wasserstein" and (self.adaptive or self.apa):
            raise ConfigError(
                "`loss` must tell real from fake by the sign of a logit for ada and apa: any but wasserstein. "
                "Received: wasserstein"
            )
        check_at_least(self, 1, "horizon")
        if self.lecam != "auto" and not (isinstance(self.lecam, int | float) and 0 <= self.lecam < float("inf")):
            raise ConfigError(f"`lecam` must be auto, or a number of at least 0. Received: {self.lecam}")
        if self.label_ramp is not None:
            object.__setattr__(self, "label_ramp", tuple(self.label_ramp))
            if len(self.label_ramp) != 2 or not 0 <= self.label_ramp[0] < self.label_ramp[1]:
                raise ConfigError(
                    "`label_ramp` must be a start of at least 0 and a later end. "
                    f"Received: {', '.join(map(str, self.label_ramp))}"
                )
        check_above(self, 0, "g_learning_rate", "d_learning_rate")
        check_at_least(self, 0, "r1", "gradient_penalty", "path_length")
        check_within(self, "[0, 1)", "beta_1", "beta_2", "ema_decay")
        check_at_least(self, 1, "r1_every")

    @classmethod
    def of(cls, networks: "Networks", image_size: int, batch_size: int, **changes: Any) -> "Optimization":
        """The settings that the authors of an architecture trained it with.

        Args:
            networks: The architecture; one whose authors are not followed here gives the defaults.
            image_size: Height and width in pixels.
            batch_size: Images a step.
            **changes: Settings that differ, by their names.

        Example:
            >>> Optimization.of(StyleGAN2(), image_size=64, batch_size=32).g_learning_rate
            0.0025
        """
        return cls(**networks.training(image_size, batch_size) | changes)

    def differences(self, networks: "Networks | Discriminators", image_size: int, batch_size: int) -> str:
        """What the authors of an architecture set otherwise, in words; empty if nothing.

        Args:
            networks: The architecture, of a pair or of a discriminator.
            image_size: Height and width in pixels.
            batch_size: Images a step.
        """
        theirs = networks.training(image_size, batch_size)
        others = [
            f"{name} {value if isinstance(value, str) else format(value, '.4g')}"
            for name, value in theirs.items()
            if getattr(self, name) != value
        ]
        name = type(networks).__name__
        return f"the authors of {name} trained with {', '.join(others)} (--optimization.NAME)" if others else ""

    @property
    def _names(self) -> set[str]:
        return {name.strip() for name in self.augment.split(",") if name.strip()}

    @property
    def adaptive(self) -> bool:
        """Whether augmentation is adaptive."""
        return self._names == {"ada"}

    @property
    def conditional_from(self) -> int:
        """First step from which on a conditional pair uses labels in full."""
        return self.label_ramp[1] if self.label_ramp else 0

    def check(self, steps: int | None, num_classes: int | None = 0) -> None:
        """Refuses what would be set and not used.

        Args:
            steps: Steps of the run; `None` if they are not yet known.
            num_classes: Number of classes of the pair, `None` if it is unconditional, 0 if not yet known.

        Raises:
            ConfigError: If `label_ramp` does not end within the run, or the pair is unconditional.
        """
        if self.label_ramp is None:
            return
        if num_classes is None:
            raise ConfigError(f"`label_ramp` must be left out for a pair without labels. Received: {self.label_ramp}")
        if steps is not None and self.label_ramp[1] >= steps:
            raise ConfigError(
                f"`label_ramp` must end before step {steps}, the last. Received: an end at {self.label_ramp[1]}"
            )

    def compile(
        self, gan: "GAN", steps: int, transfer: "Transfer | None" = None, private: "PrivateGradients | None" = None
    ) -> None:
        """Compiles a GAN with these settings for a run of `steps` steps, after a transfer method has prepared it.

        Raises:
            ConfigError: If there is a `label_ramp` and the pair is unconditional, or a `path_length` and the generator
                is no StyleGAN2.
        """
        import keras

        from tfgantl.adaptive import AdaptiveAugment
        from tfgantl.augment import DiffAugment
        from tfgantl.models.adapters.base import LabelRamp
        from tfgantl.optimizers import Adam
        from tfgantl.path_length import PathLength, check_styles
        from tfgantl.regularizers import LECAM_WEIGHTS, AdaptivePseudoAugment, LeCam
        from tfgantl.training.rates import ScaledRate

        def adam(rate: float) -> keras.optimizers.Optimizer:
            if self.decay:
                rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.1)
            scaled = ScaledRate(rate, gan.rate_factor)
            return Adam(scaled, beta_1=self.beta_1, beta_2=self.beta_2)

        control: dict[str, Any] = {"horizon": self.horizon, "centre": 0.5 if self.loss == "least_squares" else 0.0}
        augment = None
        if self.adaptive:
            augment = AdaptiveAugment(**control)
        elif self._names:
            augment = DiffAugment(self.augment)
        regularizers = []
        if self.apa:
            regularizers.append(AdaptivePseudoAugment(**control))
        if self.lecam:
            weight = LECAM_WEIGHTS[self.loss] if self.lecam == "auto" else self.lecam
            # The paper waits for averages to mean something; short runs cannot wait as long.
            regularizers.append(LeCam(weight, start=min(1000, steps // 10)))
        if self.path_length:
            check_styles(gan.generator)
            regularizers.append(PathLength(self.path_length))
        if self.label_ramp:
            step = gan.step  # in the closure, and not the GAN, which would hold itself
            for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
                # First, so that adapters of the transfer method work on interpolated rows, and stay last in the list.
                adapters.insert(0, LabelRamp(network, lambda: step, *self.label_ramp))

        gan.compile(
            adam(self.g_learning_rate * (transfer.g_lr_multiplier if transfer else 1.0)),
            adam(self.d_learning_rate * (transfer.d_lr_multiplier if transfer else 1.0)),
            loss=self.loss,
            augment=augment,
            regularizers=regularizers,
            r1=self.r1,
            r1_every=self.r1_every,
            gradient_penalty=self.gradient_penalty,
            reuse_fakes=self.reuse_fakes,
            transfer=transfer,
            private=private,
        )


# On a hundred images a fast discriminator keeps the generator diverse; chosen on validation images (docs/methods.md).
ADAPTATION = Optimization(g_learning_rate=2e-4, d_learning_rate=2e-3, decay=True, ema_decay=0.99)


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
