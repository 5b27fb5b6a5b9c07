"""Runs the stages of a transfer method, from the start or from where a checkpoint was, to the best state."""

from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from typing import Any

import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.progress import log
from tfgantl.training.callbacks import Progress, Save, StopOnNonFinite
from tfgantl.training.stages import Stage, StageMetrics
from tfgantl.training.trainable import trainable_parameters
from tfgantl.training.validation import Validate


@dataclass
class ScheduleState:
    """Where a run is in its schedule.

    Args:
        outcomes: What was measured at the end of each stage that is over; `None` for one that was not measured.
        lines: One line for each stage that was measured.
        begun: Number of the stage that has begun, from 1; 0 before the first.
        start: Step at which it began.
    """

    outcomes: list[StageMetrics | None] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    begun: int = 0
    start: int = 0

    def state(self) -> dict:
        """What a checkpoint keeps."""
        return asdict(self)

    def set_state(self, state: dict) -> None:
        """Takes up what `state` gave."""
        self.outcomes = [outcome and StageMetrics(**outcome) for outcome in state["outcomes"]]
        self.lines, self.begun, self.start = list(state["lines"]), state["begun"], state["start"]


def run_schedule(
    gan: GAN,
    schedule: Generator[Stage, Any, None],
    batches_from: Callable[[int], tf.data.Dataset],
    validate: Validate,
    progress: Progress,
    state: ScheduleState,
    save: Save | None = None,
) -> list[str]:
    """Trains a compiled GAN stage by stage.

    Args:
        gan: The GAN, prepared and compiled, or restored.
        schedule: What `Transfer.schedule` gives; stages that are over get the outcome that they had.
        batches_from: Gives the batches from a number on.
        validate: Measures every few steps and at the end of each stage; its best state is restored at the end. May
            stop the run.
        progress: Shows where the run is.
        state: Where the run is, and is kept up to date.
        save: Writes checkpoints.

    Returns:
        One line for each stage: its name, steps and what was measured at its end.
    """
    outcome, number = None, 0
    told: set[str] = set()
    validate.set_model(gan)
    while not validate.stopped or number < state.begun:
        try:
            stage = schedule.send(outcome)
        except StopIteration:
            break
        number += 1
        if number <= len(state.outcomes):
            outcome = state.outcomes[number - 1]
            continue
        if number == state.begun:
            stage.apply(gan)  # what is done before a stage is in the checkpoint
        else:
            stage.begin(gan)
            state.begun, state.start = number, gan.steps_taken
        progress.stage = stage.name
        _tell_what_is_trained(gan, stage, progress.title, told)
        left = max(0, state.start + stage.steps - gan.steps_taken)  # it may be resumed with fewer steps than were taken
        if left and not validate.stopped:
            gan.fit(
                batches_from(gan.steps_taken),
                steps_per_epoch=left,
                verbose=0,
                shuffle=False,
                callbacks=[progress, StopOnNonFinite(validate), validate, *([save] if save else [])],
            )
        outcome = None
        if stage.measured or validate.stopped:
            outcome = _measured(gan, stage, validate, state)
        state.outcomes.append(outcome)
    if save:
        save.checkpoints.save(gan.steps_taken, again=True)  # what was measured at the end of the stage belongs to it
    validate.restore_best()
    stopped = [f"stopped: {validate.patience} validations without a better cKID"] if validate.stopped else []
    return state.lines + stopped


def _tell_what_is_trained(gan: GAN, stage: Stage, title: str, told: set[str]) -> None:
    """Says how much a stage trains, once for each name of a stage.

    Raises:
        ConfigError: If it trains nothing.
    """
    trained = trainable_parameters(gan)
    if not trained.total:
        raise ConfigError(f"stage `{stage.name}` must train something. Received: no trainable parameters")
    if stage.name not in told:
        told.add(stage.name)
        log(f"{title}: {stage.name} trains {trained}")


def _measured(gan: GAN, stage: Stage, validate: Validate, state: ScheduleState) -> StageMetrics:
    if not validate.history or validate.history[-1]["step"] != gan.steps_taken:
        validate.measure()
    best = min(record["val_ckid"] for record in validate.history)
    outcome = StageMetrics(validate.history[-1]["val_ckid"], best, *validate.discriminator_accuracy())
    state.lines.append(
        f"{stage.name}: {gan.steps_taken - state.start} steps, validation cKID {outcome.ckid:.4f} (best {best:.4f}), "
        f"discriminator accuracy {outcome.d_real:.2f} on real, {outcome.d_fake:.2f} on generated"
    )
    return outcome
