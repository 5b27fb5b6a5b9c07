"""One way to show progress: a bar on the error stream, so that standard output stays free for results.

In a notebook, it is a widget.
"""

import sys

from tqdm.auto import tqdm

from tfgantl.printing import printable

IN_NOTEBOOK = any(cls.__name__ == "tqdm_notebook" for cls in tqdm.__mro__)

silent = False  # whether this process shows no bars, because several share the error stream
quiet = False  # whether it writes no lines either, because another one writes the same


def bar(total: int | None, title: str, unit: str = "step", shown: bool = True, delay: float = 0.0) -> tqdm:
    """A progress bar with rate and time left; in a file it is renewed every ten seconds.

    Args:
        total: Number of units, or `None` if unknown.
        title: What is going on.
        unit: Name of one unit.
        shown: Whether it is shown at all, as for what takes no time.
        delay: Seconds before it is shown; what has ended by then shows none.
    """
    interval = 0.2 if IN_NOTEBOOK or sys.stderr.isatty() else 10.0
    return tqdm(
        total=total,
        desc=printable(title),
        unit=unit,
        mininterval=interval,
        dynamic_ncols=True,
        file=sys.stderr,
        disable=silent or not shown,
        delay=delay,
    )


def log(*lines: str) -> None:
    """Writes lines to the error stream, above whatever bars are shown there; what is no text is escaped."""
    for line in () if quiet else lines:
        tqdm.write(printable(line), file=sys.stderr)
