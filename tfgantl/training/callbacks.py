"""What watches each step of a training: progress, finite losses, and checkpoints."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from tfgantl.errors import DivergedError
from tfgantl.progress import bar
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.interruption import Interruption

if TYPE_CHECKING:
    from tfgantl.training.validation import Validate


PROGRESS_LOGS = ("g_loss", "d_loss", "p", "apa", "r_t", "gap")


class Progress(keras.callbacks.Callback):
    """Shows stage, step, losses, controlled probabilities, images/s and time left, and times the training steps.

    Args:
        title: What is trained.
        steps: Number of steps in all stages.
        batch_size: Images a step.

    Attributes:
        stage: Name of the stage, shown behind the title.
        measured: Name → number, of the last validation, shown behind the losses.
        seconds: Time spent in training steps, without validation and without tracing.
        images_per_second: Rate over these.
    """

    def __init__(self, title: str, steps: int, batch_size: int) -> None:
        super().__init__()
        self.title, self.batch_size = title, batch_size
        self.stage = ""
        self.measured: dict[str, float] = {}
        self.seconds, self.steps = 0.0, 0
        self._bar = bar(steps * batch_size, title, "img")

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._bar.set_description(f"{self.title} [{self.stage}]" if self.stage else self.title)
        self._traced = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._traced:
            self.seconds += time.perf_counter() - self._start
            self.steps += 1
        self._traced = True  # the first step of a stage may include tracing
        losses = logs or {}
        numbers = {**{k: losses[k] for k in PROGRESS_LOGS if k in losses}, **self.measured}
        shown = {name: f"{value:.2f}" for name, value in numbers.items()}
        self._bar.set_postfix(
            step=self.model.steps_taken if hasattr(self.model, "steps_taken") else batch + 1, **shown, refresh=False
        )
        self._bar.update(self.batch_size)

    @property
    def images_per_second(self) -> float:
        return self.steps * self.batch_size / self.seconds if self.seconds else 0.0

    def state(self) -> dict:
        return {"seconds": self.seconds, "steps": self.steps, "images": self._bar.n, "measured": self.measured}

    def set_state(self, state: dict) -> None:
        self.seconds, self.steps, self.measured = state["seconds"], state["steps"], state["measured"]
        self._bar.n = self._bar.initial = state["images"]
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends the run at the first loss that is NaN or infinite.

    Args:
        validate: Knows the last checkpoint whose values are all finite.
    """

    def __init__(self, validate: "Validate") -> None:
        super().__init__()
        self.validate = validate

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"training diverged at step {self.model.steps_taken}: every loss must be finite. "
                    f"Received: {name} = {value}; last good checkpoint: {self.validate.last_good}"
                )


class Save(keras.callbacks.Callback):
    """Saves every few steps, and when the run is asked to stop.

    Args:
        checkpoints: `Checkpoints`.
        every: Steps between two.
        interruption: `Interruption`, which knows whether a signal has come.
        path: Run directory, for the message.
    """

    def __init__(self, checkpoints: Checkpoints, every: int, interruption: Interruption, path: Path) -> None:
        super().__init__()
        self.checkpoints, self.every, self.interruption, self.path = checkpoints, every, interruption, path

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.model.asks_to_stop = lambda: self.interruption.asked is not None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        step = self.model.steps_taken
        # Workers stop after the same step: the one in which all of them have heard that one is to stop.
        asked = self.model.stopping if self.model.is_shared else self.interruption.asked
        if step % self.every == 0 or asked:
            self.checkpoints.save(step)
        if asked:
            self.checkpoints.team.meet()  # so that the chief has saved before any ends
            self.interruption.stop(step, self.path)


def all_finite(model: keras.Model) -> bool:
    """Whether no weight of the model is NaN or infinite."""
    return all(bool(tf.reduce_all(tf.math.is_finite(v))) for v in model.variables if v.dtype == "float32")
