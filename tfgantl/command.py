"""The console script: interrupts are taken care of before anything else is imported."""

import os
import sys

from tfgantl.interrupts import exit_at_once


def main() -> None:
    """Runs a verb, or says which ones there are."""
    exit_at_once()
    # As `python -m` has it, so that classes of one's own can be named; last, so that nothing there hides a package.
    sys.path.append(os.getcwd())
    from tfgantl.cli import main as run

    run()
