"""A run that is stopped and goes on ends bit for bit where the run that was not stopped ends."""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import TINY_DCGAN, TINY_MLP, small_job, tiny_images
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgantl import transfer as methods
from tfgantl.data import Examples
from tfgantl.errors import InterruptedRun, RunError
from tfgantl.gan import GAN
from tfgantl.pipelines.adapt import main
from tfgantl.training import callbacks, run_directory
from tfgantl.training.interruption import Interruption
from tfgantl.training.optimization import Optimization
from tfgantl.training.run import TrainingData, train
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.settings import TrainingSettings

METHODS = {name: getattr(methods, name)() for name in methods.__all__ if name not in ("Transfer", "Auto")}
STEPS = 8
PLAIN = Optimization(augment="", decay=True)
EVERYTHING = Optimization(augment="ada", apa=True, lecam="auto", decay=True, horizon=50)


@functools.cache
def source_of(networks):
    """A source that methods leave as it is, once for all of them."""
    keras.utils.set_random_seed(9)
    return GAN(*networks.build(8, 1, 3), seed=9)


@pytest.fixture
def run_once(examples, tiny_extractor, tmp_path, monkeypatch, short_validation):
    """Trains in a run directory.

    Behind step `kill`, raises `KeyboardInterrupt`, or copies to `left` what is on the disk, as a kill would leave it.
    """

    def run(
        method, path, kill=None, save_every=5, optimization=PLAIN, dtype="float32", left=None, networks=TINY_MLP,
        steps=STEPS,
    ):  # fmt: skip
        source = source_of(networks)
        keras.utils.set_random_seed(0)
        gan = GAN(*(method or methods.Scratch()).networks(source, dtype), seed=0)
        if method is None:  # pretraining
            method, source = methods.Scratch(), None
        validation = Examples.from_arrays(tiny_images(24, seed=5), np.arange(24) % 3, 3)
        update = callbacks.Progress.on_train_batch_begin

        def die(self, batch, logs=None):
            if kill is not None and int(self.model.step) == kill:
                if left is None:
                    raise KeyboardInterrupt
                shutil.copytree(path, left)
            update(self, batch, logs)

        with monkeypatch.context() as patch, RunDirectory(path, resume=(path / "config.yaml").is_file()) as directory:
            patch.setattr(callbacks.Progress, "on_train_batch_begin", die)
            directory.begin("", {"train data": "x"})
            budget = TrainingSettings(
                steps=steps, batch_size=8, validate_every=3, optimization=optimization, save_every=save_every
            )
            data = TrainingData(examples, validation, tiny_extractor)
            trained = train(gan, method, source, data, budget, run=directory)
        assert left is None or left.is_dir()
        return trained

    return run


@pytest.fixture(scope="module")
def once():
    """Results that cases have in common, by name."""
    return {}


def log(path: Path):
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def same(trained, path, whole, whole_path):
    for one, other in zip(trained.gan.weights, whole.gan.weights, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    assert (trained.stages, trained.history, trained.best_step) == (whole.stages, whole.history, whole.best_step)
    assert log(path) == log(whole_path)


# What an MLP is refused by, and one for dropout and batch normalisation; graphs of the others take half the time.
WITH_CONVOLUTIONS = ("CDC", "FineTune", "Perceptual", "RSSA", "ScaleShift")


@pytest.mark.parametrize("name", [*METHODS, "pretraining"])
@pytest.mark.usefixtures("vgg_weights")
def test_a_resumed_run_ends_where_the_whole_one_ends(run_once, tmp_path, name):
    method = METHODS.get(name)
    rng = np.random.default_rng([*METHODS, "pretraining"].index(name))
    save_every = int(rng.integers(1, 4))
    last = 2 if name == "Alternating" else STEPS  # it has no use for more
    kill = int(rng.integers(min(save_every, last - 1), last))  # behind a checkpoint
    options = {"save_every": save_every, "networks": TINY_DCGAN if name in WITH_CONVOLUTIONS else TINY_MLP}
    whole = run_once(method, tmp_path / "whole", kill, left=tmp_path / "run", **options)
    same(run_once(method, tmp_path / "run", **options), tmp_path / "run", whole, tmp_path / "whole")


def test_a_run_in_mixed_precision_is_resumed_exactly(run_once, tmp_path):
    method, options = methods.FineTune(), {"save_every": 2, "dtype": "mixed_bfloat16"}
    whole = run_once(method, tmp_path / "whole", 5, left=tmp_path / "run", **options)
    same(run_once(method, tmp_path / "run", **options), tmp_path / "run", whole, tmp_path / "whole")


def test_a_run_without_a_whole_checkpoint_is_refused_and_keeps_its_log(run_once, tmp_path):
    method = methods.FineTune()
    with pytest.raises(KeyboardInterrupt):
        run_once(method, tmp_path / "run", 5, save_every=2)
    before = log(tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints" / "adapt").glob("*.index"):
        path.unlink()
    with pytest.raises(RunError, match="one checkpoint must be whole. Received: 2, all damaged"):
        run_once(method, tmp_path / "run", save_every=2)
    assert log(tmp_path / "run") == before


def test_the_log_of_an_earlier_training_stays_in_its_place(tmp_path):
    history = [{"step": 2}, {"step": 4}]
    with RunDirectory(tmp_path) as run:
        for title, step in (("adapted", 2), ("adapted", 3), ("baseline", 2), ("result", 0)):
            run.log({"run": title, "step": step})
        path = tmp_path / "metrics.jsonl"
        path.write_text(path.read_text() + '{"run": "base')
        run.rewrite_log("adapted", history)
    expected = [("adapted", 2), ("adapted", 4), ("baseline", 2)]
    assert [(record["run"], record["step"]) for record in log(tmp_path)] == expected


def test_a_second_signal_stops_at_once():
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.asked == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)


def test_only_what_was_being_written_is_cleaned_up(tmp_path):
    with RunDirectory(tmp_path) as run:
        run.begin("", {})
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    for name in (".report.tfgantl-1234.html", ".mine", "checkpoints/.step-4.tfgantl-1234.json", ".notes.2024.csv"):
        (tmp_path / name).write_text("x")
    with RunDirectory(tmp_path, resume=True):
        pass
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob(".*")}
    assert left == {".ipynb_checkpoints", ".mine", ".notes.2024.csv"}


