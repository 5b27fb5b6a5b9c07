"""The trainer of docs/scale.md, in two workers of Ray on this machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import small_job

from tfgantl.training.run_directory import read_result


def test_ray_adapts_with_two_workers(tmp_path):
    pytest.importorskip("ray", reason="needs `pip install 'tfgantl[ray]'`")
    page = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()
    (code,) = re.findall(r"```python\n(from ray.*?)```", page, re.DOTALL)
    options = [*small_job(tmp_path), "--steps", "6", "--run_dir", str(tmp_path / "run")]
    options += ["--export_dir", str(tmp_path / "exported")]
    assert code.count("OPTIONS = [") == 1
    (tmp_path / "job.py").write_text(re.sub(r"OPTIONS = .*", lambda _: f"OPTIONS = {json.dumps(options)}", code))
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, str(tmp_path / "job.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_result(tmp_path / "run")["name"] and (tmp_path / "exported" / "1").is_dir()
