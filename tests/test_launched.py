"""Trainings of several workers: they must come to what one process comes to, also when one of them dies."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tiny_training import other_trainings, train

from tfgantl.errors import ConfigError, WorkerError
from tfgantl.training import team as teams
from tfgantl.training.run_directory import read_log
from tfgantl.training.team import Team
from tfgantl.untrusted.networks import load_network


def assert_close(run, other):
    with np.load(run / "weights.npz") as first, np.load(other / "weights.npz") as second:
        assert first.files == second.files
        for name in first.files:
            np.testing.assert_allclose(first[name], second[name], atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_two_workers_are_as_one_process_also_after_a_kill(tmp_path, monkeypatch):
    """One launch, as it takes long; what its workers do is in two_workers.py."""
    assert train("--run_dir", str(tmp_path / "alone")) == 0
    with monkeypatch.context() as patch:
        patch.setenv("TINY_STOPPED_AT", "3")
        assert train("--run_dir", str(tmp_path / "changing")) == 7
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": paths, "TFGANTL_WORKER_WAIT": "300", "TFGANTL_CACHE_DIR": str(tmp_path)}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"  # on processors that compute in bfloat16, TensorFlow tells of its graphs
    command = [sys.executable, "-m", "two_workers", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    out, error = done.stdout, done.stderr
    assert done.returncode == 0, out + error

    # Before anything happens, both have the same bits, and those of one process but for rounding.
    hashes = re.findall(r"^\[([01])\] weights (\w{64})$", out, re.MULTILINE)
    assert [rank for rank, _ in sorted(hashes)] == ["0", "0", "1", "1"], out + error
    assert len({digest for _, digest in hashes}) == 1  # also of those that went on after a kill
    assert_close(tmp_path / "alone", tmp_path / "two")
    # Only the chief writes and talks.
    assert error.count("tiny: training, run directory") == 4
    assert not list(tmp_path.rglob(".*.tfgantl-*")) and not re.search(
        r"^\[1\] (?!tiny_training: error)", error, re.MULTILINE
    )

    # The one that is left ends by itself; both begin again, and go on.
    assert "workers ended with [9, -9]" in out, out + error
    assert "[0] tiny_training: error: all workers must stay until the end" in error
    assert "a worker has ended with 137; restart 1 of 1" in error and "going on from step 4" in error

    # A run that one process has begun goes on with two workers, and back. They stop one step after the wish.
    assert "at step 6; everything is saved" in error and "launch ended with 7" in out
    assert train("--resume", str(tmp_path / "changing")) == 0
    assert_close(tmp_path / "alone", tmp_path / "changing")

    # An extractor, a comparison whose trainings are shared, and a search for codes come to what one process comes to.
    assert other_trainings(tmp_path) == 0
    for name in ("extractor/classifier.keras", "compared/classifier.keras"):
        one, two = (load_network(directory / name) for directory in (tmp_path, tmp_path / "others"))
        for weight, other in zip(one.weights, two.weights, strict=True):
            np.testing.assert_allclose(other.numpy(), weight.numpy(), atol=1e-5, err_msg=weight.path)
    alone, shared = (read_log(directory / "compared") for directory in (tmp_path, tmp_path / "others"))
    assert [record["run"] for record in shared] == [record["run"] for record in alone]
    assert shared[-1]["methods"].keys() == alone[-1]["methods"].keys()
    codes = [np.load(directory / "inverted" / "codes.npz")["codes"] for directory in (tmp_path, tmp_path / "others")]
    np.testing.assert_allclose(*codes, atol=1e-4)
    assert "3 trainings are shared among workers, and 1 of them done by the chief" in error

    # Workers that are about to do something else find out before they begin.
    assert (
        error.count("workers must have the same settings, data, weights and packages. Received: worker 1 with rank 1")
        == 2
    )
    assert "launch ended with 9" in out and "Traceback" not in error


class Spoken(Team):
    """The first of two workers, whose messages are given."""

    def __init__(self, rank, others):
        cluster = teams.Cluster(("a:1", "b:1"), ("worker 0", "worker 1"), rank)
        super().__init__(teams.tf.distribute.get_strategy(), cluster)
        object.__setattr__(self, "others", others)

    def _gathered(self, message):
        messages = [self.others, message] if self.cluster.rank else [message, self.others]
        return [m if isinstance(m, bytes) else m.encode() for m in messages]


def test_workers_that_are_about_to_do_something_else_are_told():
    Spoken(0, '{"steps": 3, "data": "x"}').compare({"steps": 3, "data": "x"})
    with pytest.raises(WorkerError, match="worker 1 with data y, and x of the chief; steps 4, and 3"):
        Spoken(0, '{"steps": 4, "data": "y"}').compare({"steps": 3, "data": "x"})


def test_the_chief_decides_and_its_mistakes_end_all():
    assert Spoken(1, '{"value": [1, "a"]}').lead(lambda: pytest.fail("not asked")) == [1, "a"]
    with pytest.raises(ConfigError, match="worker 0: no"):
        Spoken(1, '{"error": "ConfigError", "text": "no"}').lead(lambda: None)
    assert Spoken(0, "").lead(lambda: np.float32(0.5)) == 0.5
    assert Spoken(1, '{"value": null}').by_chief(lambda: pytest.fail("not asked")) is None

    def mistaken():
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="^no$"):
        Spoken(0, "").lead(mistaken)


@pytest.mark.parametrize("verb", ["recognize", "edit invert"])
def test_what_devices_cannot_share_says_so(verb, capsys):
    module, *more = verb.split()
    with pytest.raises(SystemExit) as left:
        import_module(f"tfgantl.pipelines.{module}").main([*more, "--devices", "2"])
    error = capsys.readouterr().err
    assert left.value.code == 2 and f"`devices` must be left out for {verb}, of which workers do parts" in error
    assert error.count("\n") == 1
