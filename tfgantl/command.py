"""The console script: interrupts are taken care of before anything else is imported."""

import sys

from tfgantl.interrupts import exit_at_once
from tfgantl.own_modules import find_own_modules


def main() -> None:
    """Runs a verb, or says which ones there are."""
    exit_at_once()
    find_own_modules(sys.argv[1:])
    from tfgantl.cli import main as run

    run()
