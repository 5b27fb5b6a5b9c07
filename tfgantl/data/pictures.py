"""Encoded pictures, many of them and wherever they lie, as a source hands them over to be decoded."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, NamedTuple

Opener = Callable[[], BinaryIO]


class Encoded(NamedTuple):
    """One picture that has not been looked at.

    Attributes:
        open: Gives the picture as an open binary file; raises `Refused` or `OSError` where there is none.
        label: Number of its class; `None` without classes.
        held: Bytes of it that are in memory until it is opened.
        same: What tells pictures that are the same file from others, where a small file can hold masses of them.
    """

    open: Opener
    label: int | None = None
    held: int = 0
    same: bytes | None = None


class PictureList(ABC):
    """The pictures of a source in their order; a listing, so that nothing is decoded to make it.

    Args:
        where: Name of the source, for messages.
        count: Number of pictures.
        labelled: Whether each has a label.
        classes: Name of each class by its label; `None` if classes are only numbers, or there are none.
        notes: Remarks for the report.
    """

    unit = "picture"  # what one of them is called

    def __init__(
        self,
        where: str,
        count: int,
        labelled: bool = False,
        classes: Sequence[str] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.where, self.count, self.labelled = where, count, labelled
        self.classes = None if classes is None else tuple(classes)
        self.notes = tuple(notes)

    @abstractmethod
    def chunk(self, start: int, stop: int) -> Iterable[Encoded]:
        """Gives pictures `start` to `stop`; chunks are asked for in order, but may begin anywhere.

        Raises:
            DataError: If what they lie in is damaged.
        """

    @abstractmethod
    def told(self, index: int) -> str:
        """Where picture `index` is, for messages: safe to print."""

    def called(self, index: int) -> str:
        """What picture `index` is called in files about pictures, such as captions: its place, if it has no name."""
        return str(index)
