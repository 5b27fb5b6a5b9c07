"""The benchmark of style transfer: its table, that finished jobs are kept, and that PyTorch does the same."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import style
from benchmarks.style_jobs import main as job
from tfgantl.errors import RunError
from tfgantl.models.vgg import vgg16
from tfgantl.style.losses import CONTENT_LAYER, STYLE_LAYERS

LOSSES = {"content": 0.7, "style": 0.05}


def answer(command):
    """What jobs say, in the order in which the benchmark asks them."""
    words = " ".join(command)
    if "judge" in words:
        return LOSSES
    if "train" in words:
        terms = {"content": [1.0], "style": [0.2], "total": [2.0]}
        pace = {"styles": 0.1, "scratch": 0.2}
        return {"losses": dict.fromkeys(pace, terms), "seconds_per_step": pace, "trained_parameters": 123}
    if "apply" in words:
        return {"images_per_second": 7.25}
    return {"seconds": 0.5 if "torch_style" in words else 0.2, "peak_mib": 1000.0, "framework_mib": 600.0}


def test_tables_compare_with_pytorch_and_finished_jobs_are_kept(tmp_path, monkeypatch):
    asked, network = [], tmp_path / "n.keras"
    network.write_bytes(b"network")
    monkeypatch.setattr(style, "_run", lambda command: asked.append(command) or answer(command))
    options = ["--work_dir", str(tmp_path / "work"), "--report", str(tmp_path / "page.md"), "--network", str(network)]
    for _ in range(2):
        assert style.main([*options, "--sizes", "[64]", "--row_steps", "[5]", "--json"]) == 0
    page = (tmp_path / "page.md").read_text()
    assert "| 64 | tfgantl, precision auto | 0.200 | 0.40 | 1000 | 400 | 0.700 | 0.0500 | 1.7000 |" in page
    assert "| 64 | PyTorch, float32 | 0.500 | 1.00 |" in page and "**7.2 images/s**" in page
    assert "| 5 | rows alone | 1.000 | 0.200 | 2.000 | 0.100 |" in page and "by its 123 numbers alone" in page
    # Two optimisations here, three there with their tasks, five judgements, rows, and the pace.
    assert len(asked) == 2 + 6 + 5 + 1 + 1


def test_a_job_that_fails_is_told():
    with pytest.raises(RunError, match="every job must end with exit code 0. Received: 3"):
        style._run([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.fixture
def random_weights(tmp_path, monkeypatch):
    path = tmp_path / "vgg.npz"
    np.savez(path, **{w.path: w.numpy() for w in vgg16((CONTENT_LAYER, *STYLE_LAYERS), None).weights})
    monkeypatch.setenv("TFGANTL_VGG16_WEIGHTS", str(path))


@pytest.mark.usefixtures("random_weights")
def test_a_job_optimises_and_tells_what_it_took(tmp_path):
    found = job("float32", "32", "3", str(tmp_path / "image.npz"))
    assert found["seconds"] > 0 and found["peak_mib"] >= found["framework_mib"] > 100
    losses = job("judge", "32", "3", str(tmp_path / "image.npz"))
    assert set(losses) == {"content", "style"} and losses["style"] < 1


@pytest.mark.usefixtures("random_weights")
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_pytorch_takes_the_same_steps(kind, tmp_path):
    pytest.importorskip("torch", reason="pip install 'tfgantl[bench]'")
    job("task", "32", "3", str(tmp_path / "task.npz"))
    job("float32", "32", "3", str(tmp_path / "ours.npz"))
    command = [sys.executable, str(style.TORCH), str(tmp_path / "task.npz"), str(tmp_path / "theirs.npz"), kind]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert json.loads(told.splitlines()[-1])["seconds"] > 0
    ours, theirs = (np.load(Path(tmp_path / f"{name}.npz"))["image"] for name in ("ours", "theirs"))
    assert np.abs(ours - theirs).mean() < (1e-3 if kind == "float32" else 2e-2)
