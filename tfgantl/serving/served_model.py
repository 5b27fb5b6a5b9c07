"""A model directory that is watched: the newest version serves, and the one before it until the newest can."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from tfgantl.errors import reason
from tfgantl.export.directory import versions_in
from tfgantl.progress import log
from tfgantl.serving.request_error import Closed, NotFound
from tfgantl.serving.requests import read_request
from tfgantl.serving.responses import write_response
from tfgantl.serving.servable import Servable

POLL = 1.0  # seconds, as TensorFlow Serving
RETRY = 60.0  # seconds before a version that could not be loaded is tried again


class ServedModel:
    """The versions of one model.

    Args:
        directory: Model directory; its name is that of the model.
        observe: Called with the number of requests and rows of each batch.
        poll: Seconds between looks at the directory.
    """

    def __init__(
        self, directory: Path, observe: Callable[[int, int], None] = lambda requests, rows: None, poll: float = POLL
    ) -> None:
        self.directory, self.name = Path(directory), Path(directory).absolute().name
        self._observe, self._poll = observe, poll
        self._serving: tuple[int, Servable] | None = None
        self._states: dict[int, tuple[str, str]] = {}
        self._failed: dict[int, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> "ServedModel":
        """Loads the newest version, and begins to watch."""
        self.look()
        self._watcher.start()
        return self

    def close(self) -> None:
        """Stops watching, answers what waits, and unloads."""
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._swap(None)

    def look(self) -> None:
        """Takes up the newest version that can be loaded, and lets go of the one before it."""
        found = versions_in(self.directory)
        self._failed = {number: when for number, when in self._failed.items() if number in found}
        current = self._serving[0] if self._serving else None
        for number in reversed(found):
            if number == current:
                return
            if time.monotonic() - self._failed.get(number, -RETRY) >= RETRY and self._load(number):
                return
        if not found and current is not None:
            self._swap(None)

    def _load(self, number: int) -> bool:
        self._states[number] = ("LOADING", "")
        try:
            servable = Servable(self.directory / str(number), self._observe)
        except Exception as error:  # TensorFlow raises whatever its reader meets first
            self._failed[number] = time.monotonic()
            self._states[number] = ("END", reason(error))
            log(f"version {number} cannot be loaded: {reason(error)}")
            return False
        self._swap((number, servable))
        log(f"version {number} serves")
        return True

    def _swap(self, new: tuple[int, Servable] | None) -> None:
        with self._lock:
            old, self._serving = self._serving, new
            if new:
                self._states[new[0]] = ("AVAILABLE", "")
            if old:
                self._states[old[0]] = ("UNLOADING", "")
        if old:
            old[1].close()
            self._states[old[0]] = ("END", "")

    def _watch(self) -> None:
        while not self._stop.wait(self._poll):
            try:
                self.look()
            except Exception as error:  # a directory that is gone for a moment is no reason to look no more
                log(f"{self.directory} cannot be looked at: {reason(error)}")

    @property
    def ready(self) -> bool:
        return self._serving is not None

    def version(self, name: str, number: int | None) -> tuple[int, Servable]:
        """The version that is asked for.

        Raises:
            NotFound: If it does not serve.
        """
        with self._lock:
            serving = self._serving
        if name != self.name or serving is None or number not in (None, serving[0]):
            wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise NotFound(f"Servable not found for request: {wanted}")
        return serving

    def predict(self, name: str, number: int | None, body: bytes, deadline: float = math.inf) -> Future:
        """Reads a request by the signatures of the version that serves, and puts it into its queue.

        Args:
            name: Name of the model.
            number: Version, or `None` for the one that serves.
            body: The request, as JSON.
            deadline: By `time.monotonic`; a request that still waits then is not run.

        Returns:
            The future of the response, as JSON.

        Raises:
            RequestError: If it cannot be answered.
        """
        while True:
            _, servable = self.version(name, number)
            request = read_request(body, servable.inputs)
            try:
                finish = partial(write_response, row=request.row)
                return servable.predict(request.signature, request.inputs, finish, deadline)
            except Closed:  # the next version has taken over in the meantime
                continue

    def status(self, name: str, number: int | None) -> dict:
        """States of the versions.

        Raises:
            NotFound: If there is no such model or version.
        """
        with self._lock:
            found = {n: s for n, s in sorted(self._states.items(), reverse=True) if number in (None, n)}
        if name != self.name or not found:
            which = f"version {number}" if number is not None else "versions"
            raise NotFound(f"Could not find any {which} of model {name}")
        return {
            "model_version_status": [
                {
                    "version": str(n), "state": state,
                    "status": {"error_code": "UNKNOWN" if message else "OK", "error_message": message},
                }
                for n, (state, message) in found.items()
            ]
        }  # fmt: skip
