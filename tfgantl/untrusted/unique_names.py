"""Names that two things of a file would have: readers would differ in which one they take, and the last would win."""

from typing import Any

from tfgantl.printing import printable


def add(found: dict[Any, Any], name: Any, value: Any) -> None:
    """Puts something under a name that nothing has.

    Args:
        found: Takes it.
        name: Of the file, as it is understood: two spellings may mean one name.
        value: Anything.

    Raises:
        ValueError: If there is something under this name.

    Example:
        >>> found = {"kernel": 1}
        >>> add(found, "kernel", 2)
        Traceback (most recent call last):
        ValueError: the name kernel twice
    """
    if name in found:
        raise ValueError(f"the name {printable(str(name))[:80]} twice")
    found[name] = value
