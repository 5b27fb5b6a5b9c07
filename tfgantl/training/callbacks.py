"""What watches a training: progress, finite losses, and validation that keeps the best state."""

import math
import time

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import DivergedError
from tfgantl.images import grid, to_uint8, to_unit
from tfgantl.metrics.distances import kernel_distance
from tfgantl.progress import bar


class Progress(keras.callbacks.Callback):
    """Shows stage, step, losses, images/s and time left, and measures the time that training steps take.

    Args:
        title: What is trained.
        steps: Number of steps in all stages.
        batch_size: Images a step.

    Attributes:
        stage: Name of the stage, shown behind the title.
        seconds: Time spent in training steps, without validation and without tracing.
        images_per_second: Rate over these.
    """

    def __init__(self, title: str, steps: int, batch_size: int):
        super().__init__()
        self.title, self.batch_size = title, batch_size
        self.stage = ""
        self.seconds, self.steps = 0.0, 0
        self._bar = bar(steps * batch_size, title, "img")

    def on_train_begin(self, logs=None):
        self._bar.set_description(f"{self.title} [{self.stage}]" if self.stage else self.title)
        self._traced = False

    def on_train_batch_begin(self, batch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if self._traced:
            self.seconds += time.perf_counter() - self._start
            self.steps += 1
        self._traced = True  # the first step of a stage may include tracing
        losses = {k: f"{logs[k]:.2f}" for k in ("g_loss", "d_loss") if k in logs}
        self._bar.set_postfix(
            step=int(self.model.step) if hasattr(self.model, "step") else batch + 1, **losses, refresh=False
        )
        self._bar.update(self.batch_size)

    @property
    def images_per_second(self) -> float:
        return self.steps * self.batch_size / self.seconds if self.seconds else 0.0

    def close(self):
        self._bar.close()


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends the run at the first loss that is NaN or infinite.

    Args:
        validate: Knows the last checkpoint whose values are all finite.
    """

    def __init__(self, validate: "Validate"):
        super().__init__()
        self.validate = validate

    def on_train_batch_end(self, batch, logs=None):
        for name, value in logs.items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"training diverged at step {int(self.model.step)}: every loss must be finite. "
                    f"Received: {name} = {value}; last good checkpoint: {self.validate.last_good}"
                )


class Validate(keras.callbacks.Callback):
    """Measures cKID on validation images every few steps, and keeps the state with the lowest.

    Args:
        run: Run directory for the log and the sample grids; `None` writes nothing.
        extractor: Where features come from.
        validation: Images uint8 and labels that training does not see.
        every: Steps between two measurements.
        checkpoints: `Checkpoints` that save after each measurement, or `None`.
        title: Name of the training in the log and in the names of the grids.
        count: Number of generated images a measurement.
    """

    def __init__(self, run, extractor, validation, every: int, checkpoints=None, title="adapt", count=1000):
        super().__init__()
        self.run, self.extractor, self.every, self.checkpoints = run, extractor, every, checkpoints
        self.title, self.count = title, count
        self.images, self.labels = validation
        self.features, _ = extractor(self.images)
        self.history: list[dict] = []
        self.best_ckid, self.best_step, self._best = float("inf"), None, None

    def sample(self, gan, count):
        """Generated uint8 images for fixed latents, and their labels, in the order of the classes."""
        labels = None if gan.num_classes is None else np.arange(count, dtype=np.int32) % gan.num_classes
        return to_uint8(gan.generate(gan.latents(count, seed=1), labels)), labels

    def measure(self, logs=None):
        """Measures now, and keeps the state if it is the best so far."""
        gan = self.model
        if not all_finite(gan):
            raise DivergedError(
                f"training diverged at step {int(gan.step)}: weights must be finite. Received: NaN or infinity; "
                f"last good checkpoint: {self.last_good}"
            )
        gan.settle()
        images, labels = self.sample(gan, self.count)
        ckid = kernel_distance(self.features, self.extractor(images)[0], self.labels, labels)
        step = int(gan.step)
        record = {"step": step, "val_ckid": ckid, **{k: float(v) for k, v in (logs or {}).items()}}
        self.history.append(record)
        if ckid < self.best_ckid:
            self.best_ckid, self.best_step = ckid, step
            self._best = [w.numpy() for w in gan.weights]
        if self.run is not None:
            self.run.log({"run": self.title, **record})
            self.run.write_png(f"fakes_{self.title}_{step:06d}.png", grid(images[:100], 10))
        if self.checkpoints is not None:
            self.checkpoints.save(step)

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % self.every == 0:
            self.measure(logs)

    def restore_best(self):
        """Puts the best state back into the model."""
        for weight, value in zip(self.model.weights, self._best, strict=True):
            weight.assign(value)

    @property
    def last_good(self) -> str:
        """Path of the last checkpoint, all of whose values are finite, or `none`."""
        return "none" if self.checkpoints is None else self.checkpoints.last

    def discriminator_accuracy(self) -> tuple[float, float]:
        """Share of validation images taken for real, and of as many generated ones taken for generated."""
        gan, count = self.model, len(self.images)
        labels = self.labels if gan.num_classes is not None else None
        fakes = gan.generate(gan.latents(count, seed=2), labels)
        real, fake = gan.score(to_unit(self.images), labels), gan.score(fakes, labels)
        return float((real > 0).mean()), float((fake < 0).mean())


def all_finite(model: keras.Model) -> bool:
    """Whether no weight of the model is NaN or infinite."""
    return all(bool(tf.reduce_all(tf.math.is_finite(v))) for v in model.variables if v.dtype == "float32")
