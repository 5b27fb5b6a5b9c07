"""Source and target of a comparison, checked against each other, and the tasks that they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfgantl.data import Examples, Source
from tfgantl.data.apart import kept_apart
from tfgantl.data.classes import matched
from tfgantl.errors import ConfigError, DataError
from tfgantl.progress import log
from tfgantl.recognition.task import Task, with_labels

MAX_IMAGES = 10_000  # of a target that is endless, or larger


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
    def load(
        cls,
        source: Source,
        target: Source,
        image_size: int,
        channels: int,
        renamed_classes: Mapping[str, str] | None = None,
    ) -> "Domains":
        """Loads both at one size, with the labels of the source: classes are matched by name if both have names.

        Args:
            source: Labelled images.
            target: Images of the same classes, or without labels.
            image_size: For sources that leave it open.
            channels: The same.
            renamed_classes: Name of a class of the target → its name in the source.

        Raises:
            DataError: If the source has no labels, a class of the target is missing, or classes differ.
        """
        parts = kept_apart([one.sized(image_size, channels).splits() for one in (source, target)], ("source", "target"))
        if (names := parts[0]["train"].classes) is not None:
            parts[1] = {split: matched(part, names, renamed_classes) for split, part in parts[1].items()}
        sides = [part["train"] for part in parts]
        if sides[1].num_classes is not None and (sides[0].classes is None) != (sides[1].classes is None):
            log("classes are compared by number: their names are not known on both sides")
        domains = cls(*parts)
        domains.check()
        return domains

    def check(self) -> None:
        """Raises `DataError` if the two do not make one task."""
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
            present = np.unique(with_labels(target, target.size)[1])
            if len(present) < 2:
                raise DataError(f"the target must show more than one class. Received: class {present[0]} only")
            missing = sorted(set(range(target.num_classes)) - set(present.tolist()))
            if missing:
                raise DataError(f"the target must have training images of every class. Received: none of {missing}")
        brightest = [int(part.subset(200)[0].max()) for part in (source, target)]
        if min(brightest) * 16 < max(brightest):
            raise DataError(
                "source and target must use the same range of pixels. "
                f"Received: up to {brightest[0]} and {brightest[1]}"
            )

    def task(self, labels: int | None, seed: int, **settings: Any) -> Task:
        """The task with some labelled target images a class.

        Args:
            labels: How many; `None` for all of them.
            seed: Of the training, and of which images have labels.
            **settings: Further fields of `Task`.

        Raises:
            ConfigError: If a class has fewer.
        """
        train = self.target["train"]
        images, known_labels = train.subset(MAX_IMAGES)
        if train.size is not None and train.size > MAX_IMAGES:
            log(f"{MAX_IMAGES} of {train.size} training images of the target are taken")
        labelled = None
        if labels is None:
            labelled = train
        elif labels:
            labelled = Examples.from_arrays(*shots(images, known_labels, labels, seed), train.num_classes)
        return Task(
            source=self.source["train"],
            source_validation=self.source["validation"],
            unlabelled=Examples.from_arrays(images, None),
            labelled=labelled,
            target_validation=self.target["validation"] if known_labels is not None else None,
            seed=seed,
            **settings,
        )

    def test(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Test images of the target, uint8, and labels if it has any."""
        return self.target["test"].different(MAX_IMAGES)


def shots(images: np.ndarray, labels: np.ndarray | None, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` images a class, and their labels.

    Raises:
        ConfigError: If there are no labels, or too few.
    """
    if labels is None:
        raise ConfigError(f"`labels` must be 0 for a target without labels. Received: {count}")
    rng = np.random.default_rng([seed, 3])
    chosen: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < count:
            raise ConfigError(
                f"`labels` must be at most {len(members)}, the images of class {label}. Received: {count}"
            )
        chosen.extend(rng.permutation(members)[:count])
    rows = np.sort(chosen)
    return images[rows], labels[rows]
