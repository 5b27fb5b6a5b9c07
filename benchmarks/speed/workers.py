"""Competitors in processes of their own, which take steps in turns: a machine that is busy at times favours none."""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tfgantl.errors import RunError

TORCH = Path(__file__).with_name("torch_step.py")
CLONE = Path(__file__).parents[2]


@dataclass
class Worker:
    """One competitor.

    Args:
        name: For the table.
        command: What follows the program.
        torch_python: Python with torch, for a competitor in PyTorch; `None` for one in this Python.
        module: The program of one in this Python.
        script: That of one in PyTorch.
    """

    name: str
    command: list[str]
    torch_python: str | None = None
    module: str = "benchmarks.speed.keras_step"
    script: Path = TORCH
    seconds: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Starts the process, and waits until its step is traced.

        Raises:
            RunError: If it ends instead.
        """
        torch = self.torch_python
        program = [torch, str(self.script)] if torch else [sys.executable, "-m", self.module]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(CLONE)}
        self._process = subprocess.Popen(
            [*program, *self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment, cwd=CLONE,
        )  # fmt: skip
        self.version = self._answer()["version"]

    def take(self, steps: int) -> None:
        """Takes some steps, and notes how long one took."""
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        self.seconds.append(self._answer()["seconds"] / steps)

    def stop(self) -> None:
        """Ends the process."""
        with self._process:  # closes what it reads, which ends it, and waits
            pass

    @property
    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self.seconds)

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise RunError(f"{self.name}: every competitor must answer. Received: exit code {self._process.wait()}")
        return json.loads(line)


def race(workers: list[Worker], rounds: int, steps: int) -> None:
    """Lets all take steps in turns: A B C, A B C, …"""
    try:
        for worker in workers:
            worker.start()
        for _ in range(rounds):
            for worker in workers:
                worker.take(steps)
    finally:
        for worker in workers:
            if hasattr(worker, "_process"):
                worker.stop()
