"""Trainings of two workers, for tests: `python -m two_workers DIRECTORY`.

The workers are processes of their own, which the launcher watches. But they are forked off this one, in which
TensorFlow has been imported and has not begun yet, since importing it takes longer than all that they do.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tiny_training import other_trainings, train

from tfgantl import launch
from tfgantl.export import publish
from tfgantl.export.check import check

PATIENCE = 30.0  # seconds in which those that are left must end by themselves


class Forked:
    """What the launcher needs of `subprocess.Popen`."""

    stdout: BinaryIO
    stderr: BinaryIO

    def __init__(self, work: Callable[[list[str]], int], command: list[str], env: dict[str, str], **_: object) -> None:
        pipes = [os.pipe() for _ in range(2)]
        sys.stdout.flush()
        self.pid, self.returncode = os.fork(), None
        if not self.pid:
            self._become(work, command, env, [end for _, end in pipes])
        for _, end in pipes:
            os.close(end)
        self.stdout, self.stderr = (os.fdopen(end, "rb") for end, _ in pipes)

    def _become(self, work: Callable, command: list[str], env: dict[str, str], ends: list[int]) -> None:
        code = 1
        try:
            os.setsid()
            for number, end in enumerate(ends, 1):
                os.dup2(end, number)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
            for number in (signal.SIGINT, signal.SIGTERM):  # which the launcher handles
                signal.signal(number, signal.SIG_DFL)
            os.environ.clear()
            os.environ.update(env)
            code = work(command[1:])
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Patient(launch.Workers):
    """Ends nobody who ends by himself in time, and tells how."""

    def end(self) -> None:
        began = time.monotonic()
        while self._running() and time.monotonic() < began + PATIENCE:
            time.sleep(0.05)
        print(f"workers ended with {[process.poll() for process in self.processes]}", flush=True)
        super().end()


def work(directory: Path, arguments: list[str]) -> int:
    """What a worker does: the run that it is told, and another one before that begins, or after it has gone on."""
    if "TINY_DIFFERENT" not in os.environ and "--run_dir" in arguments:
        assert train("--run_dir", str(directory / "two")) == 0
        assert other_trainings(directory / "others") == 0
        os.environ["TINY_KILLED_AT"] = "5"
    code = train(*arguments)
    if "--resume" in arguments:
        os.environ["TINY_STOPPED_AT"] = "5"
        code = train("--resume", str(directory / "changing"))
    return code


def main(directory: Path) -> None:
    """Launches two trainings: one of which a worker is killed, and one that workers do not agree on."""
    # All that a worker imports, without computing anything.
    import tfgantl.metrics.extractors
    import tfgantl.models.classifier
    import tfgantl.training.run
    import tfgantl.transfer  # noqa: F401

    publish.check_in_fresh_process = check  # no process can be started below
    launch.subprocess.Popen = partial(Forked, partial(work, directory))
    launch.Workers = Patient
    print("launch ended with", launch.launch(["--run_dir", str(directory / "killed")], workers=2, restarts=1))
    os.environ["TINY_DIFFERENT"] = "1"
    print("launch ended with", launch.launch(["--run_dir", str(directory / "different")], workers=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
