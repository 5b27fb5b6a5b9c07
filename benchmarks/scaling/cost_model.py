"""A model of the time of a step on several workers: computing, sums over workers, and waiting for the slowest.

    T(n) = t(b) · w(n) + k · r(n) · α + 2 (n − 1) / n · S / β,   t(b) = a + c · b

for b images a worker, k sums of S bytes together, and a ring: r(n) = 2 (n − 1) messages a sum, each of which takes α,
and a wire of β bytes a second. w(n) is the mean of the slowest of n steps over the median step.

Reference:
    Patarasuk & Yuan, 2009, https://doi.org/10.1016/j.jpdc.2008.09.002 (the ring)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Computing:
    """What a worker computes by itself.

    Args:
        fixed: Seconds of a step that do not depend on the images, a.
        per_image: Seconds an image, c.
    """

    fixed: float
    per_image: float

    @classmethod
    def fitted(cls, seconds: dict[int, float]) -> "Computing":
        """The line through what was measured: images → seconds a step; two numbers of images or more."""
        slope, start = np.polyfit(list(seconds), list(seconds.values()), 1)
        return cls(max(0.0, float(start)), float(slope))

    def seconds(self, images: float) -> float:
        """Of a step."""
        return self.fixed + self.per_image * images


@dataclass(frozen=True)
class Wire:
    """What workers send each other by.

    Args:
        latency: Seconds a message, α.
        bandwidth: Bytes a second, β.
    """

    latency: float
    bandwidth: float

    @classmethod
    def fitted(cls, seconds: dict[int, float]) -> "Wire":
        """From sums over two workers: bytes → seconds. Small and large ones weigh the same, since ratios do."""
        sizes, times = np.array(list(seconds), float), np.array(list(seconds.values()))
        table = np.stack([np.full_like(sizes, 2.0), sizes], 1) / times[:, None]
        (latency, per_byte), *_ = np.linalg.lstsq(table, np.ones_like(times), rcond=None)
        return cls(max(0.0, float(latency)), 1.0 / max(float(per_byte), 1e-15))

    def seconds(self, workers: int, sums: int, size: float) -> float:
        """Of some sums over workers, of so many bytes together."""
        if workers == 1:
            return 0.0
        return sums * 2 * (workers - 1) * self.latency + 2 * (workers - 1) / workers * size / self.bandwidth


def slowest(seconds: Sequence[float], workers: int, draws: int = 2000, seed: int = 0) -> float:
    """Mean of the slowest of `workers` steps over the median one, w(n), by drawing from measured steps.

    Example:
        >>> round(slowest([1.0, 1.0, 1.0, 2.0], 2), 1)
        1.4
    """
    times = np.asarray(seconds)
    drawn = np.random.default_rng(seed).choice(times, (draws, workers)).max(1)
    return float(drawn.mean() / np.median(times))


@dataclass(frozen=True)
class StepModel:
    """The model of one pair on one kind of machine.

    Args:
        computing: On one worker.
        wire: Between them.
        sums: Number of sums over workers a step.
        size: Bytes of all of them.
        steps: Seconds of single steps on one worker, for the slowest; empty for workers that are all alike.
    """

    computing: Computing
    wire: Wire
    sums: int
    size: float
    steps: tuple[float, ...] = ()

    def seconds(self, workers: int, images: float) -> float:
        """Of a step with so many images a worker."""
        waiting = slowest(self.steps, workers) / slowest(self.steps, 1) if self.steps else 1.0
        return self.computing.seconds(images) * waiting + self.wire.seconds(workers, self.sums, self.size)

    def efficiency(self, workers: int, images: float) -> float:
        """Images a second and worker, over those of one worker alone."""
        return self.seconds(1, images) / self.seconds(workers, images)
