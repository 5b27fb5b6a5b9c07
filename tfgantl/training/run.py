"""Trains one GAN with one transfer method: what pretraining, adaptation and its baseline have in common."""

from dataclasses import dataclass

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.metrics.extractors import Extractor
from tfgantl.training.callbacks import Progress, Validate
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.optimization import Optimization
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.schedule import follow

MOST_VALIDATION_IMAGES = 2000


@dataclass(frozen=True)
class Trained:
    """A trained GAN in its best state, and how it got there.

    Args:
        gan: The GAN; `ema_generator` is the result.
        stages: One line for each stage.
        history: Records of the validation: step, val_ckid, val_coverage, val_nn_ratio, losses.
        best_step: Step of the state that was kept.
        steps: Number of steps taken.
        seconds: Time spent in training steps.
        images_per_second: Real images seen, over that time.
    """

    gan: GAN
    stages: list[str]
    history: list[dict]
    best_step: int
    steps: int
    seconds: float
    images_per_second: float


def train(
    gan: GAN,
    transfer,
    source: GAN | None,
    train_examples: Examples,
    validation_examples: Examples,
    extractor: Extractor,
    optimization: Optimization,
    steps: int,
    batch_size: int,
    seed: int,
    validate_every: int,
    mirror: bool = False,
    run: RunDirectory | None = None,
    title: str = "adapt",
    patience: int | None = None,
) -> Trained:
    """Prepares, compiles, follows the schedule, keeps the best state by validation cKID, and merges what was added.

    Args:
        gan: Freshly built pair.
        transfer: The `Transfer`.
        source: Trained pair to transfer from, or `None`.
        train_examples: What training sees.
        validation_examples: What chooses the best state.
        extractor: Features for the validation.
        optimization: Losses and optimizers.
        steps: Number of training steps.
        batch_size: Images a step.
        seed: Order of the images.
        validate_every: Steps between validations.
        mirror: Whether half of the images are flipped.
        run: Where to log and to keep checkpoints; `None` writes nothing.
        title: Name of this training in progress, log and file names.
        patience: Validations without a better cKID after which to stop; `None` for never.
    """
    transfer.prepare(gan, source)
    optimization.compile(gan, steps, transfer)
    checkpoints = Checkpoints(gan, run.path / "checkpoints" / title) if run else None
    progress = Progress(title, steps, batch_size)
    few = train_examples.size is not None and train_examples.size <= MOST_VALIDATION_IMAGES
    shots = train_examples.some(MOST_VALIDATION_IMAGES)[0] if few else None  # nobody copies one of ten thousand
    validate = Validate(
        run,
        extractor,
        validation_examples.some(MOST_VALIDATION_IMAGES),
        validate_every,
        checkpoints,
        title,
        shots=shots,
        patience=patience,
        keep_from=optimization.conditional_from,
        progress=progress,
    )
    try:
        stages = follow(
            gan,
            transfer.schedule(steps),
            lambda start: batches(train_examples, batch_size, seed, start, mirror=mirror),
            validate,
            progress,
        )
    finally:
        progress.close()  # or it would be drawn again below an error
    transfer.finish(gan)
    taken = validate.history[-1]["step"]
    return Trained(
        gan, stages, validate.history, validate.best_step, taken, progress.seconds, progress.images_per_second
    )
