"""Where a run of style transfer is: arrays and numbers in one file, which is whole or not there."""

from typing import Any

import numpy as np

from tfgantl.errors import RunError
from tfgantl.training.run_directory import RunDirectory
from tfgantl.untrusted.archives import read_npz

RUN = "run"  # name of the array that says whose state it is


def save_state(run: RunDirectory, arrays: dict[str, np.ndarray], title: str = "", **numbers: int) -> None:
    """Takes the place of the state before.

    Args:
        run: Where.
        arrays: What to keep.
        title: Which of several states of the run.
        numbers: What else to keep.
    """
    kept: dict[str, Any] = {**arrays, **{name: np.int64(number) for name, number in numbers.items()}}
    kept[RUN] = np.frombuffer(run.id.encode(), np.uint8)
    with run.replacing(_file(title)) as temporary, open(temporary, "wb") as file:
        np.savez(file, **kept)


def load_state(run: RunDirectory, title: str = "") -> dict[str, np.ndarray] | None:
    """What `save_state` wrote last, or `None`.

    Raises:
        ArtifactError: If the file is damaged.
        RunError: If it is of another run.
    """
    path = run.path / _file(title)
    if not path.is_file():
        return None
    state = read_npz(path)
    owner = state.pop(RUN, None)  # earlier versions did not say
    if owner is not None and owner.tobytes() != run.id.encode():
        raise RunError(f"{path}: must be of this run. Received: that of another")
    return state


def check_shapes(state: dict[str, np.ndarray], wanted: dict[str, tuple[int, ...]], where: str) -> None:
    """Refuses a state of a network or picture of another form, as after changes that were allowed.

    Args:
        state: As `load_state` gives it.
        wanted: Name → shape.
        where: What it is of, for the message.

    Raises:
        RunError: If an array is missing or has another shape.
    """
    for name, shape in wanted.items():
        if name not in state or state[name].shape != shape:
            found = state[name].shape if name in state else "none"
            raise RunError(f"{where} must go on with the form that it had, {name} of {shape}. Received: {found}")


def _file(title: str) -> str:
    return f"state_{title}.npz" if title else "state.npz"
