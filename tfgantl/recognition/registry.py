"""Recognition methods by name, and what tables call them. Imports no TensorFlow."""

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, cast

from tfgantl.errors import ConfigError
from tfgantl.recognition import methods
from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

METHODS: dict[str, type[Recognizer]] = {name: getattr(methods, name) for name in methods.NAMES}


def row_label(method: Recognizer) -> str:
    """What a table calls a method: its name and the options that differ from their defaults.

    Example:
        >>> from tfgantl.recognition import MCD
        >>> row_label(MCD(repeats=2))
        'MCD:repeats=2'
    """
    options = [
        f"{field.name}={_text(getattr(method, field.name))}"
        for field in fields(cast("DataclassInstance", method))
        if getattr(method, field.name) != field.default
    ]
    return ":".join([type(method).__name__, *options])


def by_label(chosen: Iterable[Recognizer]) -> dict[str, Recognizer]:
    """Methods by their labels.

    Raises:
        ConfigError: If there is none, or two have the same label.
    """
    found: dict[str, Recognizer] = {}
    for method in chosen:
        if row_label(method) in found:
            raise ConfigError(f"`method` must name each method once. Received: {row_label(method)} twice")
        found[row_label(method)] = method
    if not found:
        raise ConfigError(f"`method` must name at least one of {', '.join(METHODS)}. Received: none")
    return found


def _text(value: object) -> str:
    if isinstance(value, Recognizer):
        return row_label(value)
    return "none" if value is None else str(value)
