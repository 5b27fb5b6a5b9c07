"""How fast a GAN trains on this machine: a few steps of a pair that is thrown away."""

from dataclasses import dataclass, replace
from time import perf_counter as clock
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.training.callbacks import Progress
from tfgantl.training.run import MAX_VALIDATION_IMAGES, TrainingData
from tfgantl.training.schedule import ScheduleState, run_schedule
from tfgantl.training.settings import TrainingSettings
from tfgantl.training.team import current
from tfgantl.training.validation import Validate

if TYPE_CHECKING:
    from tfgantl.transfer import Transfer

STEPS = 33  # the first is left out, as it builds the graph; of the others, two have an R1 penalty by default


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Args:
        step: Seconds a training step, with its share of penalties that not every step has.
        validation: Seconds a validation.
        seconds: What measuring took, with building the graph.
    """

    step: float
    validation: float
    seconds: float


class _Stopwatch(Validate):
    """Validates at the ends of stages only, and times the steps from end to end, so that reading images counts.

    Args:
        most: Seconds after which to stop.
        **options: Of `Validate`.
    """

    def __init__(self, most: float, **options: Any) -> None:
        super().__init__(**options)
        self.seconds, self.steps = 0.0, 0
        self._end = clock() + most

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._last: float | None = None  # a stage may have a graph of its own

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        now = clock()
        if self._last is not None:
            self.seconds += now - self._last
            self.steps += 1
        self._last = now
        if self.steps and now > self._end:
            self.stopped = self.model.stop_training = True


def measure_speed(
    gan: GAN, transfer: "Transfer", source: GAN | None, data: TrainingData, settings: TrainingSettings, most: float
) -> Speed:
    """Trains a pair for a few steps, shared among the stages of the method as those of a whole run are.

    Args:
        gan: Freshly built pair, which nobody may use afterwards.
        transfer: The transfer method.
        source: Trained pair to transfer from, or `None`.
        data: Images and features.
        settings: Of the training that is asked about.
        most: Seconds after which to stop; at least two steps are taken.
    """
    began, team = clock(), current()
    settings = replace(settings, steps=STEPS, patience=None)
    batch_size = min(settings.batch_size, data.train.size or settings.batch_size)
    team.check_batch(batch_size)
    with gan.distribute_strategy.scope():
        transfer.prepare(gan, source)
        settings.optimization.compile(gan, STEPS, transfer, settings.privacy.gradients(settings.privacy.new_key()))
    progress = Progress("measuring speed", STEPS, batch_size)
    stopwatch = _Stopwatch(
        most,
        run=None,
        extractor=data.extractor,
        validation=data.validation.subset(MAX_VALIDATION_IMAGES),
        every=STEPS,
        title="measuring speed",
    )

    def batches_from(start: int, **shares: Any) -> tf.data.Dataset:
        return batches(data.train, batch_size, settings.seed, start, mirror=settings.mirror, **shares)

    try:
        run_schedule(
            gan,
            transfer.schedule(STEPS),
            team.shared(batches_from),
            stopwatch,
            progress,
            ScheduleState(),
        )
    finally:
        progress.close()
    again = clock()
    stopwatch.measure()  # once more, as the first time builds graphs, too
    now = clock()
    return Speed(stopwatch.seconds / max(1, stopwatch.steps), now - again, now - began)
