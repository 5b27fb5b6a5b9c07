"""A model directory: numbered versions, which a server takes up within a second, and nothing half-made.

Whatever appears or goes does so by a rename. Names that are no numbers are not looked at by TensorFlow Serving.
"""

import os
import shutil
from pathlib import Path

from tfgantl.errors import ArtifactError, RunError
from tfgantl.export.manifest import read_manifest

WITHDRAWN = "withdrawn-"


def versions_in(directory: Path) -> list[int]:
    """Numbers of the published versions, from the oldest."""
    return sorted(int(child.name) for child in _children(directory) if _is_number(child.name))


def rename_to_next(temporary: Path, directory: Path) -> Path:
    """Gives a finished directory the next number; concurrent exports never share one, and none is ever used again."""
    while True:
        taken = [name.removeprefix(WITHDRAWN) for name in os.listdir(directory)]
        target = directory / str(max((int(name) for name in taken if name.isdecimal()), default=0) + 1)
        try:
            os.rename(temporary, target)  # fails if another export took the number and filled it
            return target
        except OSError:
            if not target.exists():
                raise


def roll_back(directory: Path) -> tuple[int, int]:
    """Withdraws the newest version, so that servers go back to the one before it. It stays, under another name.

    Returns:
        The number that was withdrawn, and the one that serves now.

    Raises:
        RunError: If there is no version to go back to.
    """
    found = versions_in(directory)
    if len(found) < 2:
        raise RunError(f"{directory}: must hold two versions to go back. Received: {len(found)}")
    os.rename(directory / str(found[-1]), directory / f"{WITHDRAWN}{found[-1]}")
    return found[-1], found[-2]


def keep_newest(directory: Path, count: int) -> list[int]:
    """Deletes all versions but the newest `count`, and returns the numbers of those deleted."""
    old = versions_in(directory)[:-count]
    for number in old:
        deleted = directory / f".deleted-{number}-{os.getpid()}"
        os.rename(directory / str(number), deleted)
        shutil.rmtree(deleted)
    return old


def describe(directory: Path) -> list[dict]:
    """What is known of each version: number, state, when it was made, its verdict.

    Raises:
        RunError: If there is no such directory.
    """
    if not directory.is_dir():
        raise RunError(f"a model directory must hold numbered versions. Received: {directory}, which does not exist")
    newest, rows = max(versions_in(directory), default=None), []
    for child in _children(directory):
        number = child.name.removeprefix(WITHDRAWN)
        if _is_number(number):
            state = "withdrawn" if child.name != number else "newest" if int(number) == newest else "older"
            try:
                manifest = read_manifest(child)
            except ArtifactError:
                manifest, state = {}, f"{state}, without a manifest"
            rows.append({
                "version": int(number), "state": state, "created": manifest.get("created"),
                "verdict": manifest.get("verdict"), "signatures": sorted(manifest.get("signatures", {})),
            })  # fmt: skip
    return sorted(rows, key=lambda row: row["version"])


def _is_number(name: str) -> bool:
    return name.isdecimal() and str(int(name)) == name


def _children(directory: Path) -> list[Path]:
    return [child for child in directory.iterdir() if child.is_dir()] if directory.is_dir() else []
