"""Signals that ask a run to stop: it finishes the step, saves, and says how to go on."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Self

from tfgantl.errors import InterruptedRun


class Interruption:
    """Context manager that turns the first SIGINT or SIGTERM into a wish; the second one stops at once.

    Attributes:
        asked: Name of the signal, or `None`.
    """

    def __init__(self) -> None:
        self.asked: str | None = None
        self._before: dict = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # others may not set handlers
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name  # and nothing is printed here, where a print may be under way

    def stop(self, step: int, path: Path) -> None:
        """Ends the run, which has been saved.

        Raises:
            InterruptedRun: Always.
        """
        raise InterruptedRun(
            f"{self.asked or 'another worker stopped'} at step {step}; everything is saved, `--resume {path}` goes on"
        )
