"""Steps that two devices share."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import TWO_DEVICES


def test_two_devices_come_to_what_one_comes_to():
    """In a process of their own, as two devices would make all other tests slower, and compute other bits."""
    tests = Path(__file__).parent / "two_devices"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n0",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tests.parents[1]),
        str(tests),
    ]
    done = subprocess.run(
        command, env={**os.environ, TWO_DEVICES: "1"}, capture_output=True, text=True, cwd=tests.parent
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout + done.stderr
