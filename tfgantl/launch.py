"""Starts the workers of one training on this machine, and watches them.

`python -m tfgantl.launch --workers 2 -m tfgantl.pipelines.adapt …`: what begins with `-m` is the command of each
worker, and finds the others by `TF_CONFIG`. Their lines are shown with the number of the worker in front. If one fails,
all are ended; with `--restarts` they are then started again, after a pause that doubles each time, and go on from the
last checkpoint if they name a `--run_dir`, which must be of this launch. SIGINT and SIGTERM are passed on to all.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import BinaryIO, cast

from tfgantl.cluster import VARIABLE
from tfgantl.errors import ConfigError, InterruptedRun, RunError, TfgantlError
from tfgantl.files import expanded
from tfgantl.slurm import config_of_step

MOST_WORKERS = 128  # of one machine; each has a TensorFlow of its own
PAUSE, MAX_PAUSE = 1.0, 60.0  # seconds before the first restart, and at most
GRACE = 20.0  # seconds between the wish that a worker ends and its end
LOOPBACK = "lo"  # the only interface of a network namespace of its own
# What a restart cannot mend: options, data, files, a bug, and what the user has asked for.
FINAL = (0, 2, 3, 4, InterruptedRun.exit_code, 130)


class Workers:
    """Processes that train together, with what they print.

    Args:
        command: Arguments of Python for each of them.
        count: How many there are.

    Attributes:
        stopped: Signal that has been passed on to them, or `None`.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self.command, self.count = list(command), count
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stopped: int | None = None
        self._readers: list[threading.Thread] = []

    def start(self) -> None:
        """Starts them, on ports of this machine that are free."""
        addresses = [f"127.0.0.1:{port}" for port in free_ports(self.count)]
        self.processes, self._readers = [], []
        for rank in range(self.count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            process = subprocess.Popen(
                [sys.executable, *self.command],
                env={**os.environ, VARIABLE: json.dumps(task), "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # or Ctrl-C would reach them twice: from the terminal, and from here
            )
            self.processes.append(process)
            for stream, to in ((process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer)):
                parts = (cast(BinaryIO, stream), to, f"[{rank}] ".encode())
                reader = threading.Thread(target=_copy, args=parts, daemon=True)
                reader.start()
                self._readers.append(reader)

    def wait(self) -> int:
        """Waits until all have ended, and ends the others if one fails.

        Returns:
            Exit code of the first that failed, or 0.
        """
        failed = 0
        while self._running():
            failed = failed or self._failed()
            if failed and self.stopped is None:
                self.end()
            time.sleep(0.05)
        for reader in self._readers:
            reader.join(timeout=5.0)
        return failed or self._failed()

    def pass_on(self, number: int, frame: FrameType | None = None) -> None:
        """Hands a signal to all of them, which save and end."""
        self.stopped = number
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    def end(self) -> None:
        """Ends all: those that wait for one that is gone heed no wish, so only little time is left to them."""
        for number, seconds in ((signal.SIGTERM, GRACE / 4), (signal.SIGKILL, GRACE)):
            for process in self._running():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            end = time.monotonic() + seconds
            while time.monotonic() < end and self._running():
                time.sleep(0.05)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self.processes if process.poll() is None]

    def _failed(self) -> int:
        codes = [process.returncode for process in self.processes if process.returncode]
        return (128 - codes[0] if codes[0] < 0 else codes[0]) if codes else 0


def launch(command: Sequence[str], workers: int, restarts: int = 0) -> int:
    """Runs a command in several workers to its end.

    Args:
        command: Arguments of Python, such as `["-m", "tfgantl.pipelines.adapt"]`.
        workers: How many.
        restarts: How often they are started again after a failure that may pass.

    Returns:
        Exit code: that of the worker that failed first, or 0.

    Raises:
        ConfigError: If a number is too small or too large, or `TF_CONFIG` is set.
        RunError: If there is to be a restart, and the run directory holds a run already: that would be gone on with,
            which has settings of its own.
    """
    if not 1 <= workers <= MOST_WORKERS or restarts < 0:
        raise ConfigError(
            f"`workers` must be at least 1 and at most {MOST_WORKERS}, and `restarts` at least 0. Received: "
            f"{workers} workers and {restarts} restarts"
        )
    if os.environ.get(VARIABLE):
        raise ConfigError(f"`{VARIABLE}` must not be set for a launch, which sets it. Received: a value")
    if restarts and (again := resuming(command)) != list(command):
        place = again[again.index("--resume") + 1]
        raise RunError(
            f"`run_dir` must be new or empty for a launch with `restarts`. Received: {place}, which holds a run; "
            "--resume in its place goes on with it"
        )
    if workers > 1 and any(name != LOOPBACK for _, name in socket.if_nameindex()):
        _tell(
            "note: TensorFlow listens on all addresses of this machine, and whoever reaches the ports of its workers "
            "can run anything as you; docs/scale.md tells how to keep others out"
        )
    together = Workers(command, workers)
    handlers = {number: signal.signal(number, together.pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for attempt in range(restarts + 1):
            together.command = resuming(command) if attempt else list(command)
            together.start()
            code = together.wait()
            if code in FINAL or together.stopped is not None or attempt == restarts:
                return code
            pause = min(MAX_PAUSE, PAUSE * 2**attempt)
            _tell(f"a worker has ended with {code}; restart {attempt + 1} of {restarts} in {pause:g} s")
            end = time.monotonic() + pause
            while together.stopped is None and time.monotonic() < end:
                time.sleep(0.05)
            if together.stopped is not None:
                return code
        return code
    finally:
        together.end()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def become_worker(command: Sequence[str]) -> None:
    """Becomes the command, as that worker of a step of Slurm which this task is.

    Args:
        command: Arguments of Python.

    Raises:
        ConfigError: If this is no task of Slurm.
    """
    environment = {**os.environ, VARIABLE: json.dumps(config_of_step())}
    os.execve(sys.executable, [sys.executable, *command], environment)  # noqa: S606 - signals of Slurm reach it so


def resuming(command: Sequence[str]) -> list[str]:
    """The command that goes on with the run of a command, if it names the directory and the run has begun.

    Example:
        >>> resuming(["-m", "tfgantl.pipelines.adapt", "--steps", "9"])
        ['-m', 'tfgantl.pipelines.adapt', '--steps', '9']
    """
    command = list(command)
    for i, argument in enumerate(command):
        name, equals, value = argument.partition("=")
        if name == "-o" or name.replace("-", "_") == "__run_dir":
            directory = value if equals else (command[i + 1] if i + 1 < len(command) else "")
            if directory and (expanded(directory) / "config.yaml").is_file():
                return [*_verb(command), "--resume", directory, *(["--json"] if "--json" in command else [])]
    return command


def _verb(command: list[str]) -> list[str]:
    """What a command line begins with, without the pictures and phrases that some verbs take there."""
    from tfgantl.cli import PIPELINES

    head = command[: next(j for j, word in enumerate(command) if word.startswith("--") or word == "-o")]
    for place, word in enumerate(head):
        if place and head[place - 1] == "-m" and word.startswith("tfgantl."):
            return head[: place + 1]
        if word.rpartition("/")[2] == "tfgantl":
            for count in (2, 1):
                if " ".join(head[place + 1 : place + 1 + count]) in PIPELINES:
                    return head[: place + 1 + count]
    return head


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _copy(stream: BinaryIO, to: BinaryIO, prefix: bytes) -> None:
    """Copies lines; what a bar draws over itself stays one line, of which the last state is shown."""
    with stream:
        for line in stream:
            shown = line.rstrip(b"\r\n").rpartition(b"\r")[2]
            to.write(prefix + shown + b"\n")
            to.flush()


def _tell(message: str) -> None:
    print(f"tfgantl.launch: {message}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    start = next((i for i, x in enumerate(arguments) if x in ("-m", "-c") or x.endswith(".py")), len(arguments))
    parser = argparse.ArgumentParser(
        prog="python -m tfgantl.launch", description="Starts the workers of one training on this machine.",
        usage="%(prog)s [--workers N] [--restarts N] [--slurm] -m MODULE [options of the module]",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=2, help="how many processes train together")
    parser.add_argument("--slurm", action="store_true", help="become the worker that srun has started here")
    parser.add_argument("--restarts", type=int, default=0, help="how often they are started again after a failure")
    options = parser.parse_args(arguments[:start])
    if start == len(arguments):
        parser.error("there must be a module to run, after -m. Received: none")
    try:
        if options.slurm:
            become_worker(arguments[start:])
        return launch(arguments[start:], options.workers, options.restarts)
    except TfgantlError as error:
        _tell(f"error: {error}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
