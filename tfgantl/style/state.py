"""Where a run of style transfer is: arrays and numbers in one file, which is whole or not there."""

from typing import Any

import numpy as np

from tfgantl.training.run_directory import RunDirectory
from tfgantl.untrusted.archives import read_npz


def save_state(run: RunDirectory, arrays: dict[str, np.ndarray], title: str = "", **numbers: int) -> None:
    """Takes the place of the state before.

    Args:
        run: Where.
        arrays: What to keep.
        title: Which of several states of the run.
        numbers: What else to keep.
    """
    kept: dict[str, Any] = {**arrays, **{name: np.int64(number) for name, number in numbers.items()}}
    with run.replacing(_file(title)) as temporary, open(temporary, "wb") as file:
        np.savez(file, **kept)


def load_state(run: RunDirectory, title: str = "") -> dict[str, np.ndarray] | None:
    """What `save_state` wrote last, or `None`.

    Raises:
        ArtifactError: If the file is damaged.
    """
    path = run.path / _file(title)
    return read_npz(path) if path.is_file() else None


def _file(title: str) -> str:
    return f"state_{title}.npz" if title else "state.npz"
