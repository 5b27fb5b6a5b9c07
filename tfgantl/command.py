"""The console script: interrupts are taken care of before anything else is imported."""

from tfgantl.interrupts import exit_at_once


def main() -> None:
    """Runs a verb, or says which ones there are."""
    exit_at_once()
    from tfgantl.cli import main as run

    run()
