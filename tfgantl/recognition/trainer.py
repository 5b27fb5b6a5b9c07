"""Everything that trains, recalibrates and scores a classifier for one task; methods call back into it."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError, DataError
from tfgantl.images import to_unit
from tfgantl.metrics.classification import accuracy
from tfgantl.models.backbones import linear_head
from tfgantl.models.copies import assign_weights
from tfgantl.optimizers import Adam
from tfgantl.recognition.domain_classifier import DomainClassifier
from tfgantl.recognition.fitted import Fitted
from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.baselines import SourceOnly
from tfgantl.recognition.selection import information, probabilities, soft_neighbourhood_density
from tfgantl.recognition.task import Task, with_labels
from tfgantl.recognition.validation import KeepBest
from tfgantl.step_bar import StepBar

MAX_CALIBRATION_IMAGES = 1600  # images that BatchNorm statistics are measured on
MAX_SCORED_IMAGES = 2000  # images that a state is scored on while it is trained
MAX_POOL_IMAGES = 4000  # images of an endless source for methods that look at all of it at once


class Trainer:
    """Trains recognition methods on one task.

    Args:
        task: Data and budget.
        like: A trainer of the same source and seed; both share one classifier of the source, trained when it is first
            needed, so that all methods of a seed start from the same weights.

    Example:
        >>> from tfgantl.recognition import AdaBN
        >>> fitted = Trainer(task).fit(AdaBN())
        >>> fitted.model.classifier.save("classifier.keras")
    """

    max_generated = 1000  # generated images of a method that are shown, and whose labels are checked

    def __init__(self, task: Task, like: Trainer | None = None) -> None:
        self.task = task
        self._shared: dict[str, Fitted] = {} if like is None else like._shared

    def replace(self, **changes: Any) -> Trainer:
        """A trainer of the same task but for some fields; it shares the classifier of the source."""
        return Trainer(replace(self.task, **changes), like=self)

    def fit(self, method: Recognizer, title: str | None = None) -> Fitted:
        """Trains a classifier with a method.

        Args:
            method: The method.
            title: Shows a progress bar with this title; `None` shows none.

        Raises:
            ConfigError: If the task lacks what the method needs.
            DivergedError: If a loss is not finite.
        """
        missing = [name for name in method.needs if getattr(self.task, name) is None]
        if missing:
            raise ConfigError(
                f"{type(method).__name__}: there must be {' and '.join(method.needs)} images. Received: no "
                f"{' and no '.join(missing)} ones ({self.task.setting} setting)"
            )
        if method.from_source:
            self.source_model()  # its training time is not that of the first method that needs it
        start = time.perf_counter()
        fitted = method.fit(self, title)
        fitted.seconds = time.perf_counter() - start
        return fitted

    def train(self, method: Recognizer, title: str | None = None, start: DomainClassifier | None = None) -> Fitted:
        """Trains in steps, whatever `method.fit` does instead.

        Args:
            method: What is minimised.
            title: As for `fit`.
            start: Classifier whose weights to start from; `None` for fresh ones, or those of the source.

        Raises:
            DivergedError: If a loss is not finite.
        """
        task = self.task
        if start is None and method.from_source:
            start = self.source_model()
        model = self.new_model()
        if start is not None:
            assign_weights(model.classifier, start.classifier.get_weights())
        model.auxiliary_networks = method.networks(model, self)
        method.prepare(model, self)
        optimizer, auxiliary_optimizer = (
            Adam(CosineOfStep(task.learning_rate, model.step, task.steps), beta_1=beta) for beta in (0.9, 0.5)
        )
        model.compile(optimizer, method, auxiliary_optimizer, task.steps, task.weak, task.strong)
        keep = KeepBest(self)
        model.fit(
            streams(method.streams(self), task.batch_size, task.seed),
            steps_per_epoch=task.steps,
            shuffle=False,
            verbose=0,
            callbacks=[keep, *([StepBar(title)] if title else [])],
        )
        generated = method.generate(model, self, self.max_generated)
        return Fitted(model, keep.history, best_step=keep.best_step, notes=method.notes(model), generated=generated)

    def new_model(self) -> DomainClassifier:
        """A classifier with fresh weights, the same ones for equal seeds."""
        keras.utils.set_random_seed(self.task.seed)
        features = self.task.features(*self.task.shape)
        return DomainClassifier(features, linear_head(features.output_shape[-1], self.task.num_classes), self.task.seed)

    def source_fitted(self, title: str | None = "source") -> Fitted:
        """The classifier trained on the source alone, in the same number of steps; trained once and shared."""
        if "source" not in self._shared:
            alone = self.replace(unlabelled=None, labelled=None, selection="source_val")
            self._shared["source"] = alone.fit(SourceOnly(), title)
        return self._shared["source"]

    def source_model(self) -> DomainClassifier:
        """The model of `source_fitted`."""
        return self.source_fitted().model

    def copy_of_source_model(self) -> DomainClassifier:
        """A new model with the weights of `source_model`."""
        start, model = self.source_model(), self.new_model()
        assign_weights(model.classifier, start.classifier.get_weights())
        return model

    def score(self, model: DomainClassifier) -> float:
        """How good a classifier looks to the selection of the task; more is better.

        Without the data that the selection looks at, all classifiers count as equal.
        """
        task = self.task
        if task.selection == "source_val" and task.source_validation is not None:
            return accuracy(model.classifier, *with_labels(task.source_validation, MAX_SCORED_IMAGES))
        if task.selection == "oracle" and task.target_validation is not None:
            return accuracy(model.classifier, *with_labels(task.target_validation, MAX_SCORED_IMAGES))
        if task.selection in ("im", "snd") and task.unlabelled is not None:
            predicted = probabilities(model, task.unlabelled.subset(MAX_SCORED_IMAGES)[0])
            return information(predicted) if task.selection == "im" else soft_neighbourhood_density(predicted)
        return 0.0

    def recalibrate_batch_norm(self, model: DomainClassifier, uses: tuple[str, ...]) -> None:
        """Gives a classifier the BatchNorm statistics of the domain that it is for.

        Args:
            model: The classifier.
            uses: Data that it may see, as in `Recognizer.uses`: target images, if there are any, else those of the
                source.
        """
        for name in ("unlabelled", "labelled", "source"):
            part = getattr(self.task, name)
            if name in uses and part is not None:
                return model.recalibrate_batch_norm(to_unit(part.subset(MAX_CALIBRATION_IMAGES)[0]))

    @cached_property
    def source_pool(self) -> tuple[np.ndarray, np.ndarray]:
        """Source images uint8 (n, side, side, channels), and labels: all of them, or `MAX_POOL_IMAGES`."""
        return with_labels(self.task.source, MAX_POOL_IMAGES)

    @cached_property
    def target_pool(self) -> np.ndarray:
        """Target images uint8 that methods may see, at most `MAX_POOL_IMAGES`."""
        part = self.task.unlabelled or self.task.labelled
        if part is None:
            raise DataError("there must be images of the target. Received: none")
        return part.subset(MAX_POOL_IMAGES)[0]


def streams(parts: dict[str, Examples], batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless batches of several domains side by side: name → (images, labels) or (images,).

    A stream with fewer images than a batch gives all of them each time. The stream `unlabelled` has no labels even if
    its examples do.

    Args:
        parts: Stream → examples.
        batch_size: Images of a batch, of each stream.
        seed: Of the order of images.
    """
    datasets = {}
    for number, (name, part) in enumerate(parts.items()):
        size = batch_size if part.size is None else min(batch_size, part.size)
        data = batches(part, size, seed + 1000 * number)
        datasets[name] = data.map(lambda images, *labels: (images,)) if name == "unlabelled" else data
    return tf.data.Dataset.zip(datasets)


class CosineOfStep(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls to 0 with the steps of a model, however often an optimizer is applied in one.

    Args:
        rate: The first learning rate.
        step: Variable that counts.
        steps: Number of steps.
    """

    def __init__(self, rate: float, step: keras.Variable, steps: int) -> None:
        self.rate, self.step, self.steps = rate, step, steps

    def __call__(self, iterations: tf.Tensor) -> tf.Tensor:
        share = tf.minimum(tf.cast(self.step.value, tf.float32) / float(self.steps), 1.0)
        return self.rate * 0.5 * (1.0 + tf.cos(math.pi * share))

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "steps": self.steps}
