"""What a method costs: the time of its steps over that of another, measured in turns."""

import time

import numpy as np

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.training.callbacks import Progress
from tfgantl.training.optimization import Optimization
from tfgantl.training.stages import StageMetrics
from tfgantl.transfer import Transfer

STEPS = 10  # at a time
TURNS = 5


class Stopwatch:
    """Compares the time of training steps with those of a baseline.

    Args:
        baseline: `Transfer` to compare with; it must train the same from the first step to the last.
        source: Trained pair.
        examples: Training images of the target.
        optimization: Losses and optimizers.
        steps: Steps of the runs that are compared.
        batch_size: Images a step.
        dtype: Keras dtype policy of the hidden layers.
    """

    def __init__(
        self, baseline: Transfer, source: GAN, examples: Examples, optimization: Optimization, steps: int,
        batch_size: int, dtype: str,
    ) -> None:  # fmt: skip
        self.source, self.examples, self.optimization = source, examples, optimization
        self.steps, self.batch_size, self.dtype = steps, batch_size, dtype
        self.baseline = self._prepared(baseline)
        next(baseline.schedule(steps)).begin(self.baseline)

    def cost(self, transfer: Transfer) -> float:
        """Time of a step over that of one of the baseline, in the mean over all stages, without tracing and validation.

        Of each stage only a few steps are taken, in turns with the baseline, so that a machine that is busy at times
        does not favour either; the median turn counts. What is done before a stage counts as often as it is done.
        """
        gan = self._prepared(transfer)
        schedule, outcome, total, taken, known = transfer.schedule(self.steps), None, 0.0, 0, {}
        while True:
            try:
                stage = schedule.send(outcome)
            except StopIteration:
                return total / taken
            taken += stage.steps
            outcome = StageMetrics(1.0 / taken, 1.0 / taken, 1.0, 1.0)  # ever better, or a schedule may end early
            start = time.perf_counter()
            stage.begin(gan)
            begun = time.perf_counter() - start if stage.before else 0.0
            kind = (stage.freeze_generator, stage.freeze_discriminator)
            if kind not in known:  # stages that train the same cost the same
                turns = [(self._seconds(self.baseline), self._seconds(gan)) for _ in range(TURNS)]
                known[kind] = float(np.median([own / other for other, own in turns]))
                usual = float(np.median([other for other, _ in turns]))
            total += stage.steps * known[kind] + begun / usual

    def _prepared(self, transfer) -> GAN:
        gan = GAN(*transfer.networks(self.source, self.dtype))
        transfer.prepare(gan, self.source)
        self.optimization.compile(gan, self.steps, transfer)
        return gan

    def _seconds(self, gan) -> float:
        progress = Progress("cost", STEPS, self.batch_size)
        data = batches(self.examples, self.batch_size, 0, int(gan.step))
        gan.fit(data, steps_per_epoch=STEPS + 1, verbose=0, shuffle=False, callbacks=[progress])
        progress.close()
        return progress.seconds / progress.steps
