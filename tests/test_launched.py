"""Trainings in real processes on loopback: they must come to what one process comes to, also when one of them dies."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_training

from tfgantl import cli
from tfgantl.errors import ConfigError, WorkerError
from tfgantl.training import team as teams
from tfgantl.training.team import Team

OPTIONS = ["--batch_size", "8", "--save_every", "2", "--precision", "float32", "--run_dir"]


def alone(*options):
    return cli.run(tiny_training.TinyConfig, "python -m tiny_training", tiny_training.work, {}, list(options))


def launched(*options, restarts=0, **changes):
    """Starts two workers; gives their exit code and lines."""
    here = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
    environment = {**os.environ, **changes, "PYTHONPATH": here, "TFGANTL_WORKER_WAIT": "900"}
    command = [sys.executable, "-m", "tfgantl.launch", "--workers", "2", "--restarts", str(restarts)]
    command += ["-m", "tiny_training", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    return done.returncode, done.stdout + done.stderr


def hashes(lines):
    return re.findall(r"^\[[01]\] weights (\w{64})$", lines, re.MULTILINE)


def assert_close(run, other):
    with np.load(run / "weights.npz") as first, np.load(other / "weights.npz") as second:
        assert first.files == second.files
        for name in first.files:
            np.testing.assert_allclose(first[name], second[name], atol=1e-5, rtol=1e-5, err_msg=name)


def test_two_workers_are_as_one_also_after_a_kill(tmp_path):
    assert alone(*OPTIONS, str(tmp_path / "alone")) == 0
    code, lines = launched(*OPTIONS, str(tmp_path / "two"))
    whole = hashes(lines)
    assert code == 0 and len(whole) == 2 and len(set(whole)) == 1, lines
    assert_close(tmp_path / "alone", tmp_path / "two")
    # Only the chief writes and talks.
    assert lines.count("run directory") == 1 and not list((tmp_path / "two").rglob(".*.tfgantl-*"))

    code, lines = launched(*OPTIONS, str(tmp_path / "killed"), restarts=1, TINY_KILLED_AT="5")
    assert "restart 1 of 1" in lines and "going on from step 4" in lines
    assert code == 0 and set(hashes(lines)) == set(whole), lines


def test_a_run_goes_on_with_two_workers_and_back(tmp_path, monkeypatch):
    assert alone(*OPTIONS, str(tmp_path / "straight")) == 0
    run = str(tmp_path / "changing")
    with monkeypatch.context() as patch:
        patch.setenv("TINY_STOPPED_AT", "3")
        assert alone(*OPTIONS, run) == 7
    code, lines = launched("--resume", run, TINY_STOPPED_AT="5")
    # The other worker hears of it with the next step.
    assert code == 7 and "at step 6; everything is saved" in lines, lines
    assert alone("--resume", run) == 0
    assert_close(tmp_path / "straight", tmp_path / "changing")


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


@pytest.mark.parametrize("verb", ["recognize", "stylize train", "extractor", "describe train", "edit invert"])
def test_trainings_that_cannot_be_shared_say_so(verb, monkeypatch, capsys):
    from importlib import import_module

    module, *more = verb.split()
    main = import_module(f"tfgantl.pipelines.{module}").main
    needed = {"extractor": ['--domains=[{"class_path": "HandwrittenDigits"}]', "--out_dir", "x"]}.get(verb, [])
    with pytest.raises(SystemExit) as left:
        main([*more, *needed, "--devices", "2"])
    error = capsys.readouterr().err
    assert left.value.code == 2 and f"`devices` must be left out for {verb}" in error and error.count("\n") == 1
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    assert main([*more, *needed]) == 2
    error = capsys.readouterr().err
    assert f"`TF_CONFIG` must be left out for {verb}, which trains on one device" in error and error.count("\n") == 1
