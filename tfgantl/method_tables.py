"""What tables of methods say, taken from the classes, so that documentation cannot differ from the code."""

import inspect


def summary(method: type) -> str:
    """The first line of a docstring."""
    return inspect.cleandoc(method.__doc__ or "").partition("\n")[0]


def paper(method: type) -> str:
    """What a docstring has in its section `Reference:`, in one line; a dash if there is none."""
    _, _, reference = inspect.cleandoc(method.__doc__ or "").partition("\nReference:\n")
    lines = reference.partition("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines) or "–"
