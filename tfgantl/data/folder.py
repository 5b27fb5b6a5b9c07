"""A folder of pictures as a data source: every file is checked, and a bad one is named."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tfgantl.data.encoded import EncodedSource
from tfgantl.data.layout import Layout, check_folder, find_pictures
from tfgantl.data.opening import open_regular
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.files import absolute
from tfgantl.printing import printable


@dataclass(frozen=True)
class Folder(EncodedSource):
    """Pictures in a folder. Sub-folders with pictures are classes, numbered in alphabetical order, or as numbers.

    Pictures become squares as `crop` says. See `tfgantl.data.decode` for what is done to turned, gray, transparent,
    CMYK, 16-bit, palette and animated ones.

    Args:
        path: The folder.
        image_size: Height and width in pixels that pictures are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        test: Share of each class for the test.
    """

    path: str
    image_size: int | None = None
    channels: int | None = None
    test: float = field(default=0.2, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check_files(self) -> None:
        check_folder(Path(self.path))

    @property
    def name(self) -> str:
        return Path(self.path).resolve().name

    def pictures(self) -> PictureList:
        return _Files(Path(self.path), find_pictures(Path(self.path)))


class _Files(PictureList):
    """Pictures that are files."""

    unit = "file"

    def __init__(self, root: Path, layout: Layout) -> None:
        classes = layout.classes or None
        super().__init__("Folder", len(layout.files), classes is not None, classes, layout.notes)
        self._root, self._layout = root, layout

    def chunk(self, start: int, stop: int) -> Iterator[Encoded]:
        for file, label in zip(self._layout.files[start:stop], self._layout.labels[start:stop], strict=True):
            yield Encoded(partial(open_regular, file), label if self.labelled else None)

    def told(self, index: int) -> str:
        return printable(self._layout.files[index])

    def called(self, index: int) -> str:
        return self._layout.files[index].relative_to(self._root).as_posix()
