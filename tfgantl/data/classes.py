"""Names of classes: kept with their labels, and what two domains are matched by."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.errors import DataError

# What labels are called in sets that have others than the one that is asked for.
LABELS = {
    "category", "category_id", "class", "class_id", "class_label", "classes", "cls", "coarse_label", "coarse_labels",
    "fine_label", "fine_labels", "label", "label_id", "labels", "target", "targets",
}  # fmt: skip
_NUMBER = re.compile(r"[-+][0-9.]+|[\[(][-+]?[0-9.]+[\])]")


def is_other_number(name: str) -> bool:
    """Whether a text is a number that no class has: -1, +1, [0].

    Example:
        >>> [is_other_number(name) for name in ("-1", "[3]", "7", "0042", "0.5", "cat", "v-1")]
        [True, True, False, False, False, False, False]
    """
    return _NUMBER.fullmatch(name) is not None


def in_order(names: Sequence[str]) -> list[str]:
    """Different names of classes in the order of their labels: as numbers if all are numbers, else by alphabet.

    Raises:
        DataError: If two look the same: they differ in blanks, marks that are not seen, or ways to write an accent.

    Example:
        >>> in_order(["10", "9", "1"]), in_order(["dog", "Cat"])
        (['1', '9', '10'], ['Cat', 'dog'])
    """
    check_look_different(names)
    if all(re.fullmatch(r"[0-9]{1,18}", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def label_of(text: str, names: Sequence[str] | None, count: int) -> int | None:
    """The label that a name, or the number of a class, stands for; `None` for neither.

    Where all classes are called by numbers, numbers are names: `1` is none of `10`, `20` and `30`.

    Example:
        >>> label_of("dog", ["cat", "dog"], 2), label_of("0", ["cat", "dog"], 2), label_of("1", ["10", "20"], 2)
        (1, 0, None)
    """
    if names and text in names:
        return list(names).index(text)
    are_names = bool(names) and all(name.isdecimal() for name in names or ())
    return int(text) if re.fullmatch("[0-9]{1,9}", text) and int(text) < count and not are_names else None


def check_look_different(names: Sequence[str]) -> None:
    """Refuses different names of classes that nobody can tell apart.

    Raises:
        DataError: If two differ in blanks, marks that are not seen, or ways to write an accent alone.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_as_seen(name), name)
        if other != name:
            raise DataError(
                f"names of classes must look different. Received: {ascii(other)[:80]} and {ascii(name)[:80]}"
            )


def matched(
    examples: Examples, classes: Sequence[str], renamed: Mapping[str, str] | None = None, where: str = "the target"
) -> Examples:
    """Examples whose labels mean what they mean elsewhere: classes are matched by name, whatever their order and case.

    Args:
        examples: Labelled, with names of their classes.
        classes: Names by the labels of the other side.
        renamed: Name of a class here → its name there, for classes that are called differently.
        where: What the examples are, for messages.

    Returns:
        The examples with the labels and names of the other side; a note says so if labels have changed.

    Raises:
        DataError: If a class has no partner, or two have the same; the message names them.
    """
    if examples.classes is None:
        return examples
    unknown = sorted(set(renamed or {}) - set(examples.classes))
    if unknown:
        raise DataError(
            f"`renamed_classes` must name classes of {where} ({', '.join(examples.classes)}). "
            f"Received: {', '.join(unknown)}"
        )
    here = [(renamed or {}).get(name, name) for name in examples.classes]
    labels = same_names(here, classes)
    missing = [name for label, name in enumerate(classes) if label not in labels]
    extra = [name for name, label in zip(examples.classes, labels, strict=True) if label is None]
    if missing or extra or len(set(labels)) < len(labels):
        raise DataError(
            f"{where} must have the same classes, by name; `renamed_classes` says which are called differently. "
            f"Received: {', '.join(examples.classes)} for {', '.join(classes)}"
            f"{_listed('missing', missing)}{_listed('too many', extra)}"
        )
    new = np.array(labels, np.int32)
    if (new == np.arange(len(new))).all():
        return replace(examples, classes=tuple(classes))
    read = examples.read

    def relabelled(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        images, labels = read(indices)
        return images, None if labels is None else new[labels]

    changed = [f"{name} is {label}" for name, label in zip(examples.classes, new, strict=True)]
    note = f"classes matched by name: {', '.join(changed)}"
    fingerprint = hashlib.sha256(f"{examples.fingerprint} {new.tolist()}".encode()).hexdigest()[:16]
    return replace(
        examples, read=relabelled, classes=tuple(classes), notes=(*examples.notes, note), fingerprint=fingerprint
    )


def same_names(classes: Sequence[str], others: Sequence[str]) -> list[int | None]:
    """For each class, the label on the other side of the class with the same name; `None` if there is none.

    The same spelling counts first. Another one counts where it can only mean one class: letters as classes differ in
    case alone.

    Example:
        >>> same_names(["dog", "cat", "bird"], ["Cat", "Dog"])
        [1, 0, None]
        >>> same_names(["A", "a"], ["a", "A"]), same_names(["A", "a"], ["a", "b"])
        ([1, 0], [None, 0])
    """
    exact = {name: label for label, name in enumerate(others)}
    ours, theirs = (Counter(map(plain_name, names)) for names in (classes, others))
    alike = {plain_name(name): label for label, name in enumerate(others) if theirs[plain_name(name)] == 1}
    return [exact.get(name, alike.get(plain_name(name)) if ours[plain_name(name)] == 1 else None) for name in classes]


def plain_name(name: str) -> str:
    """What two spellings of a name have in common: no case, separators, leading zeros, or ways to write an accent.

    Example:
        >>> plain_name("Red_Blood-cell"), plain_name("007")
        ('red blood cell', '7')
    """
    words = " ".join(re.split(r"[\s_-]+", unicodedata.normalize("NFKC", name).strip().casefold()))
    return words.lstrip("0") or "0" if re.fullmatch(r"[0-9]+", words) else words


def _as_seen(name: str) -> str:
    """A name without what nobody sees of it, such as the mark at the beginning of files of Windows."""
    composed = unicodedata.normalize("NFC", name)
    return " ".join("".join(c for c in composed if unicodedata.category(c) not in ("Cc", "Cf") or c.isspace()).split())


def _listed(what: str, names: list[str]) -> str:
    return f"; {what}: {', '.join(names)}" if names else ""
