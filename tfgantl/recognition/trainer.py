"""How all methods that train in steps are trained: batches of named streams, validation, and the state that is kept."""

import math
import time
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError, DivergedError
from tfgantl.progress import StepBar
from tfgantl.recognition.domain_classifier import DomainClassifier
from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.task import Problem

SHOWN = 1000  # images whose labels are checked


@dataclass
class Fitted:
    """A trained classifier, and how it got there.

    Args:
        model: In the state that was kept.
        history: For each validation: step, mean losses since the last one, score.
        seconds: Time spent in training, validation and whatever the method does before.
        best_step: Step of the state that was kept.
        notes: What the method has to say about itself, name → value.
        generated: Images that the method has made, uint8 (n, side, side, channels), and what they are to show.
    """

    model: DomainClassifier
    history: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    best_step: int = 0
    notes: dict = field(default_factory=dict)
    generated: tuple[np.ndarray, np.ndarray] | None = None


def train(method: Recognizer, problem: Problem, title: str | None = None, start: DomainClassifier | None = None):
    """Trains a classifier with a method.

    Args:
        method: What is minimised.
        problem: Data, networks and budget.
        title: Shows a progress bar with this title; `None` shows none.
        start: Classifier whose weights to start from; `None` for fresh ones, or those of the source.

    Returns:
        `Fitted`.

    Raises:
        ConfigError: If the problem lacks what the method needs.
        DivergedError: If a loss is not finite.
    """
    check_needs(method, problem)
    if start is None and method.from_source:
        start = problem.source_model()
    began = time.perf_counter()
    model = problem.model()
    if start is not None:
        model.classifier.set_weights(start.classifier.get_weights())
    model.auxiliary_networks = method.networks(problem, model)
    method.prepare(model, problem)
    rate = CosineOfStep(problem.learning_rate, model.step, problem.steps)
    slower = CosineOfStep(problem.learning_rate, model.step, problem.steps)
    model.compile(
        keras.optimizers.Adam(rate), method, keras.optimizers.Adam(slower, beta_1=0.5), problem.steps, problem.weak,
        problem.strong,
    )  # fmt: skip
    keep = KeepBest(problem)
    model.fit(
        streams(method.streams(problem), problem.batch_size, problem.seed),
        steps_per_epoch=problem.steps,
        shuffle=False,
        verbose=0,
        callbacks=[keep, *([StepBar(title)] if title else [])],
    )
    seconds = time.perf_counter() - began
    shown = method.generate(model, problem, SHOWN)
    return Fitted(model, keep.history, seconds, keep.best_step, method.notes(model), shown)


def check_needs(method: Recognizer, problem: Problem) -> None:
    """Raises `ConfigError` if a problem lacks what a method needs."""
    missing = [name for name in method.needs if getattr(problem, name) is None]
    if missing:
        raise ConfigError(
            f"{type(method).__name__}: there must be {' and '.join(method.needs)} images. Received: no "
            f"{' and no '.join(missing)} ones ({problem.setting} setting)"
        )


def streams(parts: dict[str, Examples], batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless batches of several domains side by side: name → (images, labels) or (images,).

    A stream with fewer images than a batch gives all of them each time.
    """
    found = {}
    for number, (name, part) in enumerate(parts.items()):
        size = batch_size if part.size is None else min(batch_size, part.size)
        data = batches(part, size, seed + 1000 * number)
        found[name] = data.map(lambda images, *labels: (images,)) if name == "unlabelled" else data
    return tf.data.Dataset.zip(found)


class CosineOfStep(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls to 0 with the steps of a model, however often an optimizer is applied in one.

    Args:
        rate: The first learning rate.
        step: Variable that counts.
        steps: Number of steps.
    """

    def __init__(self, rate: float, step, steps: int):
        self.rate, self.step, self.steps = rate, step, steps

    def __call__(self, iterations):
        share = tf.minimum(tf.cast(self.step.value, tf.float32) / float(self.steps), 1.0)
        return self.rate * 0.5 * (1.0 + tf.cos(math.pi * share))

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps}


class KeepBest(keras.callbacks.Callback):
    """Validates every so often, and ends with the state of the best score.

    Args:
        problem: With `selection` and `validate_every`.
    """

    def __init__(self, problem: Problem):
        super().__init__()
        self.problem = problem
        self.history: list[dict] = []
        self.best_step = 0
        self._best, self._weights, self._sums, self._since = -math.inf, None, {}, 0

    def on_train_begin(self, logs=None):
        self.model.method.refresh(self.model, self.problem)

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._since += 1
        step = batch + 1
        if step % self.problem.validate_every and step != self.problem.steps:
            return
        means = {name: total / self._since for name, total in self._sums.items()}
        self._sums, self._since = {}, 0
        wrong = [name for name, value in means.items() if not math.isfinite(value)]
        if wrong:
            raise DivergedError(
                f"{type(self.model.method).__name__}: losses must be finite. Received: {', '.join(wrong)} before "
                f"step {step}"
            )
        self.problem.recalibrate_batch_norm(self.model, self.model.method.uses)
        found = self.problem.score(self.model)
        self.history.append({"step": step, **means, "score": found})
        if found >= self._best:
            self._best, self._weights, self.best_step = found, self.model.classifier.get_weights(), step
        self.model.method.refresh(self.model, self.problem)

    def on_train_end(self, logs=None):
        self.model.classifier.set_weights(self._weights)
