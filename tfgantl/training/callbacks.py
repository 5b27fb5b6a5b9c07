"""What watches a training: progress, finite losses, and validation that keeps the best state."""

import math
import time

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import DivergedError
from tfgantl.images import grid, to_uint8, to_unit
from tfgantl.metrics.distances import kernel_distance, neighbourhoods
from tfgantl.metrics.memorisation import neighbour_ratio
from tfgantl.progress import bar, note

# The default job has ratios of 1.0 to 1.3 on validation images, and copies have next to 0.
COPIES_BELOW = 0.5
COLLAPSED_BELOW = 0.5  # of the best coverage so far
WATCHED = ("val_coverage", "val_nn_ratio")
STATE = ("history", "best_ckid", "best_step", "best_coverage", "stale", "stopped")
SHOWN = ("g_loss", "d_loss", "p", "apa", "r_t", "gap")


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

    def __init__(self, title: str, steps: int, batch_size: int):
        super().__init__()
        self.title, self.batch_size = title, batch_size
        self.stage = ""
        self.measured: dict[str, float] = {}
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
        numbers = {**{k: logs[k] for k in SHOWN if k in logs}, **self.measured}
        shown = {name: f"{value:.2f}" for name, value in numbers.items()}
        self._bar.set_postfix(
            step=int(self.model.step) if hasattr(self.model, "step") else batch + 1, **shown, refresh=False
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
    """Measures on validation images every few steps, keeps the state with the lowest cKID, and warns of decay.

    It warns once when the generator starts to copy its shots (nearest-neighbour ratio below `COPIES_BELOW`), and once
    when it collapses (coverage below `COLLAPSED_BELOW` of the best so far).

    Args:
        run: Run directory for the log and the sample grids; `None` writes nothing.
        extractor: Where features come from.
        validation: Images uint8 and labels that training does not see.
        every: Steps between two measurements.
        kept: Variables like the weights of the GAN, which hold the best state; `None` to make them when needed.
        title: Name of the training in the log and in the names of the grids.
        count: Number of generated images a measurement.
        shots: Images uint8 that training sees, if they are few enough to be copied; `None` if not.
        patience: Measurements in a row without a better cKID after which to stop; `None` for never. Those taken while
            nothing of the generator is trained do not count.
        keep_from: Step before which no state is kept, and patience is not lost.
        progress: Where to show what was measured, or `None`.

    Attributes:
        checkpoints: `Checkpoints` of the run, or `None`, for messages.
        history: One record a measurement: step, val_ckid, val_coverage, val_nn_ratio (with `shots`), and what training
            logged.
        stopped: Whether patience has run out.
    """

    def __init__(
        self,
        run,
        extractor,
        validation,
        every: int,
        kept: list[tf.Variable] | None = None,
        title="adapt",
        count=1000,
        shots=None,
        patience: int | None = None,
        keep_from: int = 0,
        progress: Progress | None = None,
    ):
        super().__init__()
        self.run, self.extractor, self.every, self.kept, self.checkpoints = run, extractor, every, kept, None
        self.title, self.count = title, count
        self.patience, self.keep_from, self.progress = patience, keep_from, progress
        self.images, self.labels = validation
        self.features, _ = extractor(self.images)
        self.shot_features = None if shots is None else extractor(shots)[0]
        self.history: list[dict] = []
        self.best_ckid, self.best_step = float("inf"), None
        self.best_coverage, self.stale, self.stopped = 0.0, 0, False
        self._warned: set[str] = set()

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
        features, _ = self.extractor(images)
        step = int(gan.step)
        record = {"step": step, **self.distances(features, labels)}
        self.history.append({**record, **{k: float(v) for k, v in (logs or {}).items()}})
        self.choose(step, record["val_ckid"])
        self.warn(step, record["val_coverage"], record.get("val_nn_ratio"))
        if self.progress is not None:
            self.progress.measured = {k.removeprefix("val_"): record[k] for k in record if k in WATCHED}
        if self.run is not None:
            self.run.log({"run": self.title, **self.history[-1]})
            self.run.write_png(f"fakes_{self.title}_{step:06d}.png", grid(images[:100], 10))

    def distances(self, features, labels) -> dict[str, float]:
        """What is measured, from features of generated images and their labels."""
        measured = {"val_ckid": kernel_distance(self.features, features, self.labels, labels)}
        count = min(len(self.features), len(features))  # as many of either, as in the judgement at the end
        spread = np.linspace(0, len(self.features) - 1, count).astype(int)  # they may be in the order of classes
        near = neighbourhoods(self.features[spread], features[:count], min(5, count - 1))
        measured["val_coverage"] = near["coverage"]
        if self.shot_features is not None:
            measured["val_nn_ratio"] = neighbour_ratio(features, self.shot_features, self.features)
        return measured

    def choose(self, step: int, ckid: float) -> None:
        """Keeps the state if it is the best so far, and stops the training if patience has run out."""
        if step < self.keep_from:
            return
        gan = self.model
        if ckid < self.best_ckid:
            self.best_ckid, self.best_step, self.stale = ckid, step, 0
            self.kept = self.kept or [tf.Variable(weight.value, trainable=False) for weight in gan.weights]
            for kept, weight in zip(self.kept, gan.weights, strict=True):
                kept.assign(weight.value)
        elif any(part.trainable_variables for part in (gan.generator, *gan.g_adapters)):
            self.stale += 1
            if self.patience is not None and self.stale >= self.patience:
                self.stopped = gan.stop_training = True

    def warn(self, step: int, coverage: float, ratio: float | None) -> None:
        """Says once what is going wrong."""
        self.best_coverage = max(self.best_coverage, coverage)
        troubles = {}
        if ratio is not None and ratio < COPIES_BELOW:
            troubles["copies"] = (
                f"the generator has come to copy its training images (nearest-neighbour ratio {ratio:.2f}, new images "
                "have about 1): stop earlier, or train less of it"
            )
        if coverage < COLLAPSED_BELOW * self.best_coverage:
            troubles["collapse"] = (
                f"the generator is losing diversity (coverage {coverage:.2f}, at best {self.best_coverage:.2f}): "
                "stop earlier, or augment more"
            )
        for kind, text in troubles.items():
            if kind not in self._warned:
                self._warned.add(kind)
                note(f"{self.title}, step {step}: {text}")

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % self.every == 0:
            self.measure(logs)

    def state(self) -> dict:
        return {**{name: getattr(self, name) for name in STATE}, "warned": sorted(self._warned)}

    def set_state(self, state: dict) -> None:
        for name in STATE:
            setattr(self, name, state[name])
        self._warned = set(state["warned"])

    def restore_best(self):
        """Puts the best state back into the model; the present one stays if none was worth keeping."""
        if self.best_step is None:
            self.best_step = self.history[-1]["step"]
            return
        for weight, kept in zip(self.model.weights, self.kept, strict=True):
            weight.assign(kept)

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


class Save(keras.callbacks.Callback):
    """Saves every few steps, and when the run is asked to stop.

    Args:
        checkpoints: `Checkpoints`.
        every: Steps between two.
        interruption: `Interruption`, which knows whether a signal has come.
        path: Run directory, for the message.
    """

    def __init__(self, checkpoints, every: int, interruption, path):
        super().__init__()
        self.checkpoints, self.every, self.interruption, self.path = checkpoints, every, interruption, path

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step)
        if step % self.every == 0 or self.interruption.asked:
            self.checkpoints.save(step)
        if self.interruption.asked:
            self.interruption.stop(step, self.path)


def all_finite(model: keras.Model) -> bool:
    """Whether no weight of the model is NaN or infinite."""
    return all(bool(tf.reduce_all(tf.math.is_finite(v))) for v in model.variables if v.dtype == "float32")
