"""What shards of `tf.train.Example` have in common: a picture and a label in each record."""

import hashlib
import io
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tfgantl.data.classes import LABELS, is_other_number
from tfgantl.data.opening import MAX_FILE, Refused
from tfgantl.data.pictures import Encoded
from tfgantl.errors import ConfigError, DataError
from tfgantl.printing import printable

MAX_LABEL = 2**31 - 1


def check_unlabelled(where: str, label: str | None, names: Iterable[str]) -> None:
    """Refuses a set without the labels that were asked for, and with others.

    Raises:
        ConfigError: If one of the names is one that labels have, and `label` is not `None`.
    """
    others = [name for name in names if name.casefold() in LABELS]
    if label is not None and others:
        raise ConfigError(
            f"{where}: `label` must be what labels are called there, or null for none. "
            f"Received: {label}, which is not there, beside {', '.join(map(printable, others))}"
        )


def check_names(where: str, names: Iterable[str]) -> None:
    """Refuses texts as labels of which one is no name: such as -1 for none, which would be a class.

    Raises:
        DataError: If one is a number that is no class.
    """
    wrong = next((name for name in sorted(names) if is_other_number(name)), None)
    if wrong is not None:
        raise DataError(
            f"{where}: labels must be whole numbers from 0, or names. Received: {printable(wrong)[:80] or 'no text'}"
        )


def encoded_of(record: bytes, image: str, label: str | None, told: str) -> Encoded:
    """The picture of a record, and its label.

    Args:
        record: A `tf.train.Example`.
        image: Name of the feature with the picture.
        label: Name of the feature with the label, or `None`.
        told: Where the record is, for messages.

    Raises:
        DataError: If the label is missing, or none.
    """
    from google.protobuf.message import DecodeError
    from tensorflow import train

    try:
        features = train.Example.FromString(record).features.feature
    except DecodeError:
        return Encoded(partial(_refuse, "is no tf.train.Example"), None if label is None else 0)
    number = None
    if label is not None:
        values = list(features[label].int64_list.value) if label in features else []
        if len(values) != 1 or not 0 <= values[0] <= MAX_LABEL:
            names = ", ".join(sorted(features)[:20])
            raise DataError(
                f"{told}: `label` must be a feature with one whole number from 0, or null. "
                f"Received: {label}, with {values[:3]}; there are {names}"
            )
        number = int(values[0])
    pictures = list(features[image].bytes_list.value) if image in features else []
    if len(pictures) != 1:
        names = ", ".join(sorted(features)[:20])
        return Encoded(partial(_refuse, f"has no feature `{image}` with a picture; there are {names}"), number)
    return in_memory(pictures[0], number)


def in_memory(content: bytes, label: int | None) -> Encoded:
    """A picture whose file is in memory."""
    return Encoded(partial(opened, content), label, len(content), hashlib.sha256(content).digest())


def opened(content: bytes) -> BinaryIO:
    """A picture that is in memory.

    Raises:
        Refused: If it is empty, or too large.
    """
    if not content:
        raise Refused("is empty (0 bytes)")
    if len(content) > MAX_FILE:
        raise Refused(f"has more than {MAX_FILE} bytes")
    return io.BytesIO(content)


def _refuse(why: str) -> BinaryIO:
    raise Refused(why)


def told_record(files: list[Path], counts: list[int], index: int) -> tuple[Path, int]:
    """File of a record, and its number there."""
    for file, count in zip(files, counts, strict=True):
        if index < count:
            return file, index
        index -= count
    raise IndexError(index)
