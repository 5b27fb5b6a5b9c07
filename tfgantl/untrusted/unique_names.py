"""Names that two things of a file would have: readers would differ in which one they take, and the last would win."""

from typing import Any

from tfgantl.errors import ArtifactError, TfgantlError
from tfgantl.printing import printable


def add(
    found: dict[Any, Any], name: Any, value: Any, allowed: str = "", error: type[TfgantlError] = ArtifactError
) -> None:
    """Puts something under a name that nothing has.

    Args:
        found: Takes it.
        name: Of the file, as it is understood: two spellings may mean one name.
        value: Anything.
        allowed: What must be, such as `x.npz: names must be unique`; empty where whoever reads the file says so.
        error: What is raised with it.

    Raises:
        ValueError: If there is something under this name; `error` if there is something to say with it.

    Example:
        >>> found = {"kernel": 1}
        >>> add(found, "kernel", 2)
        Traceback (most recent call last):
        ValueError: the name kernel twice
    """
    if name in found:
        what = f"the name {printable(str(name))[:80]} twice"
        raise error(f"{allowed}. Received: {what}") if allowed else ValueError(what)
    found[name] = value
