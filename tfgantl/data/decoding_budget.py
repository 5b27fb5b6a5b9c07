"""How much is decoded at one time: pictures wait for each other rather than for memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PIXELS = 64_000_000  # decoded at one time by all threads; each takes up to 16 bytes, with all that is made on the way


class DecodingBudget:
    """Pixels that may be in memory at one time.

    Args:
        pixels: Their number. A picture with more waits until it is alone.
    """

    def __init__(self, pixels: int = PIXELS) -> None:
        self._pixels, self._used = pixels, 0
        self._changed = threading.Condition()

    @contextmanager
    def spent(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for so many pixels, which are in use until the block ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + pixels <= self._pixels)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()


BUDGET = DecodingBudget()  # of this process
