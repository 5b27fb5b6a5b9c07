"""Trains one GAN with one transfer method: what pretraining, adaptation and its baseline have in common."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import DivergedError
from tfgantl.gan import GAN
from tfgantl.metrics.extractors import Extractor
from tfgantl.progress import log
from tfgantl.training.callbacks import Progress, Save
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.interruption import Interruption
from tfgantl.training.optimization import Optimization
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.schedule import ScheduleState, run_schedule
from tfgantl.training.validation import Validate

MAX_VALIDATION_IMAGES = 2000
ROLLBACKS = 2


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
    save_every: int | None = None,
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
        run: Where to log and to keep checkpoints, and whose newest one is where training begins; `None` writes
            nothing.
        title: Name of this training in progress, log and file names.
        patience: Validations without a better cKID after which to stop; `None` for never.
        save_every: Steps between checkpoints; `None` for those of the validations.

    Raises:
        DivergedError: If a loss or a weight is not finite, also after going back with lower learning rates.
        InterruptedRun: If a signal asks to stop; everything is saved then.
        RunError: If the disk is full, or a checkpoint is of another network.
    """
    transfer.prepare(gan, source)
    optimization.compile(gan, steps, transfer)
    progress = Progress(title, steps, batch_size)
    few = train_examples.size is not None and train_examples.size <= MAX_VALIDATION_IMAGES
    shots = train_examples.subset(MAX_VALIDATION_IMAGES)[0] if few else None  # nobody copies one of ten thousand
    best_weights = [tf.Variable(weight.value, trainable=False) for weight in gan.weights]
    validate = Validate(
        run,
        extractor,
        validation_examples.subset(MAX_VALIDATION_IMAGES),
        validate_every,
        best_weights,
        title,
        shots=shots,
        patience=patience,
        keep_from=optimization.conditional_from,
        progress=progress,
    )
    state = ScheduleState()

    def batches_from(start):
        return batches(train_examples, batch_size, seed, start, mirror=mirror)

    def go_on(save=None):
        return run_schedule(gan, transfer.schedule(steps), batches_from, validate, progress, state, save)

    try:
        if run is None:
            stages = go_on()
        else:
            parts = {"validation": validate, "progress": progress, "schedule": state}
            checkpoints = validate.checkpoints = Checkpoints(gan, run.path / "checkpoints" / title, parts, best_weights)
            begun = checkpoints.restore_last()
            run.rewrite_log(title, validate.history)
            if begun is None:
                checkpoints.save(0)
            else:
                log(f"{title}: going on from step {begun}")
            with Interruption() as interruption:
                save = Save(checkpoints, save_every or validate_every, interruption, run.path)
                stages = with_rollback(gan, checkpoints, run, validate, batches_from, lambda: go_on(save))
                if interruption.asked:  # in the last measurement
                    interruption.stop(validate.history[-1]["step"], run.path)
    finally:
        progress.close()  # or it would be drawn again below an error
    transfer.finish(gan)
    taken = validate.history[-1]["step"]
    return Trained(
        gan, stages, validate.history, validate.best_step, taken, progress.seconds, progress.images_per_second
    )


def with_rollback(gan: GAN, checkpoints: Checkpoints, run: RunDirectory, validate: Validate, batches_from, go_on):
    """Trains; where it diverges, goes back to the last checkpoint and halves the learning rates, at most twice.

    Raises:
        DivergedError: If it diverges once more. The last two batches are then in the run directory: a loss is not
            finite because of the last one, or of weights that the one before has spoilt.
    """
    while True:
        try:
            return go_on()
        except DivergedError as error:
            step, factor = int(gan.step), float(gan.rate_factor)
            if factor <= 0.5**ROLLBACKS:
                arrays = {}
                for number in range(max(0, step - 2), step):
                    parts = next(iter(batches_from(number)))
                    arrays |= {
                        f"{name}_{number}": p.numpy() for name, p in zip(("images", "labels"), parts, strict=True)
                    }
                with run.replacing(f"diverged_{validate.title}.npz") as temporary:
                    np.savez(temporary, **arrays)
                raise
            begun = checkpoints.restore_last()
            run.rewrite_log(validate.title, validate.history)
            gan.rate_factor.assign(factor / 2)
            log(f"{validate.title}: {error}; going back to step {begun} with {factor / 2:g} of the learning rates")
