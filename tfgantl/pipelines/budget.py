"""From the time that a training may take to the number of its steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tfgantl.errors import ConfigError
from tfgantl.pipelines.settings import GANTrainingConfig
from tfgantl.progress import log
from tfgantl.training.durations import in_words, seconds_of
from tfgantl.training.team import current

if TYPE_CHECKING:
    from tfgantl.training.settings import TrainingSettings
    from tfgantl.training.speed import Speed

SomeConfig = TypeVar("SomeConfig", bound=GANTrainingConfig)

MIN_STEPS = 50
VALIDATING = 0.2  # share of the time that validations may take


def with_steps(
    config: SomeConfig, measure: "Callable[[TrainingSettings, float], Speed]", remark: str = ""
) -> SomeConfig:
    """The configuration with the steps that its budget allows for in its place; itself if it has no budget.

    From there on nothing knows of the budget: what is trained, kept in the run directory and resumed is a run with so
    many steps.

    Args:
        config: Settings of a verb that trains a GAN.
        measure: Measures a training with these settings, for at most so many seconds.
        remark: What to add to the line in the log.

    Raises:
        ConfigError: If the time is not enough for `MIN_STEPS`, or the settings do not fit the steps that it is enough
            for.
    """
    if config.budget is None:
        return config
    if current().cluster is not None:
        raise ConfigError(
            "`budget` must be left out with several workers, which would not agree on the steps. "
            f"Received: {config.budget}"
        )
    seconds, every = seconds_of(config.budget, "budget"), config.validate_every
    usual, usual_every = config.default_steps, config.default_validate_every
    count = -(-usual // usual_every)
    speed = measure(config.training_settings(steps=usual, validate_every=every or usual_every), seconds)
    if every is None:  # as many validations as a run of the usual length has, if they leave time for training
        count = min(count, max(1, int(VALIDATING * seconds / speed.validation))) if speed.validation else count
        needed, per_step = count * speed.validation, speed.step
    else:
        needed, per_step = 0.0, speed.step + speed.validation / every
    steps = int((seconds - needed) / per_step)
    if steps < MIN_STEPS:
        raise ConfigError(
            f"`budget` must be enough for {MIN_STEPS} steps: {needed + MIN_STEPS * per_step:.0f}s at "
            f"{speed.step:.2g} s a step. Received: {config.budget}"
        )
    steps -= steps % 10
    every = every or -(-steps // count)
    log(
        f"{speed.seconds:.0f} s measured {speed.step:.2g} s a step: {steps:,} steps in {in_words(seconds)}, with "
        f"{-(-steps // every)} validations of {speed.validation:.2g} s{remark}"
    )
    return replace(config, budget=None, steps=steps, validate_every=every)
