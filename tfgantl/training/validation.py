"""What validation measures in the course of a training: the best state is kept, and trouble is told."""

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import DivergedError
from tfgantl.images import grid, to_uint8, to_unit
from tfgantl.metrics.distances import kernel_distance, neighbourhoods
from tfgantl.metrics.memorisation import neighbour_ratio
from tfgantl.progress import log
from tfgantl.training.callbacks import Progress, all_finite

# The default job has ratios of 1.0 to 1.3 on validation images, and copies have next to 0.
COPIES_BELOW = 0.5
COLLAPSED_BELOW = 0.5  # of the best coverage so far
BLIND_BELOW = 1e-3  # standard deviation of the logits of real and generated images
LOOKED_AT = 256
WATCHED = ("val_coverage", "val_nn_ratio")
STATE = ("history", "best_ckid", "best_step", "best_coverage", "stale", "stopped")


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
        gan.recalibrate_batch_norm()
        images, labels = self.sample(gan, self.count)
        features, _ = self.extractor(images)
        step = int(gan.step)
        record = {"step": step, **self.distances(features, labels)}
        self.history.append({**record, **{k: float(v) for k, v in (logs or {}).items()}})
        self.choose(step, record["val_ckid"])
        self.warn(step, record["val_coverage"], record.get("val_nn_ratio"), self.spread(images, labels))
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

    def spread(self, images, labels) -> float:
        """Standard deviation of the discriminator's logits of real and generated images."""
        both = ((self.images, None if labels is None else self.labels), (images, labels))
        scores = [
            self.model.score(to_unit(some[:LOOKED_AT]), None if known is None else known[:LOOKED_AT])
            for some, known in both
        ]
        return float(np.std(np.concatenate(scores)))

    def warn(self, step: int, coverage: float, ratio: float | None, spread: float) -> None:
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
        if spread < BLIND_BELOW:
            troubles["blind"] = (
                f"the discriminator gives all images the same logit (standard deviation {spread:.0e}), and the "
                "generator learns nothing from it: lower its learning rate or its penalties"
            )
        for kind, text in troubles.items():
            if kind not in self._warned:
                self._warned.add(kind)
                log(f"{self.title}, step {step}: {text}")

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
