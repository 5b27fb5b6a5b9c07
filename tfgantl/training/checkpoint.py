"""Checkpoints of everything that training changes, so that a run goes on exactly where it was.

TensorFlow's own format holds the numbers. A manifest beside it, written last, holds the size and the hash of each file,
its own hash, and all that is not a number of the network: what was measured, where the schedule is. One without a
manifest was never finished.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from tfgantl.errors import DivergedError, RunError, WorkerError, is_out_of_memory
from tfgantl.files import Replacing
from tfgantl.gan import GAN
from tfgantl.models.copies import constant_layers
from tfgantl.progress import log
from tfgantl.regular_files import read_regular
from tfgantl.training.team import Team, current

MAX_TO_KEEP = 2


class Stateful(Protocol):
    """What has a state beside the weights."""

    def state(self) -> dict:
        """What to keep; anything that JSON can hold."""

    def set_state(self, state: dict) -> None:
        """Takes up what `state` gave."""


def plain(error: tf.errors.OpError) -> str:
    """The message of a TensorFlow error without the names of graph nodes."""
    return re.sub(r"\{\{.*?\}\} ?| ?\[Op:.*?\]", "", error.message)


class Checkpoints:
    """Keeps the last two states of a compiled GAN, its optimizers, and whatever else belongs to the run.

    Args:
        gan: Compiled GAN.
        directory: Where checkpoints lie.
        parts: Name → what has a state beside the weights.
        best_weights: Variables that hold the best weights so far.
        run: What nothing but this run is called; a checkpoint of another run is refused.
        team: Workers, of which the chief writes, and says what all read; that of the process if not given.

    Attributes:
        last: Path of the newest checkpoint, without its suffix, or `none`.
    """

    def __init__(
        self,
        gan: GAN,
        directory: Path,
        parts: Mapping[str, Stateful] | None = None,
        best_weights: Sequence[tf.Variable] = (),
        run: str = "",
        team: Team | None = None,
    ) -> None:
        self.gan, self.directory, self.parts, self.run = gan, Path(directory), parts or {}, run
        self.team = team or current()
        layers = [gan, *gan.regularizers, *gan.g_adapters, *gan.d_adapters, gan.optimizer, gan.d_optimizer]
        # Keras has the seeds of dropout among the variables of a layer, where TensorFlow does not find them.
        variables = {id(v): v for layer in layers for v in layer.variables}
        for layer in constant_layers(gan):  # of which a resumed run has made the same
            for variable in layer.variables:
                del variables[id(variable)]
        # Keras numbers the second optimizer, or adapter, of a process.
        self._names = [f"{re.sub(r'_[0-9]+(?=[_/])', '', v.path)} {list(v.shape)}" for v in variables.values()]
        # `variables` and `kept` are names within the files.
        state = tf.train.Checkpoint(variables=[v.value for v in variables.values()], kept=list(best_weights))
        state.save_counter  # noqa: B018 - makes it, so that files always hold it
        self._state, self._line = state, set(self._steps())  # steps that this training has led through
        self._saved: int | None = None
        self._numbers = [v.value for v in variables.values() if tf.as_dtype(v.dtype).is_floating]

    @property
    def last(self) -> str:
        return next((str(self.directory / f"step-{step}") for step in self._steps()), "none")

    def save(self, step: int, again: bool = False) -> None:
        """Writes a checkpoint.

        Args:
            step: Its number.
            again: Whether to write it also if there is one of this step.

        Raises:
            DivergedError: If a weight, or something that an optimizer keeps, is not finite; nothing is written then.
            RunError: If the disk is full or cannot be written.
        """
        if step == self._saved and not again:
            return
        if not all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in self._numbers):
            raise DivergedError(
                f"training diverged at step {step}: weights and moments must be finite. Received: NaN or infinity; "
                f"last good checkpoint: {self.last}"
            )
        if not self.team.is_chief:
            self._saved = step
            return
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._state.write(str(self.directory / f"step-{step}"))
            files = sorted(self.directory.glob(f"step-{step}.*"))
            manifest = {
                "step": step,
                "run": self.run,
                "files": {p.name: [p.stat().st_size, _hash(p)] for p in files if p.suffix != ".json"},
                "variables": self._names,
                "parts": {name: part.state() for name, part in self.parts.items()},
            }
            with Replacing(self.directory / f"step-{step}.json") as temporary:
                content = json.dumps(manifest)
                temporary.write_text(f"{content}\n{hashlib.sha256(content.encode()).hexdigest()}\n")
            self._drop_old(step)
            self._saved = step
        except tf.errors.OpError as error:
            place = "into memory" if is_out_of_memory(error) else "on the disk"
            raise RunError(f"{self.directory}: checkpoints must fit {place}. Received: {plain(error)}") from error

    def restore_last(self) -> int | None:
        """Takes up the newest checkpoint that is whole.

        Returns:
            Its step, or `None` if there is none.

        Raises:
            RunError: If it is of another network or method, or there are some and none is whole.
        """
        found = self.team.lead(self._newest_whole)
        if found is None:
            return None
        step, manifest = found
        self._take_up(step, manifest)
        return step

    def _newest_whole(self) -> tuple[int, dict] | None:
        steps = self._steps()
        for step in steps:
            manifest = self._verified(step)
            if manifest is not None:
                return step, manifest
        if steps:
            raise RunError(f"{self.directory}: one checkpoint must be whole. Received: {len(steps)}, all damaged")
        return None

    def _take_up(self, step: int, manifest: dict) -> None:
        if not (self.directory / f"step-{step}.index").is_file():
            raise WorkerError(
                f"{self.directory}: the run directory must be one that all workers see. Received: no checkpoint of "
                f"step {step}, which the chief has"
            )
        if manifest.get("run", self.run) != self.run:  # earlier versions did not say
            raise RunError(f"{self.directory}: checkpoints must be of this run. Received: step {step} of another")
        if manifest["variables"] != self._names:
            differing = sorted(set(manifest["variables"]) ^ set(self._names))
            raise RunError(
                f"{self.directory}: the checkpoint must be of the same networks, method and settings. "
                f"Received: {', '.join(differing[:4]) or 'another order of weights'}"
            )
        self._state.restore(str(self.directory / f"step-{step}")).assert_consumed()
        for name, part in self.parts.items():
            part.set_state(manifest["parts"][name])
        self._saved = step
        self._line = {known for known in self._steps() if known <= step}  # later ones were damaged, and are left behind

    def _drop_old(self, newest: int) -> None:
        """Deletes all checkpoints of this directory but the last, and what saves that were killed have left."""
        self._line.add(newest)
        others = [step for step in self._steps() if step in self._line and step != newest]
        kept = {newest, *others[: MAX_TO_KEEP - 1]}
        for path in sorted(self.directory.glob("step-*"), key=lambda path: path.suffix != ".json"):
            match = re.fullmatch(r"step-(\d+)\.(json|index|data-.+)", path.name)
            if match and int(match[1]) not in kept:
                path.unlink()

    def _steps(self) -> list[int]:
        found = (re.fullmatch(r"step-(\d+)\.json", path.name) for path in self.directory.glob("step-*.json"))
        return sorted((int(match[1]) for match in found if match), reverse=True)

    def _verified(self, step: int) -> dict | None:
        path = self.directory / f"step-{step}.json"
        try:
            content, digest, _ = read_regular(path).decode().split("\n")
            if hashlib.sha256(content.encode()).hexdigest() != digest:
                raise ValueError(f"{path.name} is not what was written")
            manifest = json.loads(content)
            if f"{path.stem}.index" not in manifest["files"]:
                raise ValueError(f"{path.name} names no weights")
            for name, (size, digest) in manifest["files"].items():
                if not re.fullmatch(rf"{path.stem}\.(index|data-\d{{5}}-of-\d{{5}})", name):
                    raise ValueError(f"{path.name} names a file that is none of its own")
                file = self.directory / name
                if not file.is_file() or file.stat().st_size != size or _hash(file) != digest:
                    raise ValueError(f"{name} is not what was written")
            return manifest
        except (OSError, ValueError, KeyError, TypeError) as error:
            log(f"{path}: checkpoint left out, {error}")
            return None


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
