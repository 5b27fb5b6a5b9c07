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
from tfgantl.export.manifest import NAME as MANIFEST
from tfgantl.export.manifest import verify_files
from tfgantl.progress import log
from tfgantl.serving.request_error import Closed, InvalidArgument, NotFound
from tfgantl.serving.requests import read_request
from tfgantl.serving.responses import write_response
from tfgantl.serving.servable import Servable
from tfgantl.untrusted.pictures import refusal

POLL = 1.0  # seconds, as TensorFlow Serving
RETRY = 60.0  # seconds before a version that could not be loaded is tried again, unless its files change before
Stamp = tuple[tuple[str | int, ...], ...]  # name, size, number and times of each file of a version


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
        self._failed: dict[int, tuple[float, Stamp]] = {}
        self._stamp: Stamp = ()
        self._gone: int | None = None  # what serves on, and has been said of
        self.busy = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> "ServedModel":
        """Loads the newest version, and begins to watch."""
        self.look()
        self._watcher.start()
        return self

    def close(self, timeout: float | None = None) -> None:
        """Stops watching, answers what waits, and unloads.

        Args:
            timeout: Seconds to wait for what is being loaded or computed, and cannot be stopped; `None` for no limit.
                Afterwards, `busy` says whether there is still something.
        """
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join(timeout)
        self._swap(None, timeout)
        self.busy = self.busy or self._watcher.is_alive()

    def look(self) -> None:
        """Takes up the newest version that can be loaded, and lets go of the one before it."""
        if not self.directory.is_dir():
            raise FileNotFoundError(f"{self.directory} is gone")  # maybe for a moment; what is loaded serves on
        found = versions_in(self.directory)
        self._failed = {number: known for number, known in self._failed.items() if number in found}
        current = self._serving[0] if self._serving else None
        for number in reversed(found):
            stamp = _stamp(self.directory / str(number))
            if number == current and stamp == self._stamp:
                self._gone = None
                return
            when, failed = self._failed.get(number, (-RETRY, None))
            if (stamp != failed or time.monotonic() - when >= RETRY) and self._load(number, stamp):
                return
            if number == current:  # it was replaced by something that cannot be loaded
                return
        if not found and current is not None:
            self._swap(None)
        elif current is not None and current not in found and self._gone != current:
            log(f"version {current} is gone, and no other can be loaded; what it was serves on")
            self._gone = current

    def _load(self, number: int, stamp: Stamp) -> bool:
        directory = self.directory / str(number)
        serves = self._serving is not None and self._serving[0] == number
        if not serves:
            self._states[number] = ("LOADING", "")
        try:
            if (directory / MANIFEST).is_file():  # it may be half copied
                verify_files(directory)
            servable = Servable(directory, self._observe)
        except Exception as error:  # TensorFlow raises whatever its reader meets first
            self._failed[number] = time.monotonic(), stamp
            if not serves:
                self._states[number] = ("END", reason(error))
            kept = "; what it was serves on" if serves else ""
            log(f"version {number} cannot be loaded: {reason(error)}{kept}")
            return False
        self._stamp, self._gone = stamp, None
        self._swap((number, servable))
        log(f"version {number} serves{', as it was replaced' if serves else ''}")
        return True

    def _swap(self, new: tuple[int, Servable] | None, timeout: float | None = None) -> None:
        with self._lock:
            old, self._serving = self._serving, new
            if new:
                self._states[new[0]] = ("AVAILABLE", "")
            replaced = old is not None and new is not None and old[0] == new[0]
            if old and not replaced:
                self._states[old[0]] = ("UNLOADING", "")
        if old:
            self.busy = not old[1].close(timeout)
            if not replaced:
                self._states[old[0]] = ("END", "")

    def _watch(self) -> None:
        told = ""
        while not self._stop.wait(self._poll):
            try:
                self.look()
                told = ""
            except Exception as error:  # a directory that is gone for a moment is no reason to look no more
                if told != reason(error):
                    log(f"{self.directory} cannot be looked at: {reason(error)}")
                told = reason(error)

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
            deadline: By `time.monotonic`; a request that still waits then is not run, and one that is run stops.

        Returns:
            The future of the response, as JSON.

        Raises:
            RequestError: If it cannot be answered.
        """
        while True:
            _, servable = self.version(name, number)
            request = read_request(body, servable.inputs)
            files = [file for array in request.inputs.values() if array.dtype == object for file in array.flat]
            if refused := refusal(files):  # before it takes the place of others
                raise InvalidArgument(refused)
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


def _stamp(directory: Path) -> Stamp:
    """What changes when somebody writes into a version."""
    files = ((path, path.stat()) for path in sorted(directory.rglob("*")) if path.is_file())
    return tuple(
        (str(path.relative_to(directory)), status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        for path, status in files
    )
