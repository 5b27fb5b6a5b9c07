"""Tables of methods from their classes, so that documentation cannot differ from the code. Imports no TensorFlow."""

import inspect
from collections.abc import Iterable


def rows(methods: Iterable[type], *columns: str) -> list[tuple[str, ...]]:
    """One row for each class, as text.

    Args:
        methods: Classes whose docstrings have a summary and, if there is a paper, a section `Reference:`.
        columns: `name`, `summary` (first line of the docstring), `paper`, or an attribute of the classes, such as
            `cost`; a tuple is joined with commas.

    Example:
        >>> rows([DANN], "family", "name", "paper")
        [('feature', 'DANN', 'Ganin et al., 2016, https://arxiv.org/abs/1505.07818')]
    """
    return [tuple(_cell(method, column) for column in columns) for method in methods]


def summary(method: type) -> str:
    """The first line of a docstring."""
    return inspect.cleandoc(method.__doc__ or "").partition("\n")[0]


def paper(method: type) -> str:
    """What a docstring has in its section `Reference:`, in one line; a dash if there is none."""
    _, _, reference = inspect.cleandoc(method.__doc__ or "").partition("\nReference:\n")
    lines = reference.partition("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines) or "–"


def _cell(method: type, column: str) -> str:
    if column == "name":
        return method.__name__
    if column in ("summary", "paper"):
        return {"summary": summary, "paper": paper}[column](method)
    value = getattr(method, column)
    return ", ".join(value) if isinstance(value, tuple) else str(value)
