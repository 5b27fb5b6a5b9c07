"""The directory that holds everything one run wrote, and that only one run at a time may use."""

import io
import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from tfgantl.errors import RunError, reason
from tfgantl.files import TEMPORARY, Replacing, make_folder
from tfgantl.images import encode_png
from tfgantl.regular_files import read_regular
from tfgantl.training.run_facts import changed_facts, compared_settings, read_facts
from tfgantl.versions import versions

if TYPE_CHECKING:
    from tfgantl.pipelines.settings import RunConfig

MAX_LOG = 2**28  # bytes of metrics.jsonl, which grows by a line a validation


class RunDirectory:
    """A new, locked directory; a context manager.

    Every file is written under a temporary name and then renamed, so that none is ever half there.

    Args:
        path: The directory to make; must not exist, or be empty.
        resume: Whether it is that of a run to go on with instead.

    Attributes:
        id: What nothing but this run is called, however often it is interrupted; from `begin` on.

    Raises:
        RunError: If it is not empty, in use by another run, or cannot be written.

    Example:
        >>> with RunDirectory(Path("runs/digits/1")) as run:
        ...     run.log({"step": 100, "ckid": 0.5})
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        from filelock import FileLock, Timeout  # takes a tenth of the time of `--help`

        self.path, self.id = Path(path), ""
        if resume and not (self.path / "config.yaml").is_file():
            raise RunError(f"`resume` must be a run directory with a config.yaml. Received: {path}")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.path / ".lock")
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise RunError(f"`run_dir` must not be in use. Received: {path}, which another run is writing") from error
        except OSError as error:
            raise RunError(f"`run_dir` must be a directory that can be written. Received: {path} ({error})") from error
        names = sorted(p.name for p in self.path.iterdir() if p.name != ".lock")
        if resume:
            for leftover in self.path.rglob(".*"):
                if TEMPORARY.fullmatch(leftover.name) and leftover.is_file():
                    leftover.unlink()
        elif names:
            self.__exit__()
            is_interrupted = "config.yaml" in names and "report.html" not in names
            hint = f"; --resume {path} goes on with it" if is_interrupted else ""
            raise RunError(
                f"`run_dir` must be new or empty. Received: {path}, which holds {', '.join(names[:4])}{hint}"
            )

    @classmethod
    def next(cls, parent: Path) -> "RunDirectory":
        """Makes the directory with the next free number in `parent`."""
        taken = [int(p.name) for p in parent.glob("*") if p.name.isdecimal()]
        number = max(taken, default=0) + 1
        while True:
            try:
                (parent / str(number)).mkdir(parents=True)
                return cls(parent / str(number))
            except FileExistsError:  # another run was faster
                number += 1
            except OSError as error:
                raise RunError(
                    f"`run_dir` must be a directory that can be written. Received: {parent} ({error})"
                ) from error

    @classmethod
    def open(cls, config: "RunConfig", name: str) -> "RunDirectory":
        """The directory that a configuration asks for: that of a run to go on with, a named one, or the next one.

        Raises:
            RunError: If the run to go on with has ended.
        """
        if config.resume and (Path(config.resume) / "report.html").is_file():
            raise RunError(f"`resume` must be a run that has not ended. Received: {config.resume}, which has a report")
        if config.resume:
            return cls(Path(config.resume), resume=True)
        return cls(Path(config.run_dir)) if config.run_dir else cls.next(Path("runs") / name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        (self.path / ".lock").unlink(missing_ok=True)  # first: another run may take a lock as soon as it is free
        self._lock.release()

    def write(self, name: str, content: bytes | str) -> Path:
        """Writes one file as a whole, or not at all."""
        with self.replacing(name) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.path / name

    def write_png(self, name: str, image: np.ndarray, scale: int = 2, generated: bool = False) -> Path:
        """Writes a uint8 (height, width, channels) image, enlarged `scale` times, which may say it was generated."""
        return self.write(name, encode_png(image, scale, generated))

    def replacing(self, name: str) -> "Replacing":
        """Gives a temporary path, which becomes `name` if the block ends well and vanishes otherwise."""
        return Replacing(self.folder(str(Path(name).parent)) / Path(name).name)

    def folder(self, name: str) -> Path:
        """Makes a folder in the directory, if it is not there.

        Raises:
            RunError: If it is a link: a run directory of somebody else could lead anywhere.
        """
        return make_folder(self.path, name)

    def keep_records(self, title: str, step: int) -> list[dict]:
        """Cuts the log of a training back to a step, and gives what is left; later records are void after a kill.

        Args:
            title: Name of the training.
            step: Of its checkpoint.
        """
        history = []
        for record in read_log(self.path):
            at = record.get("step")
            if record.pop("run") == title and isinstance(at, int | float) and at <= step:
                history.append(record)
        self.rewrite_log(title, history)
        return history

    def rewrite_log(self, title: str, history: list[dict]) -> None:
        """Makes `metrics.jsonl` what it was when a checkpoint was written, as far as this training goes.

        Args:
            title: Name of the training.
            history: Its records, as the checkpoint knows them.
        """
        place: int | None = None
        records: list[dict] = []
        for record in read_log(self.path):
            if record["run"] == title:
                place = len(records) if place is None else place
            elif record["run"] != "result":
                records.append(record)
        place = len(records) if place is None else place
        records[place:place] = [{"run": title, **record} for record in history]
        self.write("metrics.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    def begin(self, recipe: str, facts: dict[str, str], allow_changes: bool = False) -> None:
        """Records what a run depends on when it begins, and compares it when it goes on.

        Args:
            recipe: The configuration as YAML.
            facts: What results depend on beside the configuration and packages, such as hashes of data and weights.
            allow_changes: Whether to go on although something has changed.

        Raises:
            RunError: If something is not as it was; the message says what it was, and is. Or if it is not known what it
                was.
        """
        now = {**versions(), **facts, **compared_settings(recipe)}
        path = self.path / "run.json"
        has_begun = (self.path / "config.yaml").is_file()
        before = read_facts(path) if path.is_file() else {}
        self.id = before.pop("id", None) or uuid.uuid4().hex
        if has_begun and not before and not allow_changes:  # every version has written it before the configuration
            raise RunError(f"{path}: must be there, or --allow_changes be given. Received: no such file")
        if before and not allow_changes:
            changed = changed_facts(before, now)
            if changed:
                raise RunError(
                    f"{self.path}: settings, data, weights and packages must be as they were, or --allow_changes be "
                    f"given. Received: {'; '.join(changed)}"
                )
        self.write("run.json", json.dumps({"id": self.id, **now}, indent=2) + "\n")
        if not has_begun:
            self.write("config.yaml", recipe)

    def log(self, record: dict) -> None:
        """Appends one line to `metrics.jsonl`.

        Raises:
            RunError: If that is a link: a run directory of somebody else could point anywhere.
        """
        path = self.path / "metrics.jsonl"
        if path.is_symlink():
            raise RunError(f"{path}: must be a file of the run itself. Received: a link")
        with open(path, "a") as file:
            file.write(json.dumps(record) + "\n")


class OthersRun(RunDirectory):
    """The run directory of the chief, as the other workers have it: they read there, and what they write is dropped.

    Args:
        path: The directory.
        id: What the run is called.
    """

    def __init__(self, path: Path, id: str) -> None:
        self.path, self.id = Path(path), id
        self._dropped = tempfile.TemporaryDirectory(prefix="tfgantl-worker-")

    def __exit__(self, *exception: object) -> None:
        self._dropped.cleanup()

    def write(self, name: str, content: bytes | str) -> Path:
        return self.path / name

    def folder(self, name: str) -> Path:
        return super().folder(name) if self.path.is_dir() else self.path / name  # it may be on a disk of the chief

    def replacing(self, name: str) -> "Replacing":
        return Replacing(make_folder(Path(self._dropped.name), str(Path(name).parent)) / Path(name).name)

    def rewrite_log(self, title: str, history: list[dict]) -> None:
        pass

    def log(self, record: dict) -> None:
        pass


def read_log(directory: Path) -> list[dict]:
    """The records of `metrics.jsonl`, those that are whole; none if there is no such file.

    A line that was not written to its end, or that somebody else has written, is no record.

    Raises:
        RunError: If it cannot be read, is no file, or larger than `MAX_LOG`.
    """
    return list(_records(directory))


def _records(directory: Path) -> Iterator[dict]:
    path = directory / "metrics.jsonl"
    if not path.exists():
        return
    try:
        content = read_regular(path, MAX_LOG)
    except OSError as error:
        raise RunError(f"{path}: must be a log that can be read. Received: {reason(error)}") from error
    for line in io.BytesIO(content):
        with suppress(ValueError, RecursionError):
            record = json.loads(line.decode(errors="replace"))
            if isinstance(record, dict) and isinstance(record.get("run"), str):
                yield record


def read_result(directory: Path) -> dict:
    """What a run that has ended has logged as its result; empty for anything else."""
    found: dict = {}
    for record in _records(directory):  # one at a time: a log may be anybody's, and long
        found = record if record["run"] == "result" else found
    return found
