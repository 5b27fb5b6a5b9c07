"""How much a file may have, and may make this process do; files claim anything."""

import io
from typing import IO

MAX_LINE = 2**10  # bytes of a name


class Budget:
    """How much of something a file may still have.

    Args:
        thing: What is counted, in the plural.
        most: How many.
    """

    def __init__(self, thing: str, most: int):
        self.thing, self.most, self.left = thing, most, most

    def spend(self, count: int = 1) -> None:
        """Takes some; raises `ValueError` if there are not so many left."""
        self.left -= count
        if self.left < 0:
            raise ValueError(f"more than {self.most} {self.thing}")


class Bounded:
    """A stream that gives no more than it has, however much is asked for: what a pickle claims allocates nothing."""

    def __init__(self, stream: IO[bytes], size: int):
        self.stream, self.size = stream, size

    def tell(self) -> int:
        return self.stream.tell()

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.size - self.stream.tell():
            raise ValueError(f"{count} bytes at {self.stream.tell()}, which are not there")
        return self.stream.read(count)

    def skip(self, count: int) -> None:
        """Goes on behind bytes that are there."""
        if not 0 <= count <= self.size - self.stream.tell():
            raise ValueError(f"{count} bytes at {self.stream.tell()}, which are not there")
        self.stream.seek(count, io.SEEK_CUR)

    def readline(self) -> bytes:
        return self.stream.readline(MAX_LINE)
