"""The settings of one training, which imports no TensorFlow."""

from dataclasses import dataclass, field
from typing import Literal

from tfgantl.errors import check_at_least, check_seed
from tfgantl.training.optimization import Optimization
from tfgantl.training.private import DifferentialPrivacy

Devices = Literal["auto", "all"] | int


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long a GAN is trained, on what batches, and how often it is measured and saved.

    Args:
        steps: Training steps.
        batch_size: Images a step.
        seed: Makes the run repeatable.
        validate_every: Steps between validations, which choose the best state.
        patience: Validations without a better cKID after which to stop; none to take all steps.
        mirror: Flip half of the training images left to right.
        optimization: Losses and optimizers.
        save_every: Steps between checkpoints; those of the validations if not given.
        privacy: Differential privacy of the training images, for the discriminator.
    """

    steps: int
    batch_size: int = 64
    seed: int = 0
    validate_every: int
    patience: int | None = None
    mirror: bool = False
    optimization: Optimization = field(default_factory=Optimization)
    save_every: int | None = None
    privacy: DifferentialPrivacy = field(default_factory=DifferentialPrivacy)

    def __post_init__(self) -> None:
        check_at_least(self, 1, "steps", "batch_size", "validate_every", "patience", "save_every")
        check_seed("seed", self.seed)
        self.privacy.check(self.optimization)