@settings(max_examples=max(2, settings.default.max_examples // 10))
@given(st.integers(1, STEPS + 2), st.lists(st.integers(0, STEPS - 1), min_size=1, max_size=3, unique=True).map(sorted))
def test_a_run_that_is_killed_anywhere_any_number_of_times_ends_where_the_whole_one_ends(
    run_once, tmp_path_factory, once, save_every, kills
):
    method, path = methods.FineTune(), tmp_path_factory.mktemp("killed")
    key = f"whole, {save_every}"
    if key not in once:
        once[key] = run_once(method, path / "whole", save_every=save_every), path / "whole"
    for kill in kills:
        with pytest.raises(KeyboardInterrupt):
            run_once(method, path / "run", kill, save_every)
    same(run_once(method, path / "run", save_every=save_every), path / "run", *once[key])


def test_a_run_can_be_resumed_again_and_again(run_once, tmp_path):
    method = methods.Alternating(rounds=2, patience=5, tolerance=0.0)
    options = {"save_every": 5, "optimization": EVERYTHING}
    whole = run_once(method, tmp_path / "whole", 1, left=tmp_path / "run", **options)
    for kill in (6, 7):
        with pytest.raises(KeyboardInterrupt):
            run_once(method, tmp_path / "run", kill, **options)
    for _ in range(2):  # the second time, it had ended
        same(run_once(method, tmp_path / "run", **options), tmp_path / "run", whole, tmp_path / "whole")


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(run_once, tmp_path, capsys):
    method = methods.FineTune()
    whole = run_once(method, tmp_path / "whole", 5, save_every=2, left=tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "adapt" / "step-4.index").unlink()
    same(run_once(method, tmp_path / "run", save_every=2), tmp_path / "run", whole, tmp_path / "whole")
    told = capsys.readouterr().err
    assert "step-4.json: checkpoint left out" in told and "adapt: going on from step 2" in told


def test_a_checkpoint_of_another_method_is_refused(run_once, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_once(methods.LoRA(), tmp_path / "run", 5)
    with pytest.raises(RunError, match="must be of the same networks, method and settings. Received: .*low_rank"):
        run_once(methods.FineTune(), tmp_path / "run")


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_a_run_that_is_resumed_with_fewer_steps_than_it_took_ends_and_loses_nothing(run_once, tmp_path, steps):
    method = methods.Alternating(rounds=2) if steps == 3 else methods.FineTune()
    with pytest.raises(KeyboardInterrupt):
        run_once(method, tmp_path / "run", 7, save_every=2)
    saved = {path.name: path.read_bytes() for path in (tmp_path / "run" / "checkpoints" / "adapt").glob("step-*.data*")}
    trained = run_once(method, tmp_path / "run", save_every=2, steps=steps)
    assert trained.steps == 6 and trained.best_step <= 6
    after = {path.name for path in (tmp_path / "run" / "checkpoints" / "adapt").glob("step-*.data*")}
    assert set(saved) == after


def test_a_checkpoint_of_another_run_is_refused(run_once, tmp_path):
    for name in ("one", "other"):
        with pytest.raises(KeyboardInterrupt):
            run_once(methods.FineTune(), tmp_path / name, 5)
    shutil.rmtree(tmp_path / "one" / "checkpoints")
    shutil.copytree(tmp_path / "other" / "checkpoints", tmp_path / "one" / "checkpoints")
    with pytest.raises(RunError, match="checkpoints must be of this run. Received: step 5 of another"):
        run_once(methods.FineTune(), tmp_path / "one")


@pytest.mark.parametrize(
    ("recipe", "facts", "version", "told"),
    [
        ("steps: 8", {"train data": "two"}, "1", "train data one → two"),
        ("steps: 9", {"train data": "one"}, "1", "steps 8 → 9"),
        ("steps: 8\noptimization: {apa: true}", {"train data": "one"}, "1", "optimization.apa None → True"),
        ("steps: 8", {"train data": "one"}, "2", "keras 1 → 2"),
    ],
    ids=["data", "settings", "new setting", "packages"],
)
def test_what_has_changed_is_shown_and_refused_unless_allowed(tmp_path, monkeypatch, recipe, facts, version, told):
    monkeypatch.setattr(run_directory, "versions", lambda: {"keras": "1"})
    with RunDirectory(tmp_path) as run:
        run.begin("steps: 8\nresume: null", {"train data": "one"})
    monkeypatch.setattr(run_directory, "versions", lambda: {"keras": version})
    with RunDirectory(tmp_path, resume=True) as run:
        with pytest.raises(RunError, match=f"must be as they were, or --allow_changes be given. Received: {told}$"):
            run.begin(recipe, facts)
        run.begin(recipe, facts, allow_changes=True)
        run.begin(recipe + "\nresume: here\njson: true", facts)  # how it is continued is no change


def test_signals_save_and_say_how_to_go_on(run_once, tmp_path, monkeypatch):
    method, waiting = methods.FineTune(), {3: signal.SIGTERM, 6: signal.SIGINT}
    whole = run_once(method, tmp_path / "whole")
    update = callbacks.Progress.on_train_batch_end

    def signalled(self, batch, logs=None):
        if int(self.model.step) in waiting:
            os.kill(os.getpid(), waiting.pop(int(self.model.step)))
        update(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Progress, "on_train_batch_end", signalled)
        for step, number in list(waiting.items()):
            told = rf"{number.name} at step {step}; everything is saved, `--resume .*run` goes on"
            with pytest.raises(InterruptedRun, match=told):
                run_once(method, tmp_path / "run")
    same(run_once(method, tmp_path / "run"), tmp_path / "run", whole, tmp_path / "whole")


ADAPT = [
    sys.executable, "-m", "tfgantl.pipelines.adapt", "--steps", "30", "--validate_every", "10", "--samples", "30",
    "--run_dir", "run", "--json",
]  # fmt: skip
RESUME = [*ADAPT[:3], "--resume", "run", "--json"]


def killed(command, directory, number, when):
    """Sends a signal as soon as a file is there; gives the exit code and the last line that was written."""
    with open(directory / "told", "w") as told:
        process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=told)
        deadline = time.monotonic() + 200
        while not (directory / "run" / "checkpoints" / when).is_file():
            assert time.monotonic() < deadline and process.poll() is None, (directory / "told").read_text()
            time.sleep(0.02)
        process.send_signal(number)
        return process.wait(timeout=60), (directory / "told").read_text().splitlines()[-1]


def test_a_real_process_goes_on_after_real_signals(tmp_path, monkeypatch, capsys):
    """One run gets both, in the adaptation and in its baseline."""

    def finished(command, directory):
        monkeypatch.chdir(directory)
        assert main(command[3:]) == 0
        return json.loads(capsys.readouterr().out)

    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    adapt = [*ADAPT, *small_job(tmp_path)]
    whole = finished(adapt, tmp_path / "whole")
    directory = tmp_path / "killed"
    for command, number, when in (
        (adapt, signal.SIGTERM, "adapted/step-10.json"),
        (RESUME, signal.SIGKILL, "baseline/step-10.json"),
    ):
        code, line = killed(command, directory, number, when)
        assert code == (-9 if number == signal.SIGKILL else 7), line
        if number != signal.SIGKILL:
            assert f"{number.name} at step" in line and "everything is saved, `--resume run` goes on" in line
    resumed = finished(RESUME, directory)
    for key in ("metrics", "baseline", "verdict", "diversity", "steps"):
        assert resumed[key] == whole[key], key


def test_a_run_that_has_ended_is_not_resumed_and_one_that_has_not_is_named(tmp_path):
    with RunDirectory(tmp_path / "run") as run:
        run.begin("steps: 8", {})
    with pytest.raises(RunError, match="must be new or empty. Received: .*; --resume .*run goes on with it"):
        RunDirectory(tmp_path / "run")
    settings = SimpleNamespace(resume=str(tmp_path / "run"), run_dir=None)
    with RunDirectory.open(settings, "name") as run:
        run.write("report.html", "ended")
    with pytest.raises(
        RunError, match="`resume` must be a run that has not ended. Received: .*run, which has a report"
    ):
        RunDirectory.open(settings, "name")


def test_resume_takes_no_other_options(tmp_path, capsys):
    for arguments, message in (
        (["--resume", str(tmp_path), "--probe"], "`--resume` must stand without other options; .* --probe"),
        (["--resume", str(tmp_path), "--steps", "5"], "`--resume` must stand without other options; .* --steps 5"),
        ([f"--resume={tmp_path}"], "`--resume` must name a run directory with a config.yaml. Received: "),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2 and re.search(message, capsys.readouterr().err)
