"""A model directory: numbered versions, which a server takes up within a second, and nothing half-made.

Whatever appears or goes does so by a rename. Names that are no numbers are not looked at by TensorFlow Serving.
"""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tfgantl.errors import ArtifactError, RunError, reason
from tfgantl.export.manifest import NAME as MANIFEST
from tfgantl.export.manifest import read_manifest, verify_files

WITHDRAWN = "withdrawn-"
MAX_NUMBER = 2**63 - 1  # of a version, for TensorFlow Serving
TEMPORARY = re.compile(r"(\.tmp-[0-9a-f]{32})(\.lock)?")
DELETED = re.compile(r"\.deleted-\d+-\d+")


def versions_in(directory: Path) -> list[int]:
    """Numbers of the published versions, from the oldest."""
    return sorted(int(child.name) for child in _children(directory) if _is_number(child.name))


@contextmanager
def temporary_version(directory: Path) -> Iterator[Path]:
    """A new directory under a name that no server looks at, which is gone at the end unless it was renamed.

    A lock beside it says that somebody is writing it: what a killed export has left has none, and is removed first.
    """
    remove_leftovers(directory)
    temporary = directory / f".tmp-{uuid.uuid4().hex}"
    lock = FileLock(f"{temporary}.lock")
    with lock:
        temporary.mkdir()
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def remove_leftovers(directory: Path) -> None:
    """Removes what exports that were killed have left; what another export is writing stays."""
    for name in sorted(os.listdir(directory)):
        if DELETED.fullmatch(name):
            _remove(directory / name)
        elif match := TEMPORARY.fullmatch(name):
            lock = FileLock(directory / f"{match[1]}.lock")
            try:
                with lock.acquire(timeout=0):
                    shutil.rmtree(directory / match[1], ignore_errors=True)
                    Path(lock.lock_file).unlink(missing_ok=True)
            except (Timeout, OSError, NotImplementedError):  # in use, or not ours to remove
                continue


def published_by(directory: Path, run: str | None, weights: str | None) -> Path | None:
    """The version that a run has published, if it was interrupted behind that; `None` without such a one.

    Args:
        directory: Model directory.
        run: What manifests call the run.
        weights: Hash of the weights that it is to publish; it may have trained on since.
    """
    for number in reversed(versions_in(directory) if run else []):
        try:
            manifest = read_manifest(directory / str(number))
            if (manifest.get("run"), manifest.get("weights")) == (run, weights):
                verify_files(directory / str(number))
                return directory / str(number)
        except (ArtifactError, OSError):  # no version of ours, or one that has been damaged since
            continue
    return None


def rename_to_next(temporary: Path, directory: Path) -> Path:
    """Gives a finished directory the next number; concurrent exports never share one, and none is ever used again."""
    while True:
        taken = [name.removeprefix(WITHDRAWN) for name in os.listdir(directory)]
        target = directory / str(max((int(name) for name in taken if _is_number(name)), default=0) + 1)
        if not _is_number(target.name):
            raise RunError(f"{directory}: there must be a number for the next version. Received: {MAX_NUMBER} is taken")
        try:
            os.rename(temporary, target)  # fails if another export took the number and filled it
            flush(directory)
            return target
        except OSError:
            if not target.exists():
                raise


def roll_back(directory: Path) -> tuple[int, int]:
    """Withdraws the newest version, so that servers go back to the one before it. It stays, under another name.

    Returns:
        The number that was withdrawn, and the one that serves now.

    Raises:
        RunError: If there is no such directory, or no version to go back to, it is damaged, or the newest was withdrawn
            before.
    """
    _check_directory(directory)
    found = versions_in(directory)
    if len(found) < 2:
        raise RunError(f"{directory}: must hold two versions to go back. Received: {len(found)}")
    if fault := _fault_of(directory / str(found[-2])):
        raise RunError(f"{directory}: must hold a version that can be served to go back. Received: {fault}")
    withdrawn = directory / f"{WITHDRAWN}{found[-1]}"
    if withdrawn.exists():  # somebody has put a version back, or numbers have begun anew
        raise RunError(
            f"{directory}: must not hold {withdrawn.name} yet, so that {found[-1]} can become it. Received: one"
        )
    os.rename(directory / str(found[-1]), withdrawn)
    return found[-1], found[-2]


def keep_newest(directory: Path, count: int) -> list[int]:
    """Deletes all versions but the newest `count`, and returns the numbers of those deleted.

    Damaged ones do not count, since nobody can go back to them. What is no version of this package, by its manifest,
    stays, and does not count: it may be on its way here.
    """
    own = [number for number in versions_in(directory) if _has_manifest(directory / str(number))]
    intact = [number for number in own if not _fault_of(directory / str(number))]
    old = [number for number in own if len(intact) > count and number < intact[-count]]
    gone = []
    for number in old:
        deleted = directory / f".deleted-{number}-{os.getpid()}"
        with suppress(FileNotFoundError):  # another process deletes them, too
            os.rename(directory / str(number), deleted)
            _remove(deleted)
            gone.append(number)
    return gone


def check_versions(directory: Path) -> None:
    """Refuses a directory with numbered children that are no versions of a model, such as photographs by year.

    Raises:
        RunError: If there is one.
    """
    for number in versions_in(directory):
        if not (directory / str(number) / "saved_model.pb").is_file():
            raise RunError(
                f"`export_dir` must hold versions of a model under numbers. Received: {directory / str(number)}, "
                "which has no saved_model.pb"
            )


def _fault_of(version: Path) -> str:
    """Why a version cannot be served, as far as its files tell; empty if it can."""
    if not (version / "saved_model.pb").is_file():
        return f"{version}, which has no saved_model.pb"
    if (version / MANIFEST).exists():  # others may have published it
        try:
            verify_files(version)
        except (ArtifactError, OSError) as error:
            return reason(error)
    return ""


def _remove(path: Path) -> None:
    """Removes a directory, or a link to one, which leads to what somebody else keeps."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _has_manifest(version: Path) -> bool:
    try:
        return bool(read_manifest(version))
    except ArtifactError:
        return False


def describe(directory: Path) -> list[dict]:
    """What is known of each version: number, state, when it was made, its verdict.

    Raises:
        RunError: If there is no such directory.
    """
    _check_directory(directory)
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


def _check_directory(path: Path) -> None:
    """Raises `RunError` where there is no directory, which says what is there."""
    if not path.is_dir():
        kinds = {"a file": path.is_file, "a pipe": path.is_fifo, "a device": path.is_char_device}
        kind = next((kind for kind, is_one in kinds.items() if is_one()), "no directory")
        received = f"which is {kind}" if path.exists() else "which does not exist"
        raise RunError(f"a model directory must hold numbered versions. Received: {path}, {received}")


def flush(path: Path) -> None:
    """Brings a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_number(name: str) -> bool:
    """Whether a name is that of a version: in the one way to write a number, and of those that can be addressed."""
    return re.fullmatch(r"0|[1-9][0-9]{0,18}", name) is not None and int(name) <= MAX_NUMBER


def _children(directory: Path) -> list[Path]:
    return [child for child in directory.iterdir() if child.is_dir()] if directory.is_dir() else []
