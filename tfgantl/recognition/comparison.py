"""Compares methods on one target: the same data, networks and budget for all, several seeds, judged on test images."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import keras
import numpy as np

from tfgantl.data import SPLITS, Examples, Source
from tfgantl.errors import ConfigError, DataError
from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.baselines import SourceOnly, TargetOnly
from tfgantl.recognition.selection import probabilities
from tfgantl.recognition.task import Problem

MAX_TEST = 10_000
SOURCE_ONLY, TARGET_ONLY, ORACLE = "source-only", "target-only", "oracle"


@dataclass(frozen=True)
class Job:
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
class Result:
    """What came of a job.

    Args:
        job: The job.
        predicted: Predicted classes of the test images, int (n,).
        score: By the selection of the problem, of the state that was kept.
        seconds: Time that the method took.
        classifier: Images in [-1, 1] → logits.
        history: Records of the validations.
        notes: What the method has to say about itself, name → text.
        generated: Images that the method has made, uint8, and the labels that they should show; or `None`.
    """

    job: Job
    predicted: np.ndarray
    score: float
    seconds: float
    classifier: keras.Model = field(repr=False)
    history: list[dict] = field(default_factory=list, repr=False)
    notes: dict[str, str] = field(default_factory=dict)
    generated: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Domains:
    """Two data sources, loaded and checked against each other.

    Args:
        source: Split → labelled examples.
        target: Split → examples, with labels or without.
    """

    source: dict[str, Examples]
    target: dict[str, Examples]

    @classmethod
    def load(cls, source: Source, target: Source, image_size: int, channels: int) -> "Domains":
        """Loads both at one size.

        Raises:
            DataError: If the source has no labels, a class of the target is missing, or classes differ.
        """
        parts = [
            {split: domain.sized(image_size, channels).load(split) for split in SPLITS} for domain in (source, target)
        ]
        found = cls(*parts)
        found.check()
        return found

    def check(self) -> None:
        """Raises `DataError` if the two cannot be one problem."""
        source, target = self.source["train"], self.target["train"]
        if source.num_classes is None:
            raise DataError("the source must have labels. Received: none")
        shapes = [(part.image_size, part.image_size, part.channels) for part in (source, target)]
        if shapes[0] != shapes[1]:
            raise DataError(f"source and target must have images of one shape. Received: {shapes[0]} and {shapes[1]}")
        if target.num_classes is not None and target.num_classes != source.num_classes:
            raise DataError(
                f"source and target must have the same classes. Received: {source.num_classes} and {target.num_classes}"
            )
        if target.num_classes is not None and target.size is not None:
            seen = np.unique(target.take()[1])
            if len(seen) < 2:
                raise DataError(f"the target must show more than one class. Received: class {seen[0]} only")
            missing = sorted(set(range(target.num_classes)) - set(seen.tolist()))
            if missing:
                raise DataError(f"the target must have training images of every class. Received: none of {missing}")
        brightest = [int(part.subset(200)[0].max()) for part in (source, target)]
        if min(brightest) * 16 < max(brightest):
            raise DataError(
                "source and target must use the same range of pixels. "
                f"Received: up to {brightest[0]} and {brightest[1]}"
            )

    def problem(self, labels: int | None, seed: int, **settings) -> Problem:
        """The problem with some labelled target images a class, or all of them for `None`.

        Raises:
            ConfigError: If a class has fewer.
        """
        train = self.target["train"]
        images, known = train.subset(MAX_TEST)
        labelled = None
        if labels is None:
            labelled = train
        elif labels:
            labelled = Examples.from_arrays(*shots(images, known, labels, seed), train.num_classes)
        return Problem(
            source=self.source["train"],
            source_validation=self.source["validation"],
            unlabelled=Examples.from_arrays(images, None),
            labelled=labelled,
            target_validation=self.target["validation"] if known is not None else None,
            seed=seed,
            **settings,
        )

    def test(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Test images of the target, uint8, and labels if it has any."""
        return self.target["test"].subset(MAX_TEST)


def shots(images: np.ndarray, labels: np.ndarray | None, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` images a class, and their labels.

    Raises:
        ConfigError: If there are no labels, or too few.
    """
    if labels is None:
        raise ConfigError(f"`labels` must be 0 for a target without labels. Received: {count}")
    rng = np.random.default_rng([seed, 3])
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < count:
            raise ConfigError(
                f"`labels` must be at most {len(members)}, the images of class {label}. Received: {count}"
            )
        chosen.extend(rng.permutation(members)[:count])
    chosen = np.sort(chosen)
    return images[chosen], labels[chosen]


def row_name(name: str, labels: int | None) -> str:
    """What a table calls a method with so many labels a class."""
    return f"{name}, {labels} label{'s' * (labels > 1)} a class" if labels else name


def jobs(methods: dict[str, Recognizer], labels: tuple[int, ...], seeds: list[int], has_labels: bool) -> list[Job]:
    """All trainings of a comparison: baselines first, then methods, each where its needs are met."""
    found = []
    for seed in seeds:
        found.append(Job(SOURCE_ONLY, SourceOnly(), 0, seed))
        if has_labels:
            found.append(Job(ORACLE, TargetOnly(), None, seed))
        for count in labels:
            if count:
                found.append(Job(row_name(TARGET_ONLY, count), TargetOnly(), count, seed))
            for name, method in methods.items():
                if count or "labelled" not in method.needs:
                    found.append(Job(row_name(name, count), method, count, seed))
    return found


def run(
    domains: Domains, todo: list[Job], settings: dict, titled: bool = True, memory: dict | None = None
) -> Iterator[Result]:
    """Trains and tests one job after the other; those of one seed share the classifier of the source.

    Args:
        domains: Source and target.
        todo: What to train.
        settings: What all problems have in common, as for `Problem`.
        titled: Whether to show progress bars.
        memory: Seed → what problems of that seed remember; filled.
    """
    test_images = domains.test()[0]
    memory = {} if memory is None else memory
    for number, job in enumerate(todo, 1):
        problem = replace(
            domains.problem(job.labels, job.seed, **settings), _cache=memory.setdefault(job.seed, {})
        )  # the classifier of the source depends on the seed alone
        title = f"{number}/{len(todo)} {job.row}" if titled else None
        if isinstance(job.method, SourceOnly):
            fitted = problem.source_fitted(title)
        else:
            fitted = job.method.fit(problem, title)
        predicted = probabilities(fitted.model, test_images).argmax(1)
        yield Result(
            job, predicted, problem.score(fitted.model), fitted.seconds, fitted.model.classifier, fitted.history,
            fitted.notes, fitted.generated,
        )  # fmt: skip
