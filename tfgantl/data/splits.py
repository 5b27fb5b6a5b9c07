"""How a finite data set is cut into train, validation and test."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.data.examples import FEWEST, SPLITS
from tfgantl.data.layout import SUFFIXES
from tfgantl.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tfgantl.data.stored import StoredImages

ENOUGH = 6  # images of a split that something can be measured on
MOST = 0.25  # that is set aside for it, if there are few
TRAIN, VALIDATION, TEST = (SPLITS.index(split) for split in ("train", "validation", "test"))


def share_of_few(count: int, share: float) -> float:
    """The share of a set that is set aside: as asked for, or more if that were too few images to measure on.

    Args:
        count: Images in all.
        share: What was asked for; 0 stays 0.

    Example:
        >>> share_of_few(1000, 0.1), share_of_few(30, 0.1), share_of_few(12, 0.1)
        (0.1, 0.2, 0.25)
    """
    return share if not share or share * count >= ENOUGH else max(share, min(MOST, ENOUGH / count))


def split_by_content(
    images: "np.ndarray | StoredImages",
    labels: np.ndarray | None,
    shares: dict[str, float],
    shots: dict[str, int | None],
    seed: int,
    where: str,
    keys: np.ndarray | None = None,
    digests: np.ndarray | None = None,
    files: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Cuts a data set into splits that never share an image, not even two copies of one.

    The cut depends on the images alone: within each class they are put in the order of the hashes of their keys, and
    copies stay together. `seed` chooses only which images of a part are kept as shots.

    Args:
        images: uint8 (n, height, width, channels); only counted, if `digests` are given.
        labels: int (n,), or `None` to treat all as one class.
        shares: The share of each class for `test` and `validation`; the rest is for `train`.
        shots: Split name → images a class that are kept; `None`, or no entry, for all. Those of `train` come first:
            of a class whose share for training has fewer, the other splits get what is left.
        seed: Chooses the shots.
        where: Name of the source for messages.
        keys: uint8 (n, 32), SHA-256 of what each image was before it was decoded and resized, so that neither moves
            the cut; `None` for the images themselves.
        digests: uint8 (n, 32), SHA-256 of the pixels of each image; `None` if it is not known.
        files: Name of each; those that differ in the kind of file alone, `a.jpg` and `a.png`, are copies.

    Returns:
        Split name → sorted int64 indices.

    Raises:
        ConfigError: If the shares are not possible.
        DataError: If a class has too few images for training or its shots, or a split is left without images. Each of
            the others keeps at least two images.

    Example:
        >>> found = split_by_content(images, labels, {"test": 0.2, "validation": 0.2}, {"train": 2}, 0, "mine")
        >>> len(found["train"])  # two of each of three classes
        6
    """
    test, validation = shares.get("test", 0.0), shares.get("validation", 0.0)
    if test < 0 or validation < 0 or test + validation >= 1:
        raise ConfigError(
            f"{where}: `validation` and `test` must be shares from 0 with a sum below 1. "
            f"Received: {validation} and {test}"
        )
    if digests is None:
        digests = digests_of(image.tobytes() for image in images)
    content = np.ascontiguousarray(digests).view("S32").ravel()
    copied = content if files is None else _joined_by_name(content, files)
    order = content if keys is None else np.ascontiguousarray(keys).view("S32").ravel()
    classes = np.zeros(len(images), int) if labels is None else labels
    rng = np.random.default_rng([seed, 7])
    chosen: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    names, sizes = np.unique(classes, return_counts=True)
    tests = _counts(sizes, test, sizes)
    validations = _counts(sizes[::-1], validation, np.maximum(sizes - 1 - tests, 0)[::-1])[::-1]  # from the end
    least = -(-FEWEST // len(names))  # of a class in each of both
    ranked = [members[np.argsort(order[members], kind="stable")] for members in _members(classes, len(names))]
    sides = [
        np.repeat([TEST, VALIDATION, TRAIN], [n_test, n_validation, len(members) - n_test - n_validation])
        for members, n_test, n_validation in (
            (members, *_left_by_shots((n_test, n_validation), len(members), shots.get("train"), least))
            for members, n_test, n_validation in zip(ranked, tests, validations, strict=True)
        )
    ]
    # Copies stay on one side, also those under two labels: on that of the first of them.
    first, copies = np.unique(copied[np.concatenate(ranked)], return_index=True, return_inverse=True)[1:]
    sides = np.split(np.concatenate(sides)[first][copies], np.cumsum(sizes)[:-1])
    for label, members, side in zip(names, ranked, sides, strict=True):
        parts = {split: members[side == number] for number, split in enumerate(SPLITS)}
        if not len(parts["train"]):
            raise DataError(
                f"{where}: each class must have an image left for training. Received: {len(members)} of class {label}, "
                f"of which {len(parts['test'])} are for the test and {len(parts['validation'])} for validation"
            )
        for split, part in parts.items():
            limit = shots.get(split)
            if limit is not None:
                if not 0 < limit <= len(part):
                    option = "`shots`" if split == "train" else f"`{split}_shots`"
                    whole = "" if labels is None else f" of class {label}"
                    raise DataError(
                        f"{where}: {option} must be in [1, {len(part)}], the {split} images{whole} that there can be. "
                        f"Received: {limit}"
                    )
                part = rng.permutation(part)[:limit]
            chosen[split].append(part)
    for split in SPLITS:
        if not sum(map(len, chosen[split])) and shares.get(split, 1.0) > 0:
            raise DataError(f"{where}: at least one image is needed for {split}. Received: {len(images)} images in all")
    return {split: np.sort(np.concatenate(parts).astype(np.int64)) for split, parts in chosen.items()}


def _joined_by_name(content: np.ndarray, files: Sequence[str]) -> np.ndarray:
    """The content of each image, or that of a copy which another kind of file of the same name has."""
    same: dict[bytes, bytes] = {}

    def root(one: bytes) -> bytes:
        while one in same:
            same[one] = same.get(same[one], same[one])  # a shorter way for the next one who asks
            one = same[one]
        return one

    named: dict[str, bytes] = {}
    for own, file in zip(content.tolist(), files, strict=True):
        stem, suffix = os.path.splitext(file)
        other = named.setdefault(stem if suffix.casefold() in SUFFIXES else file, own)
        if root(other) != root(own):
            same[root(own)] = root(other)
    return np.array([root(one) for one in content.tolist()], content.dtype) if same else content


def _members(classes: np.ndarray, count: int) -> list[np.ndarray]:
    """Indices of the members of each class, in their order."""
    numbers = np.unique(classes, return_inverse=True)[1]
    return np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers, minlength=count))[:-1])


