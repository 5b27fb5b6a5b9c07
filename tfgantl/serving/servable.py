"""One loaded version: a session over the SavedModel, as TensorFlow Serving has it, which puts requests together."""

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import config_pb2

from tfgantl.errors import ArtifactError
from tfgantl.export.manifest import read_manifest
from tfgantl.export.parts import MAX_ROWS, most_rows
from tfgantl.export.warmup import FILE, read_warmup
from tfgantl.serving.request_error import Closed, InvalidArgument, RequestError
from tfgantl.untrusted.loading import load_into_session
from tfgantl.untrusted.pictures import png_in

PICTURE = Path("assets.extra") / "before_after.png"
NO_LIMIT = 10.0**9  # seconds, which a whole number of milliseconds can hold many times over
RUNNERS = 2  # batches run at one time: no operation fills all cores, and while one is written, the other is computed
# Codes of TensorFlow → statuses, as in the source of TensorFlow Serving; all others are 500.
STATUS = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 14: 503, 16: 401}


@dataclass
class Item:
    """One request in the queue."""

    signature: str
    inputs: dict[str, np.ndarray]
    rows: int
    finish: Callable[[dict], object]
    deadline: float
    future: Future = field(default_factory=Future)


class Servable:
    """A version that answers. Requests that wait at the same time are run as one batch.

    Args:
        directory: The SavedModel; its warmup requests are run, if it has any.
        observe: Called with the number of requests and rows of each batch.

    Raises:
        ArtifactError: If the SavedModel is missing, damaged, or could do more than compute.
    """

    def __init__(self, directory: Path, observe: Callable[[int, int], None] = lambda requests, rows: None) -> None:
        self.directory, self._observe = directory, observe
        # What is told of it is of the files that it was loaded from, which may be others later.
        self.manifest, self.picture = _manifest(directory), png_in(directory / PICTURE)
        self._session, graph = load_into_session(directory)
        self.definitions = {k: v for k, v in graph.signature_def.items() if not k.startswith("__")}
        self.inputs = {
            name: {key: _dtype(spec) for key, spec in signature.inputs.items()}
            for name, signature in self.definitions.items()
        }
        self._most = {
            name: most_rows(*map(_shape, signature.outputs.values())) for name, signature in self.definitions.items()
        }
        # Whether rows depend on each other cannot be seen in a graph: only networks of this package are known not to.
        self._joins = _has_independent_rows(directory)
        self._calls = {name: self._callable(signature) for name, signature in self.definitions.items()}
        for signature, inputs in read_warmup(directory) if (directory / FILE).is_file() else ():
            self.compute(signature, inputs)
        self._waiting: deque[Item] = deque()
        self._changed, self._idle, self._closed = threading.Condition(), RUNNERS, False
        name = f"version {directory.name}"
        self._runners = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(RUNNERS)]
        for runner in self._runners:
            runner.start()

    def compute(
        self, signature: str, inputs: dict[str, np.ndarray], deadline: float = math.inf
    ) -> dict[str, np.ndarray]:
        """Runs one batch in the thread of the caller.

        Args:
            signature: Name of the signature.
            inputs: Name → array.
            deadline: By `time.monotonic`; no operation begins after it.

        Returns:
            Name → array.

        Raises:
            DeadlineExceededError: That of TensorFlow, if it took longer.
        """
        values = [inputs[name] for name in self.definitions[signature].inputs]
        seconds = deadline - time.monotonic()
        left = 0 if seconds > NO_LIMIT else max(1, math.ceil(1000 * seconds))
        return self._calls[signature](*values, options=config_pb2.RunOptions(timeout_in_ms=left))

    def _callable(self, signature: Any) -> Callable[..., dict]:
        fetches = {name: spec.name for name, spec in signature.outputs.items()}
        feeds = [spec.name for spec in signature.inputs.values()]
        return self._session.make_callable(fetches, feeds, accept_options=True)

    def metadata(self) -> dict:
        """Signatures, in the form of the REST API."""
        signatures = {}
        for name, definition in self.definitions.items():
            found = json_format.MessageToDict(
                definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            signatures[name] = {key: found[key] for key in ("inputs", "outputs", "method_name")}
        return {"signature_def": {"signature_def": signatures}}

    def predict(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        finish: Callable[[dict], object] = lambda outputs: outputs,
        deadline: float = math.inf,
    ) -> Future:
        """Puts a request into the queue.

        Args:
            signature: Name of the signature.
            inputs: Name → array.
            finish: What to make of the outputs, name → array, beside the next batch.
            deadline: By `time.monotonic`; a request that still waits then is not run, one that is run alone stops, as
                does a batch when the last of its requests is late, and gets a `TimeoutError`.

        Returns:
            The future of what `finish` gives.

        Raises:
            InvalidArgument: If shapes are not those of the signature.
            Closed: If this version no longer serves.
        """
        item = Item(signature, inputs, self._rows(signature, inputs), finish, deadline)
        with self._changed:  # or it could come to the queue after the end
            if self._closed:
                raise Closed
            self._waiting.append(item)
            self._changed.notify()
        return item.future

    def close(self, timeout: float | None = None) -> bool:
        """Answers what waits, and frees the version.

        Args:
            timeout: Seconds to wait for batches that are being computed, which end by their deadlines; `None` for no
                limit.

        Returns:
            Whether it was freed. If not, its threads go on until their batches end.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        end = math.inf if timeout is None else time.monotonic() + timeout
        for runner in self._runners:
            runner.join(None if timeout is None else max(0.0, end - time.monotonic()))
        if any(runner.is_alive() for runner in self._runners):
            return False
        self._session.close()
        return True

    def _rows(self, signature: str, inputs: dict[str, np.ndarray]) -> int:
        counts = set()
        for name, spec in self.definitions[signature].inputs.items():
            wanted = [dim.size for dim in spec.tensor_shape.dim]
            shape = inputs[name].shape
            if len(shape) != len(wanted) or any(w not in (-1, n) for w, n in zip(wanted, shape, strict=True)):
                raise InvalidArgument(f"input {name} must have the shape {wanted}. Received: {list(shape)}")
            if shape:  # a scalar is for all rows
                counts.add(shape[0])
        if len(counts) != 1:
            raise InvalidArgument(f"inputs must have equal 0th-dimension size. Received: {sorted(counts)}")
        rows, most = counts.pop(), self._most[signature]
        if rows > most:  # before any of it is computed
            raise InvalidArgument(f"a request of {signature} must have at most {most} rows. Received: {rows}")
        return rows

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                batch = self._take()
                self._idle -= 1
            if batch := [item for item in batch if _is_wanted(item)]:
                self._observe(len(batch), sum(item.rows for item in batch))
                self._answer(batch)
            with self._changed:
                self._idle += 1

    def _take(self) -> list[Item]:
        """What waits already, a fair share for each idle runner; nothing is waited for."""
        batch: list[Item] = []
        others: list[Item] = []
        rows, share = 0, math.ceil(len(self._waiting) / self._idle)
        while self._waiting and len(batch) < share:
            item = self._waiting.popleft()
            most = min(MAX_ROWS, self._most[item.signature])
            joins = self._joins and batch and item.signature == batch[0].signature and rows + item.rows <= most
            if batch and not joins:
                others.append(item)
            else:
                batch.append(item)
                rows += item.rows
        self._waiting.extendleft(reversed(others))
        return batch

    def _answer(self, batch: list[Item]) -> None:
        try:
            results = self._run(batch)
        except Exception as error:  # whoever waits must hear of it
            if len(batch) == 1:
                batch[0].future.set_exception(_as_request_error(error))
                return
            for item in batch:  # one bad request must not spoil the others
                if not _is_late(item):
                    self._answer([item])
            return
        for item, outputs in zip(batch, results, strict=True):
            try:
                item.future.set_result(item.finish(outputs))
            except Exception as error:
                item.future.set_exception(error)

    def _run(self, batch: list[Item]) -> list[dict[str, np.ndarray]]:
        signature = batch[0].signature
        if len(batch) == 1:
            return [self.compute(signature, batch[0].inputs, batch[0].deadline)]
        names = self.definitions[signature].inputs
        outputs = self.compute(
            signature,
            {name: np.concatenate([item.inputs[name] for item in batch]) for name in names},
            max(item.deadline for item in batch),
        )
        ends = np.cumsum([item.rows for item in batch])
        if any(value.shape[:1] != (ends[-1],) for value in outputs.values()):
            return [self.compute(signature, item.inputs, item.deadline) for item in batch]
        return [
            {name: value[end - item.rows : end] for name, value in outputs.items()}
            for item, end in zip(batch, ends, strict=True)
        ]


def _has_independent_rows(directory: Path) -> bool:
    try:
        return read_manifest(directory).get("independent_rows") is True
    except ArtifactError:
        return False


def _is_wanted(item: Item) -> bool:
    """Whether somebody still waits; from here on, a request cannot be given up."""
    return item.future.set_running_or_notify_cancel() and not _is_late(item)


def _is_late(item: Item) -> bool:
    """Whether its deadline has passed, which it is told."""
    if item.deadline >= time.monotonic():
        return False
    item.future.set_exception(TimeoutError())
    return True


def _shape(spec: Any) -> list[int | None]:
    """Sides of a tensor, `None` where they are not known."""
    return [dim.size if dim.size >= 0 else None for dim in spec.tensor_shape.dim]


def _dtype(spec: Any) -> np.dtype:
    dtype = tf.as_dtype(spec.dtype)
    return np.dtype(object) if dtype == tf.string else np.dtype(dtype.as_numpy_dtype)


def _as_request_error(error: Exception) -> Exception:
    if isinstance(error, tf.errors.DeadlineExceededError):
        return TimeoutError()
    if not isinstance(error, tf.errors.OpError):
        return error
    lines = [line.strip() for line in error.message.splitlines()]
    failed = [line for line in lines if line.startswith("assertion failed")]
    message = (failed or [line for line in lines if line and line != "Graph execution error:"] or ["unknown"])[0]
    return RequestError(message, STATUS.get(error.error_code, 500))


def _manifest(directory: Path) -> bytes | None:
    try:
        return json.dumps(read_manifest(directory)).encode()  # once: whoever asks for it would keep others waiting
    except ArtifactError:
        return None
