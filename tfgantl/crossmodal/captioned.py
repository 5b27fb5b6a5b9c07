"""Data whose labels are captions: what a text-conditional pair is trained on, and validated and measured with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tfgantl.crossmodal.caption_templates import CLASS, CaptionTemplates
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.text_conditioning import NONE
from tfgantl.data.examples import Examples
from tfgantl.errors import DataError
from tfgantl.random_streams import Stream

MOST_TURNS = 8  # captions of one picture that training sees
MOST_PHRASES = 40_000  # different ones, of which each pair has a number


@dataclass(frozen=True)
class CaptionedData:
    """The splits of a source with captions in place of classes.

    Args:
        phrases: Every caption once; those at the beginning are of all classes, and the most used ones.
        classes: int (phrases,): the class that a phrase names, or -1; `None` without classes.
        splits: Split → `Examples` whose labels are numbers of phrases. Pictures of the training stand there once for
            each of their captions, those of the others once.
    """

    phrases: tuple[str, ...]
    classes: np.ndarray | None
    splits: dict[str, Examples]

    @property
    def groups(self) -> np.ndarray:
        """What pairs of images are weighted by, int (phrases,): the class that each names, or the same number for all.

        Phrases without a class would be a class of their own, which real images do not have.
        """
        if self.classes is None or (self.classes == NONE).any():
            return np.zeros(len(self.phrases), np.int32)
        return self.classes


def captioned(examples: Mapping[str, Examples], captions: Mapping[str, Captions], seed: int) -> CaptionedData:
    """Puts captions in the place of labels.

    Args:
        examples: Split → its finite examples, with classes or without.
        captions: Split → the captions of these.
        seed: Chooses one caption of each held-out picture.

    Raises:
        DataError: If there are too many different captions.

    Example:
        >>> splits = {"train": Examples.from_arrays(images[:2], np.array([0, 1]), 2)}
        >>> data = captioned(splits, {"train": Captions.of([["a cat", "one cat"], ["a dog"]])}, seed=0)
        >>> data.phrases, data.classes.tolist(), data.splits["train"].size
        (('a cat', 'a dog', 'one cat'), [0, 1, 0], 4)
    """
    phrases, classes = _phrases(examples, captions)
    if len(phrases) > MOST_PHRASES:
        raise DataError(f"there must be at most {MOST_PHRASES} different captions. Received: {len(phrases)}")
    number = {phrase: i for i, phrase in enumerate(phrases)}
    rng = Stream.CAPTIONS.generator(seed)
    splits = {}
    for split, part in examples.items():
        of_split = captions[split]
        own = [[number[of_split.phrases[i]] for i in some] for some in of_split.of_pictures]
        turns = min(MOST_TURNS, max(map(len, own))) if split == "train" else 1
        if turns == 1:
            own = [[some[int(rng.integers(len(some)))]] for some in own]
        splits[split] = _with_phrases(part, own, turns, len(phrases), of_split.fingerprint)
    return CaptionedData(phrases, classes, splits)


def _phrases(
    examples: Mapping[str, Examples], captions: Mapping[str, Captions]
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """All phrases and their classes, so ordered that any number of them from the beginning is a fair sample."""
    uses: Counter[str] = Counter()
    named: dict[str, set[int]] = {}
    for split, part in examples.items():
        labels = part.take()[1]
        for picture, some in enumerate(captions[split].of_pictures):
            for phrase in (captions[split].phrases[i] for i in some):
                uses[phrase] += 1
                named.setdefault(phrase, set()).add(NONE if labels is None else int(labels[picture]))
    by_use = [phrase for phrase, _ in uses.most_common()]
    classes = {phrase: next(iter(found)) if len(found) == 1 else NONE for phrase, found in named.items()}
    seen: Counter[int] = Counter()
    rank = {}
    for phrase in by_use:
        rank[phrase] = seen[classes[phrase]]
        seen[classes[phrase]] += 1
    ordered = sorted(by_use, key=lambda phrase: (rank[phrase], classes[phrase] == NONE, classes[phrase]))
    without = all(part.num_classes is None for part in examples.values())
    return tuple(ordered), None if without else np.array([classes[phrase] for phrase in ordered], np.int32)


def _with_phrases(part: Examples, own: Sequence[Sequence[int]], turns: int, count: int, fingerprint: str) -> Examples:
    size = len(own)
    table = np.array([[some[turn % len(some)] for turn in range(turns)] for some in own], np.int32)
    read = part.read

    def pictures_and_phrases(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return read(indices % size)[0], table[indices % size, indices // size]

    return replace(
        part, read=pictures_and_phrases, size=size * turns, num_classes=count, classes=None, files=None,
        fingerprint=f"{part.fingerprint}-{fingerprint}",
    )  # fmt: skip


def classes_named(phrases: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The class that each phrase names, int (phrases,), or -1.

    Args:
        phrases: Of users.
        names: Of the classes, by their labels; `7` is also called seven and sevens.

    Example:
        >>> classes_named(["a bold seven", "two cats", "a dog"], ["7", "cat"]).tolist()
        [0, 1, -1]
    """
    templates = CaptionTemplates(tuple(names), ())
    return np.array([templates.named_by(phrase).get(CLASS, NONE) for phrase in phrases], np.int32)