def _counts(sizes: np.ndarray, share: float, most: np.ndarray) -> np.ndarray:
    """How many of each class are set aside: its share, or of classes too small for one each, one of some.

    Args:
        sizes: Images of each class.
        share: What is set aside of all.
        most: How many of each class there may be, where its share is not what it gives.
    """
    counts = np.round(sizes * share).astype(int)
    if counts.sum() >= min(2, round(sizes.sum() * share)):
        return counts
    return np.minimum(np.diff(np.round(np.cumsum(sizes) * share).astype(int), prepend=0), most)


def _left_by_shots(counts: tuple[int, int], size: int, shots: int | None, least: int) -> tuple[int, int]:
    """How many images of a class both other splits get beside its shots: as many as they would, or what is left.

    Args:
        counts: What they get without shots.
        size: Images of the class.
        shots: How many of them are for training; `None` for the rest.
        least: What each of them that gets any keeps.
    """
    held, kept = sum(counts), sum(min(count, least) for count in counts)
    left = held if shots is None else min(held, max(kept, size - shots))
    if left == held:
        return counts
    test, validation = (min(count, least) for count in counts)
    more = round((left - kept) * (counts[0] - test) / (held - kept))
    return test + more, validation + left - kept - more


def digests_of(contents: Iterable[bytes]) -> np.ndarray:
    """SHA-256 of each, uint8 (n, 32); as bytes of NumPy (`S32`), they are in the order of their hexadecimal digits."""
    joined = b"".join(hashlib.sha256(content).digest() for content in contents)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)
