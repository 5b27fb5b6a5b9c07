"""Follows the stages of a transfer method, and returns the networks in their best state."""

from collections.abc import Callable

import tensorflow as tf

from tfgantl.gan import GAN
from tfgantl.training.callbacks import Progress, StopOnNonFinite, Validate
from tfgantl.training.stages import Outcome


def follow(
    gan: GAN,
    schedule,
    batches_from: Callable[[int], tf.data.Dataset],
    validate: Validate,
    progress: Progress,
) -> list[str]:
    """Trains a compiled GAN stage by stage.

    Args:
        gan: The GAN, prepared and compiled.
        schedule: What `Transfer.schedule` gives.
        batches_from: Gives the batches from a number on.
        validate: Measures every few steps and at the end of each stage; its best state is restored at the end. May
            stop the run.
        progress: Shows where the run is.

    Returns:
        One line for each stage: its name, steps and what was measured at its end.
    """
    lines = []
    outcome = None
    while True:
        try:
            stage = schedule.send(outcome)
        except StopIteration:
            break
        stage.begin(gan)
        progress.stage = stage.name
        start = int(gan.step)
        gan.fit(
            batches_from(start),
            steps_per_epoch=stage.steps,
            verbose=0,
            shuffle=False,
            callbacks=[progress, StopOnNonFinite(validate), validate],
        )
        if not stage.measured and not validate.stopped:
            outcome = None
            continue
        if not validate.history or validate.history[-1]["step"] != int(gan.step):
            validate.measure()
        best = min(record["val_ckid"] for record in validate.history)
        outcome = Outcome(validate.history[-1]["val_ckid"], best, *validate.discriminator_accuracy())
        lines.append(
            f"{stage.name}: {int(gan.step) - start} steps, validation cKID {outcome.ckid:.4f} (best {best:.4f}), "
            f"discriminator accuracy {outcome.d_real:.2f} on real, {outcome.d_fake:.2f} on generated"
        )
        if validate.stopped:
            lines.append(f"stopped: {validate.patience} validations without a better cKID")
            break
    validate.restore_best()
    return lines
