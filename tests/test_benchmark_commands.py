"""The benchmarks run from a clone, and cover what the documentation names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.pairs import PAIRS, ROWS
from benchmarks.results import PRESETS
from tfgantl import transfer

CLONE = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "name",
    [
        "adaptation",
        "transfer",
        "recognition",
        "pretraining",
        "privacy",
        "metrics",
        "editing",
        "crossmodal",
        "inception",
        "scaling",
        "speed",
        "style",
        "stylegan2",
        "serving",
        "photographs",
        "verdict",
    ],
)
def test_each_benchmark_is_a_command_of_the_clone(name):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--help"],
        cwd=CLONE, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.startswith(f"usage: python -m benchmarks.{name}"), done.stderr


def test_every_transfer_method_is_compared():
    compared = {type(method).__name__ for method, _ in ROWS.values()}
    # Not the base, what chooses one of the others, and what has no target.
    assert compared == set(transfer.__all__) - {"Transfer", "Auto", "TextDirection"}
    assert set(PAIRS["digits"].rows) == set(ROWS)


def test_results_are_named_after_the_shipped_weights():
    assert {path.suffix for path in PRESETS.rglob("*")} >= {".npz", ".keras"}
