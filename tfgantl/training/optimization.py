"""How networks are trained: the settings that a recipe may change, and what they are where nobody sets them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from tfgantl.errors import ConfigError, check_above, check_at_least, check_within

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN
    from tfgantl.models import Discriminators, Networks
    from tfgantl.private_step import PrivateGradients
    from tfgantl.transfer import Transfer


AUGMENTATIONS = ("translation", "cutout", "color", "affine", "resolution")
# More augmentation than images call for leaves a small discriminator at chance (docs/methods.md).
FEW_IMAGES, AUGMENT_FEW, AUGMENT_MANY = 1000, "translation,cutout,color", "translation"
Loss = Literal["minimax", "non_saturating", "hinge", "least_squares", "wasserstein"]
LeCamWeight = Literal["auto"] | float


@dataclass(frozen=True)
class Optimization:
    """Losses, penalties and optimizers (Adam for both networks).

    What is not given is as the authors of the networks trained them (`Networks.training`), or else as is usual for an
    adaptation (`ADAPTATION`) or any training (`USUAL`).

    Args:
        loss: minimax, non_saturating, hinge, least_squares or wasserstein.
        g_learning_rate: Learning rate of the generator.
        d_learning_rate: Learning rate of the discriminator.
        beta_1: Decay of Adam's first moment.
        beta_2: Decay of Adam's second moment.
        decay: Whether learning rates fall to a tenth over the run, along a cosine.
        ema_decay: Share of the old average that a step keeps in the averaged generator.
        augment: Names out of translation, cutout, color, affine, resolution for DiffAugment, or ada alone for adaptive
            augmentation; gray images leave color out; empty for none. If not given, translation, cutout, color for
            few images, and translation for many (docs/methods.md).
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
            saves a pass of it, or from fresh ones. If not given, only that of a DCGAN does (docs/methods.md).
        simultaneous: Whether both networks learn from one pass of both, which saves one of the discriminator, too.
    """

    loss: Loss | None = None
    g_learning_rate: float | None = None
    d_learning_rate: float | None = None
    beta_1: float | None = None
    beta_2: float | None = None
    decay: bool | None = None
    ema_decay: float | None = None
    augment: str | None = None
    apa: bool = False
    horizon: int = 20_000
    lecam: LeCamWeight = 0.0
    label_ramp: tuple[int, int] | None = None
    r1: float | None = None
    r1_every: int | None = None
    gradient_penalty: float = 0.0
    path_length: float = 0.0
    reuse_fakes: bool | None = None
    simultaneous: bool = False

    def __post_init__(self) -> None:
        if self.loss is not None and self.loss not in get_args(Loss):
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

    def settled(
        self,
        trained: "Networks | Discriminators | None" = None,
        image_size: int = 0,
        batch_size: int = 0,
        images: int | None = 0,
        kind: "Optimization | None" = None,
    ) -> "Optimization":
        """These settings with a value for each that was left open.

        Args:
            trained: The networks, or the discriminator that takes the place of that of the pair.
            image_size: Height and width in pixels.
            batch_size: Images a step.
            images: Training images, which choose the augmentation; `None` for a source without end.
            kind: What is usual for the kind of training: `ADAPTATION`, or nothing for a pretraining.

        Example:
            >>> Optimization(r1=1.0).settled(StyleGAN2(), image_size=64, batch_size=32).g_learning_rate
            0.0025
        """
        many = images is None or images > FEW_IMAGES
        theirs = trained.training(image_size, batch_size) if trained else {}
        values = vars(USUAL) | _given(kind) | {"augment": AUGMENT_MANY if many else AUGMENT_FEW} | theirs
        if kind and kind.ema_decay:  # theirs would still hold the source at the end of a short run
            values["ema_decay"] = kind.ema_decay
        if kind and trained:
            values |= trained.adaptation
        if self.simultaneous:  # which has one pass of its own
            values["reuse_fakes"] = False
        return Optimization(**values | _given(self))

    def differences(self, other: "Optimization") -> str:
        """What other settings have another value here, in words: `loss hinge, r1 0`; empty if none has."""
        return ", ".join(
            f"{name} {format(value, '.4g') if isinstance(value, float) else value}"
            for name, value in vars(self).items()
            if value != getattr(other, name)
        )

    @property
    def _names(self) -> set[str]:
        return {name.strip() for name in (self.augment or "").split(",") if name.strip()}

    @property
    def average(self) -> float:
        """`ema_decay` of settings that are settled."""
        return cast(float, self.ema_decay)

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

        Settings that are open are as in `USUAL`.

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

        settings: Any = self.settled()

        def adam(rate: float) -> keras.optimizers.Optimizer:
            if settings.decay:
                rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.1)
            scaled = ScaledRate(rate, gan.rate_factor)
            return Adam(scaled, beta_1=settings.beta_1, beta_2=settings.beta_2)

        centre = 0.5 if settings.loss == "least_squares" else 0.0
        control: dict[str, Any] = {"horizon": settings.horizon, "centre": centre}
        augment = None
        if settings.adaptive:
            augment = AdaptiveAugment(**control)
        elif settings._names:
            augment = DiffAugment(settings.augment)
        regularizers = []
        if settings.apa:
            regularizers.append(AdaptivePseudoAugment(**control))
        if settings.lecam:
            weight = LECAM_WEIGHTS[settings.loss] if settings.lecam == "auto" else settings.lecam
            # The paper waits for averages to mean something; short runs cannot wait as long.
            regularizers.append(LeCam(weight, start=min(1000, steps // 10)))
        if settings.path_length:
            check_styles(gan.generator)
            regularizers.append(PathLength(settings.path_length))
        if settings.label_ramp:
            step = gan.step  # in the closure, and not the GAN, which would hold itself
            for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
                # First, so that adapters of the transfer method work on interpolated rows, and stay last in the list.
                adapters.insert(0, LabelRamp(network, lambda: step, *settings.label_ramp))

        gan.compile(
            adam(
                settings.g_learning_rate
                * (multiplier_for(gan.generator, transfer.g_lr_multiplier) if transfer else 1.0)
            ),
            adam(settings.d_learning_rate * (transfer.d_lr_multiplier if transfer else 1.0)),
            loss=settings.loss,
            augment=augment,
            regularizers=regularizers,
            r1=settings.r1,
            r1_every=settings.r1_every,
            gradient_penalty=settings.gradient_penalty,
            reuse_fakes=settings.reuse_fakes,
            simultaneous=settings.simultaneous,
            transfer=transfer,
            private=private,
        )


def multiplier_for(generator: "keras.Model", multiplier: float) -> float:
    """What the rate of a generator is multiplied by for a method that trains few of its weights.

    Multipliers are for networks whose usual rate is 2e-4. That of a StyleGAN2 is higher, as its weights are scaled when
    they are used; what methods add to it is not, and gets no more than elsewhere.

    Args:
        generator: That is trained.
        multiplier: Of the method.

    Example:
        >>> multiplier_for(StyleGAN2().build(64, 3)[0], 30.0), multiplier_for(DCGAN().build(28, 1)[0], 30.0)
        (2.4, 30.0)
    """
    from tfgantl.models.families import specification_of

    networks, usual = specification_of(generator), cast(float, USUAL.g_learning_rate)
    own = networks.training(generator.output_shape[1], 1).get("g_learning_rate", usual) if networks else usual
    return max(min(multiplier, 1.0), multiplier * min(1.0, usual / own))


def _given(settings: Optimization | None) -> dict[str, Any]:
    return {} if settings is None else {name: value for name, value in vars(settings).items() if value is not None}


USUAL = Optimization(
    loss="non_saturating", g_learning_rate=2e-4, d_learning_rate=2e-4, beta_1=0.5, beta_2=0.99, decay=False,
    ema_decay=0.995, augment=AUGMENT_FEW, r1=0.1, r1_every=16, reuse_fakes=False,
)  # fmt: skip
# On a hundred images a fast discriminator keeps the generator diverse; chosen on validation images (docs/methods.md).
ADAPTATION = Optimization(d_learning_rate=2e-3, decay=True, ema_decay=0.99)
