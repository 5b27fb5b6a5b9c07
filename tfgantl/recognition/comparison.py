"""Compares methods on one target: the same data, networks and budget for all, several seeds, tested on one set."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import keras
import numpy as np

from tfgantl.recognition.domains import Domains
from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.baselines import SourceOnly, TargetOnly
from tfgantl.recognition.selection import probabilities
from tfgantl.recognition.trainer import Trainer

SOURCE_ONLY, TARGET_ONLY, ORACLE = "source-only", "target-only", "oracle"


@dataclass(frozen=True)
class Trial:
    """One training: a row of the table, and one of its seeds.

    Args:
        row: What the table calls it.
        method: What is trained.
        labels: Labelled target images a class; `None` for all of them, as only the oracle has.
        seed: Of the training, and of which images have labels.
    """

    row: str
    method: Recognizer
    labels: int | None
    seed: int

    @property
    def is_baseline(self) -> bool:
        return self.row.split(",")[0] in (SOURCE_ONLY, TARGET_ONLY, ORACLE)


@dataclass
class TrialResult:
    """The result of a trial.

    Args:
        trial: The trial.
        predicted: Predicted classes of the test images, int (n,).
        score: By the selection of the task, of the selected state.
        seconds: Time that the method took.
        classifier: Images in [-1, 1] → logits.
        history: Records of the validations.
        notes: Diagnostics of the method, name → text.
        generated: Images that the method has generated, uint8, and their intended labels; or `None`.
    """

    trial: Trial
    predicted: np.ndarray
    score: float
    seconds: float
    classifier: keras.Model = field(repr=False)
    history: list[dict] = field(default_factory=list, repr=False)
    notes: dict[str, str] = field(default_factory=dict)
    generated: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)


def row_name(name: str, labels: int | None) -> str:
    """What a table calls a method with so many labels a class."""
    return f"{name}, {labels} label{'s' * (labels > 1)} a class" if labels else name


def trials(methods: dict[str, Recognizer], labels: tuple[int, ...], seeds: list[int], has_labels: bool) -> list[Trial]:
    """All trainings of a comparison: baselines first, then methods, each where its needs are met.

    Args:
        methods: By their names in the table.
        labels: Numbers of labelled target images a class.
        seeds: Training seeds.
        has_labels: Whether the target has labels, as the oracle needs.
    """
    todo = []
    for seed in seeds:
        todo.append(Trial(SOURCE_ONLY, SourceOnly(), 0, seed))
        if has_labels:
            todo.append(Trial(ORACLE, TargetOnly(), None, seed))
        for count in labels:
            if count:
                todo.append(Trial(row_name(TARGET_ONLY, count), TargetOnly(), count, seed))
            for name, method in methods.items():
                if count or "labelled" not in method.needs:
                    todo.append(Trial(row_name(name, count), method, count, seed))
    return todo


def run(
    domains: Domains, todo: list[Trial], settings: dict, titled: bool = True, trainers: dict[int, Trainer] | None = None
) -> Iterator[TrialResult]:
    """Trains and tests one trial after the other; those of one seed share the classifier of the source.

    Args:
        domains: Source and target.
        todo: What to train.
        settings: What all tasks have in common, as for `Task`.
        titled: Whether to show progress bars.
        trainers: Seed → a trainer whose classifier of the source is to be used, which depends on the seed alone.
    """
    test_images = domains.test()[0]
    trainers = dict(trainers or {})
    for number, trial in enumerate(todo, 1):
        task = domains.task(trial.labels, trial.seed, **settings)
        trainer = trainers[trial.seed] = Trainer(task, like=trainers.get(trial.seed))
        title = f"{number}/{len(todo)} {trial.row}" if titled else None
        if isinstance(trial.method, SourceOnly):
            fitted = trainer.source_fitted(title)
        else:
            fitted = trainer.fit(trial.method, title)
        predicted = probabilities(fitted.model, test_images).argmax(1)
        yield TrialResult(
            trial, predicted, trainer.score(fitted.model), fitted.seconds, fitted.model.classifier, fitted.history,
            fitted.notes, fitted.generated,
        )  # fmt: skip
