"""Trains one GAN with one transfer method: what pretraining, adaptation and its baseline have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError, DivergedError
from tfgantl.gan import GAN
from tfgantl.metrics.extractors import Extractor
from tfgantl.models.copies import assign_weights, same_copy
from tfgantl.progress import log
from tfgantl.training.callbacks import Progress, Save
from tfgantl.training.checkpoint import Checkpoints, Stateful
from tfgantl.training.interruption import Interruption
from tfgantl.training.private import DifferentialPrivacy
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.schedule import ScheduleState, run_schedule
from tfgantl.training.settings import TrainingSettings
from tfgantl.training.team import current, errors_of_workers
from tfgantl.training.validation import Validate

if TYPE_CHECKING:
    from tfgantl.transfer import Transfer

MAX_VALIDATION_IMAGES = 2000
ROLLBACKS = 2


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from and what it is validated with.

    Args:
        train: What training sees.
        validation: What chooses the best state.
        extractor: Features for the validation.
        classes: Class of each label, int (labels,), where labels are finer than classes, such as captions.
    """

    train: Examples
    validation: Examples
    extractor: Extractor
    classes: np.ndarray | None = None


@dataclass(frozen=True)
class Trained:
    """A trained GAN in its best state, and how it got there.

    Args:
        gan: The GAN; `ema_generator` is the result.
        stages: One line for each stage.
        history: Records of the validation: step, val_ckid, val_coverage, val_nn_ratio, losses.
        best_step: Step of the state that was restored.
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
    transfer: "Transfer",
    source: GAN | None,
    data: TrainingData,
    settings: TrainingSettings,
    run: RunDirectory | None = None,
    title: str = "adapt",
) -> Trained:
    """Trains a GAN, and restores the state that validated best.

    Args:
        gan: Freshly built pair.
        transfer: The transfer method; `Scratch` for none.
        source: Trained pair to transfer from, or `None`.
        data: Images and features; batches have at most all training images.
        settings: Steps, batches, optimization, validation and checkpoints.
        run: Where to log and to save checkpoints, and whose newest one is where training begins; `None` writes
            nothing.
        title: Name of this training in progress, log and file names.

    Raises:
        DivergedError: If a loss or a weight is not finite, also after going back with lower learning rates.
        InterruptedRun: If a signal asks to stop; everything is saved then.
        RunError: If the disk is full, or a checkpoint is of another network.
    """
    team = current()
    batch_size = min(settings.batch_size, data.train.size or settings.batch_size)
    team.check_batch(batch_size)
    privacy = settings.privacy
    key = team.lead(privacy.new_key)
    with gan.distribute_strategy.scope():
        transfer.prepare(gan, source)
        privacy.check(settings.optimization.settled(), transfer, gan)
        if privacy.on:
            tell_epsilon(privacy, data.train.size, batch_size, settings.steps)
        settings.optimization.compile(gan, settings.steps, transfer, privacy.gradients(key))
    progress = Progress(title, settings.steps, batch_size)
    best_weights = [tf.Variable(weight.value, trainable=False) for weight in gan.changing_weights]
    validate = _validation(data, settings, run, title, best_weights, progress)
    if not transfer.needs_target:
        validate.keep_from = settings.steps
    state = ScheduleState()

    def batches_from(start: int, **shares: Any) -> tf.data.Dataset:
        seed = key if privacy.on else settings.seed
        return batches(data.train, batch_size, seed, start, mirror=settings.mirror, independent=privacy.on, **shares)

    def follow_schedule(save: Save | None = None) -> list[str]:
        stages = transfer.schedule(settings.steps)
        with errors_of_workers():
            return run_schedule(gan, stages, team.shared(batches_from), validate, progress, state, save)

    try:
        if run is None:
            stages = follow_schedule()
        else:
            parts: dict[str, Stateful] = {"validation": validate, "progress": progress, "schedule": state}
            checkpoints = validate.checkpoints = Checkpoints(
                gan, run.folder(f"checkpoints/{title}"), parts, best_weights, run.id, team
            )
            restored = checkpoints.restore_last()
            run.rewrite_log(title, validate.history)
            if restored is None:
                checkpoints.save(0)
            else:
                log(f"{title}: going on from step {restored}")
            with Interruption() as interruption:
                save = Save(checkpoints, settings.save_every or settings.validate_every, interruption, run.path)
                stages = with_rollback(gan, checkpoints, run, validate, batches_from, lambda: follow_schedule(save))
                if team.lead(lambda: interruption.asked):  # in the last measurement
                    interruption.stop(validate.history[-1]["step"], run.path)
    finally:
        progress.close()  # or it would be drawn again below an error
    transfer.finish(gan)
    if gan.is_shared:
        gan = on_one_device(gan)
    steps, best_step = validate.history[-1]["step"], cast(int, validate.best_step)  # which the schedule has restored
    return Trained(gan, stages, validate.history, best_step, steps, progress.seconds, progress.images_per_second)


def on_one_device(gan: GAN) -> GAN:
    """The same pair without copies on several devices, to be measured and saved; without adapters and optimizers."""
    alone = GAN(same_copy(gan.generator), same_copy(gan.discriminator), ema_decay=gan.ema_decay, seed=gan.seed)
    assign_weights(alone.ema_generator, gan.ema_generator.get_weights())
    alone.step.assign(gan.steps_taken)
    return alone


def tell_epsilon(privacy: DifferentialPrivacy, images: int | None, batch_size: int, steps: int) -> None:
    """Logs what differential privacy a training comes to.

    Raises:
        ConfigError: If images have no end, so that there is nobody to protect.
    """
    if images is None:
        raise ConfigError("`privacy.noise` must be 0 for images without end, which are nobody's. Received: noise")
    epsilon = privacy.epsilon(images, batch_size, steps)
    log(
        f"differential privacy: ε = {epsilon:.3g} at δ = {privacy.delta:g}, after {steps} steps of {batch_size} of "
        f"{images} images; for the discriminator's gradients, not for choices made before and after (docs/privacy.md)"
    )


def _validation(
    data: TrainingData,
    settings: TrainingSettings,
    run: RunDirectory | None,
    title: str,
    best_weights: list[tf.Variable],
    progress: Progress,
) -> Validate:
    few = data.train.size is not None and data.train.size <= MAX_VALIDATION_IMAGES
    shots = data.train.subset(MAX_VALIDATION_IMAGES)[0] if few else None  # nobody copies one of ten thousand
    return Validate(
        run,
        data.extractor,
        data.validation.subset(MAX_VALIDATION_IMAGES),
        settings.validate_every,
        best_weights,
        title,
        shots=shots,
        patience=settings.patience,
        keep_from=settings.optimization.conditional_from,
        progress=progress,
        classes=data.classes,
    )


def with_rollback(
    gan: GAN,
    checkpoints: Checkpoints,
    run: RunDirectory,
    validate: Validate,
    batches_from: Callable[[int], tf.data.Dataset],
    follow_schedule: Callable[[], list[str]],
) -> list[str]:
    """Trains; on divergence, goes back to the last checkpoint and halves the learning rates, at most twice.

    Args:
        gan: What is trained.
        checkpoints: Where to go back to.
        run: Where the batches of a divergence that remains are saved.
        validate: The validation, whose history goes back, too.
        batches_from: Gives the batches from a step on.
        follow_schedule: Trains to the end.

    Returns:
        One line for each stage.

    Raises:
        DivergedError: If it diverges once more. The last two batches are then in the run directory: a loss is not
            finite because of the last one, or of weights that the one before has spoilt.
    """
    while True:
        try:
            return follow_schedule()
        except DivergedError as error:
            step, factor = gan.steps_taken, float(tf.convert_to_tensor(gan.rate_factor))
            if factor <= 0.5**ROLLBACKS:
                arrays: dict[str, Any] = {}
                for number in range(max(0, step - 2), step):
                    parts = next(iter(batches_from(number)))
                    arrays |= {
                        f"{name}_{number}": p.numpy() for name, p in zip(("images", "labels"), parts, strict=True)
                    }
                with run.replacing(f"diverged_{validate.title}.npz") as temporary:
                    np.savez(temporary, **arrays)
                raise
            restored = checkpoints.restore_last()
            run.rewrite_log(validate.title, validate.history)
            gan.rate_factor.assign(factor / 2)
            log(f"{validate.title}: {error}; going back to step {restored} with {factor / 2:g} of the learning rates")
