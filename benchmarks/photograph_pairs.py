"""Pairs of pictures in colour, 64 px, and the archives that they are cut from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfgantl.data import Arrays
from tfgantl.errors import ConfigError
from tfgantl.files import Replacing

SIDE = 64
CREDITS = (
    "Pictures: Open Peeps by Pablo Stanley and Lorelei by Lisa Wischofsky (CC0), Micah by Micah Lanier and Personas by "
    "Draftbit (CC BY 4.0), drawn with DiceBear; blood cells of BCCD and refuse of TrashNet (MIT)."
)


@dataclass(frozen=True)
class Archive:
    """Pictures that are a part of a file.

    Args:
        file: Name of the archive, with x, and y where classes are chosen from.
        classes: Labels of the pictures; all of them if not given.
        test: Share that is held out for the test.
    """

    file: str
    classes: tuple[int, ...] | None = None
    test: float = 0.5

    def source(self, data: Path, directory: Path, **options: Any) -> Arrays:
        """The pictures without labels, as a data source; they are cut from the file once.

        Args:
            data: Where the files are.
            directory: Of the benchmark.
            **options: Of the data source.

        Raises:
            ConfigError: If there is no such file.
        """
        path = data / f"{self.file}.npz"
        if not path.is_file():
            raise ConfigError(f"`data` must be a directory with {path.name}. Received: {data}")
        if self.classes is not None:
            path = self._cut(path, directory)
        return Arrays(str(path), labels=None, image_size=SIDE, channels=3, validation=0.1, test=self.test, **options)

    def _cut(self, path: Path, directory: Path) -> Path:
        import numpy as np

        from tfgantl.data.archives import read_arrays

        classes = self.classes or ()
        target = directory / "archives" / f"{self.file}-{''.join(map(str, classes))}.npz"
        if not target.is_file():
            found = read_arrays(path, ("x", "y"), 2**30)
            target.parent.mkdir(parents=True, exist_ok=True)
            with Replacing(target) as temporary:
                np.savez_compressed(temporary, x=found["x"][np.isin(found["y"], classes)])
        return target


@dataclass(frozen=True)
class Pair:
    """A source to pretrain, and a target to take it to.

    Args:
        source: Name, in `SOURCES`.
        target: Pictures of the target.
        shots: Numbers of training pictures.
    """

    source: str
    target: Archive
    shots: tuple[int, ...] = (10, 100)


@dataclass(frozen=True)
class Source:
    """Pictures to pretrain on.

    Args:
        pictures: Where they are.
        steps: Steps of the pretraining; few where there is little to learn.
    """

    pictures: Archive
    steps: int = 10_000


SOURCES = {
    "Open Peeps": Source(Archive("avatars_openpeeps", test=0.2)),
    "red cells": Source(Archive("blood_cells64", (1,), test=0.2), 4000),
    "refuse": Source(Archive("refuse64", (1, 2, 3, 4, 5), test=0.2)),
}
PAIRS = {
    "Lorelei": Pair("Open Peeps", Archive("avatars_lorelei")),
    "Micah": Pair("Open Peeps", Archive("avatars_micah")),
    "Personas": Pair("Open Peeps", Archive("avatars_personas")),
    "white cells": Pair("red cells", Archive("blood_cells64", (2,), test=0.45), (100,)),
    "cardboard": Pair("refuse", Archive("refuse64", (0,)), (100,)),
}
