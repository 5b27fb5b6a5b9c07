"""The workers of one training, as `TF_CONFIG` names them, and the wait for all of them. Imports no TensorFlow."""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tfgantl.errors import ConfigError, WorkerError

VARIABLE = "TF_CONFIG"
WAIT = "TFGANTL_WORKER_WAIT"
DEFAULT_WAIT = 300.0  # seconds: machines of a cluster do not start at once
KINDS = ("chief", "worker")  # in the order in which TensorFlow numbers them
SHAPE = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": 0}}'

_met: set["Cluster"] = set()  # of which this process has found all workers


@dataclass(frozen=True)
class Cluster:
    """Who trains together.

    Args:
        addresses: `host:port` of each worker; the first one is the chief.
        names: What each is called in `TF_CONFIG`, such as `worker 1`.
        rank: Which of them this process is.
    """

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    rank: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Cluster | None":
        """What `TF_CONFIG` says; `None` if it is not set, or of one worker alone.

        Raises:
            ConfigError: If it is not what TensorFlow expects, or has other tasks than a chief and workers.

        Example:
            >>> config = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
            >>> Cluster.from_environment({"TF_CONFIG": config}).rank
            1
        """
        text = environment.get(VARIABLE, "").strip()
        if not text:
            return None
        try:
            config = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"`{VARIABLE}` must be JSON: {SHAPE}. Received: {text[:80]} ({error})") from error
        tasks = _tasks(config)
        kind, index = _task(config)
        known = [f"{name} {number}" for name, some in tasks.items() for number in range(len(some))]
        if f"{kind} {index}" not in known:
            raise ConfigError(f"the task of `{VARIABLE}` must be one of {', '.join(known)}. Received: {kind} {index}")
        addresses = tuple(address for some in tasks.values() for address in some)
        if len(set(addresses)) < len(addresses):
            twice = next(address for address in addresses if addresses.count(address) > 1)
            raise ConfigError(f"addresses of `{VARIABLE}` must differ. Received: {twice} twice")
        return cls(addresses, tuple(known), known.index(f"{kind} {index}")) if len(addresses) > 1 else None

    def meet(self, waiting: Callable[[str], None] = print) -> None:
        """Waits until every worker listens, so that TensorFlow, which would wait without end, finds all of them.

        Args:
            waiting: Is told, once, whom it takes long to wait for.

        Raises:
            ConfigError: If the port of this worker is in use.
            WorkerError: If one has not come when the time is over.
        """
        if self in _met:  # TensorFlow has taken the port since then
            return
        started, limit, told = time.monotonic(), wait_limit(), False
        missing = [i for i in range(len(self.addresses)) if i != self.rank]
        with self._listening():
            while missing:
                missing = [i for i in missing if not _answers(self.addresses[i])]
                waited = time.monotonic() - started
                who = ", ".join(f"{self.names[i]} at {self.addresses[i]}" for i in missing)
                if missing and waited > limit:
                    raise WorkerError(
                        f"all {len(self.addresses)} workers of `{VARIABLE}` must be there within {limit:g} s ({WAIT} "
                        f"sets it). Received: no answer from {who}"
                    )
                if missing and waited > 5.0 and not told:
                    told = True
                    waiting(f"{self.names[self.rank]}: waiting for {who}, at most {limit:g} s")
                if missing:
                    time.sleep(0.1)
        _met.add(self)

    def _listening(self) -> socket.socket:
        """Listens in place of the server that TensorFlow starts later."""
        address = self.addresses[self.rank]
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", _port(address)))
            listener.listen(len(self.addresses) + 8)
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"the port of {self.names[self.rank]}, {address}, must be free: is another process the same task? "
                f"Received: {error.strerror}"
            ) from error
        return listener


def wait_limit() -> float:
    """Seconds that workers wait for each other at the start.

    Raises:
        ConfigError: If the environment says something else than a number above 0.
    """
    text = os.environ.get(WAIT, str(DEFAULT_WAIT))
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise ConfigError(f"`{WAIT}` must be a number of seconds above 0. Received: {text}")


def _tasks(config: Any) -> dict[str, list[str]]:
    """Addresses of chief and workers."""
    cluster = config.get("cluster") if isinstance(config, dict) else None
    if not isinstance(cluster, dict) or not cluster.keys() & set(KINDS):
        raise ConfigError(f"`{VARIABLE}` must be {SHAPE}. Received: {str(config)[:80]}")
    if others := sorted(set(cluster) - {*KINDS, "evaluator"}):
        raise ConfigError(f"`{VARIABLE}` must have a chief and workers only. Received: {', '.join(others)}")
    tasks = {kind: cluster[kind] for kind in KINDS if cluster.get(kind)}
    if not tasks:
        raise ConfigError(f"`{VARIABLE}` must name at least one worker: {SHAPE}. Received: {str(config)[:80]}")
    for kind, addresses in tasks.items():
        for address in addresses if isinstance(addresses, list) else [addresses]:
            if not isinstance(addresses, list) or _port(address) == 0:
                raise ConfigError(
                    f"`{VARIABLE}` must list addresses HOST:PORT for each {kind}. Received: {str(address)[:80]}"
                )
    if len(tasks.get("chief", [])) > 1:
        raise ConfigError(f"`{VARIABLE}` must have at most one chief. Received: {', '.join(tasks['chief'])}")
    return tasks


def _task(config: Any) -> tuple[str, int]:
    task = config.get("task")
    if not isinstance(task, dict) or not isinstance(task.get("type"), str):
        raise ConfigError(f"`{VARIABLE}` must say which task this process is: {SHAPE}. Received: {str(task)[:80]}")
    index = task.get("index", 0)
    if isinstance(index, str) and index.isdecimal() and len(index) < 10:  # some launchers write it so
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool):
        raise ConfigError(f"the index of the task of `{VARIABLE}` must be a whole number. Received: {str(index)[:80]}")
    return task["type"], index


def _port(address: Any) -> int:
    """Port of `host:port`; 0 if it is none."""
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    return int(port) if host and port.isdecimal() and len(port) < 6 and int(port) < 2**16 else 0


def _answers(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        with socket.create_connection((host, _port(address)), timeout=2.0):
            return True
    except (OSError, ValueError):  # nothing listens, or no host can have such a name
        return False
