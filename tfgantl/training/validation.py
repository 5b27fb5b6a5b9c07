"""Measures a GAN on validation images in the course of its training: keeps the best weights, and warns of trouble."""

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import DivergedError
from tfgantl.gan import GAN
from tfgantl.images import grid, to_uint8, to_unit
from tfgantl.metrics.distances import kernel_distance, neighbourhoods
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.memorisation import neighbour_ratio
from tfgantl.progress import log
from tfgantl.random_streams import Stream
from tfgantl.training.balance import WITHOUT_SIGN, Balance
from tfgantl.training.callbacks import Progress, all_finite
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.team import current

# The default job has ratios of 1.0 to 1.3 on validation images; that of copies is close to 0.
MIN_NEIGHBOUR_RATIO = 0.5
MIN_COVERAGE = 0.5  # of the best coverage so far
MIN_LOGIT_DEVIATION = 1e-3  # standard deviation of the logits of real and generated images
MAX_SCORED_IMAGES = 256  # of either kind, for that
PROGRESS_METRICS = ("val_coverage", "val_nn_ratio")
STATE = ("history", "best_ckid", "best_step", "best_coverage", "stale", "stopped")  # keys of checkpoints


class Validate(keras.callbacks.Callback):
    """Measures on validation images every few steps, keeps the weights with the lowest cKID, and warns of decay.

    It warns once when the generator starts to memorise its shots (nearest-neighbour ratio below `MIN_NEIGHBOUR_RATIO`),
    once when it loses diversity (coverage below `MIN_COVERAGE` of the best so far), once when the discriminator gives
    all images the same logit, and once when it is at chance or wins (`Balance`).

    Args:
        run: Run directory for the log and the sample grids; `None` writes nothing.
        extractor: Where features come from.
        validation: Images uint8 and labels that training does not see.
        every: Steps between two measurements.
        best_weights: Variables like the changing weights of the GAN, to hold the best ones; `None` to make them when
            needed.
        title: Name of the training in the log and in the names of the grids.
        count: Number of generated images a measurement.
        shots: Images uint8 that training sees, if they are few enough to be memorised; `None` if not.
        patience: Measurements in a row without a better cKID after which to stop; `None` for never. Those taken while
            nothing of the generator is trained do not count.
        keep_from: Step before which no state is kept, and patience is not lost.
        progress: Where to show what was measured, or `None`.
        classes: Class of each label, where labels are finer than classes, such as captions: pairs are weighted by them,
            and labels to generate for are those of the validation images. `None` where labels are classes.

    Attributes:
        checkpoints: `Checkpoints` of the run, or `None`, for messages.
        history: One record a measurement: step, val_ckid, val_coverage, val_nn_ratio (with `shots`), and what training
            logged.
        stopped: Whether patience has run out.
    """

    def __init__(
        self,
        run: RunDirectory | None,
        extractor: Extractor,
        validation: tuple[np.ndarray, np.ndarray | None],
        every: int,
        best_weights: list[tf.Variable] | None = None,
        title: str = "adapt",
        count: int = 1000,
        shots: np.ndarray | None = None,
        patience: int | None = None,
        keep_from: int = 0,
        progress: Progress | None = None,
        classes: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.run, self.extractor, self.every = run, extractor, every
        self.checkpoints: Checkpoints | None = None
        self.best_weights = best_weights
        self.title, self.count = title, count
        self.patience, self.keep_from, self.progress = patience, keep_from, progress
        self.images, self.labels = validation
        self.classes = classes
        self.features, _ = extractor(self.images)
        self.shot_features = None if shots is None else extractor(shots)[0]
        self.history: list[dict] = []
        self.best_ckid = float("inf")
        self.best_step: int | None = None
        self.best_coverage, self.stale, self.stopped = 0.0, 0, False
        self._warned: set[str] = set()
        self._balance = Balance()

    def sample(self, gan: GAN, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Generated uint8 images for fixed latents, and their labels, in the order of the classes."""
        labels = None if gan.num_classes is None else np.arange(count, dtype=np.int32) % gan.num_classes
        if self.classes is not None and self.labels is not None:
            labels = np.resize(self.labels, count)
        return to_uint8(gan.generate(gan.latents(count, gan.seed, Stream.VALIDATION), labels)), labels

    def measure(self, logs: dict[str, float] | None = None) -> None:
        """Measures now, and keeps the state if it is the best so far."""
        gan = self.model
        if not all_finite(gan):
            raise DivergedError(
                f"training diverged at step {gan.steps_taken}: weights must be finite. Received: NaN or infinity; "
                f"last good checkpoint: {self.last_good}"
            )
        gan.recalibrate_batch_norm()
        step = gan.steps_taken
        measured, deviation = current().lead(self._measured)
        record = {"step": step, **measured}
        self.history.append({**record, **{k: float(v) for k, v in (logs or {}).items()}})
        self.choose(step, record["val_ckid"])
        self._balance.close()
        self.warn(step, record["val_coverage"], record.get("val_nn_ratio"), deviation)
        if self.progress is not None:
            self.progress.measured = {k.removeprefix("val_"): record[k] for k in record if k in PROGRESS_METRICS}
        if self.run is not None:
            self.run.log({"run": self.title, **self.history[-1]})

    def _measured(self) -> tuple[dict[str, float], float]:
        """Distances of generated images, which are shown, too, and the deviation of logits."""
        images, labels = self.sample(self.model, self.count)
        distances = self.distances(self.extractor(images)[0], labels)
        if self.run is not None:
            shown = images[:100] if labels is None else images[:100][np.argsort(labels[:100], kind="stable")]
            name = f"fakes_{self.title}_{self.model.steps_taken:06d}.png"
            self.run.write_png(name, grid(shown, 10), generated=True)
        return distances, self.logit_deviation(images, labels)

    def distances(self, features: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
        """What is measured, from features of generated images and their labels."""
        known = (self.labels, labels)
        if self.classes is not None:
            known = self.classes[self.labels], self.classes[labels]
        measured = {"val_ckid": kernel_distance(self.features, features, *known)}
        count = min(len(self.features), len(features))  # as many of either, as in the evaluation at the end
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
            if not self.best_weights:
                self.best_weights = [tf.Variable(weight.value, trainable=False) for weight in gan.changing_weights]
            for best, weight in zip(self.best_weights, gan.changing_weights, strict=True):
                best.assign(weight.value)
        elif self.generator_learns:
            self.stale += 1
            if self.patience is not None and self.stale >= self.patience:
                self.stopped = gan.stop_training = True

    @property
    def generator_learns(self) -> bool:
        """Whether anything of the generator is trained in this stage."""
        return any(part.trainable_variables for part in (self.model.generator, *self.model.g_adapters))

    def logit_deviation(self, images: np.ndarray, labels: np.ndarray | None) -> float:
        """Standard deviation of the discriminator's logits of real and generated images."""
        both = ((self.images, None if labels is None else self.labels), (images, labels))
        scores = [
            self.model.score(to_unit(x[:MAX_SCORED_IMAGES]), None if y is None else y[:MAX_SCORED_IMAGES])
            for x, y in both
        ]
        return float(np.std(np.concatenate(scores)))

    def warn(self, step: int, coverage: float, ratio: float | None, logit_deviation: float) -> None:
        """Warns of what is going wrong, once of each kind."""
        self.best_coverage = max(self.best_coverage, coverage)
        troubles = self._balance.troubles()
        if ratio is not None and ratio < MIN_NEIGHBOUR_RATIO:
            troubles["copies"] = (
                f"the generator is memorising its training images (nearest-neighbour ratio {ratio:.2f}; new images "
                "have about 1): stop earlier, or train fewer weights"
            )
        if coverage < MIN_COVERAGE * self.best_coverage:
            troubles["collapse"] = (
                f"the generator is losing diversity (coverage {coverage:.2f}, best so far "
                f"{self.best_coverage:.2f}): stop earlier, or augment more"
            )
        if logit_deviation < MIN_LOGIT_DEVIATION:
            troubles["blind"] = (
                f"the discriminator gives all images the same logit (standard deviation {logit_deviation:.0e}), so the "
                "generator learns nothing from it: lower the discriminator's learning rate or its penalties"
            )
        for kind, text in troubles.items():
            if kind not in self._warned:
                self._warned.add(kind)
                log(f"{self.title}, step {step}: {text}")

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        gan = self.model
        discriminator_learns = any(part.trainable_variables for part in (gan.discriminator, *gan.d_adapters))
        signs_tell = gan.loss_name not in WITHOUT_SIGN and gan.transfer.adversarial > 0
        self._balance.watching = signs_tell and self.generator_learns and discriminator_learns

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._balance.add(logs)
        if self.model.steps_taken % self.every == 0:
            self.measure(logs)

    def state(self) -> dict:
        kept = {name: getattr(self, name) for name in STATE}
        return {**kept, "warned": sorted(self._warned), "balance": self._balance.state()}

    def set_state(self, state: dict) -> None:
        for name in STATE:
            setattr(self, name, state[name])
        self._warned = set(state["warned"])
        if "balance" in state:  # checkpoints of earlier versions have none
            self._balance.set_state(state["balance"])

    def restore_best(self) -> None:
        """Puts the best weights back into the model; the present ones stay if none were kept."""
        if self.best_step is None:
            self.best_step = self.history[-1]["step"]
            return
        for weight, best in zip(self.model.changing_weights, self.best_weights or (), strict=True):
            weight.assign(best)

    @property
    def last_good(self) -> str:
        """Path of the last checkpoint, all of whose values are finite, or `none`."""
        return "none" if self.checkpoints is None else self.checkpoints.last

    def discriminator_accuracy(self) -> tuple[float, float]:
        """Share of validation images taken for real, and of as many generated ones taken for generated."""
        return current().lead(self._accuracy)

    def _accuracy(self) -> tuple[float, float]:
        gan, count = self.model, len(self.images)
        labels = self.labels if gan.num_classes is not None else None
        fakes = gan.generate(gan.latents(count, gan.seed, Stream.DISCRIMINATOR_ACCURACY), labels)
        real, fake = gan.score(to_unit(self.images), labels), gan.score(fakes, labels)
        return float((real > 0).mean()), float((fake < 0).mean())
