"""A time in place of a number of steps: what it is, what it comes to, and that measuring leaves no trace."""

import itertools
import json

import numpy as np
import pytest
import yaml
from conftest import small_job
from numpy.testing import assert_array_equal

from tfgantl import cli
from tfgantl.errors import ConfigError
from tfgantl.pipelines.adapt import DEFAULTS, AdaptConfig, main
from tfgantl.pipelines.budget import with_steps
from tfgantl.pipelines.pretrain import PretrainConfig
from tfgantl.training import speed as measuring
from tfgantl.training.durations import in_words, seconds_of
from tfgantl.training.optimization import Optimization
from tfgantl.training.speed import Speed

SMALL = ["--samples", "40", "--precision", "float32", "--run_dir", "run", "--baseline", "false", "--json"]


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        ("90s", 90, "1 minute 30 seconds"), ("10m", 600, "10 minutes"), ("1h", 3600, "1 hour"),
        ("1h30m", 5400, "1 hour 30 minutes"), ("1h1s", 3601, "1 hour 1 second"), ("0h5m", 300, "5 minutes"),
    ],
)  # fmt: skip
def test_durations_are_read_and_said(text, seconds, words):
    assert seconds_of(text) == seconds and in_words(seconds) == words


@pytest.mark.parametrize("text", ["", "10", "0s", "m", "-5m", "5 m", "1.5h", "30m1h", "1d", "५m", "9999999h", "5m\n"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigError, match="`budget` must be a duration such as 90s, 10m or 1h30m. Received: "):
        AdaptConfig(budget=text)


def planned(config, *speed, remark=""):
    asked = []

    def measure(settings, seconds):
        asked.append((settings.steps, settings.validate_every, seconds))
        return Speed(*speed)

    return with_steps(config, measure, remark), asked


def test_a_budget_comes_to_steps_with_as_many_validations_as_ever(capsys):
    config, asked = planned(AdaptConfig(budget="10m"), 0.41, 0.0, 12.4, remark="; and so on")
    assert (config.steps, config.validate_every, config.budget) == (1460, 244, None)
    assert asked == [(600, 100, 600)] and -(-config.steps // config.validate_every) == 600 // 100
    line = "12 s measured 0.41 s a step: 1,460 steps in 10 minutes, with 6 validations of 0 s; and so on\n"
    assert capsys.readouterr().err == line
    config, _ = planned(PretrainConfig(budget="10m"), 0.41, 5.0, 12.4)
    assert (config.steps, config.validate_every) == (1210, 61)  # 20 validations take a sixth of the time
    config, _ = planned(PretrainConfig(budget="3m"), 0.5, 17.0, 12.4)
    assert (config.steps, config.validate_every) == (290, 145)  # two, as twenty would leave no time for training
    config, asked = planned(PretrainConfig(budget="10m", validate_every=10), 0.3, 2.0, 12.4)
    assert (config.steps, config.validate_every) == (1200, 10) and asked == [(20000, 10, 600)]


def test_without_a_budget_nothing_is_measured():
    for config, steps, every in ((AdaptConfig(), 600, 100), (PretrainConfig(), 20000, 1000)):
        assert planned(config) == (config, []) and (config.steps, config.validate_every) == (steps, every)


def test_a_budget_that_is_not_enough_says_what_is():
    with pytest.raises(ConfigError, match="enough for 50 steps: 24s at 0.4 s a step. Received: 23s"):
        planned(AdaptConfig(budget="23s"), 0.4, 1.0, 9.0)
    ramped = AdaptConfig(budget="60s", optimization=Optimization(label_ramp=(0, 400)))
    with pytest.raises(ConfigError, match="`label_ramp` must end before step 150, the last. Received: an end at 400"):
        planned(ramped, 0.4, 0.0, 9.0)


def test_budget_and_steps_are_one_line(tmp_path, capsys):
    message = "`budget` and `steps` must not both be given: each says how long to train. Received: 10m and 600"
    with pytest.raises(ConfigError, match=message):
        AdaptConfig(budget="10m", steps=600)
    assert_exits(["--budget", "10m", "--steps", "600"], message, capsys)
    (tmp_path / "recipe.yaml").write_text("steps: 600\n")
    recipe = ["--config", str(tmp_path / "recipe.yaml"), "--budget", "10m"]
    assert_exits(recipe, message, capsys)
    config = cli.parse(AdaptConfig, "adapt", DEFAULTS, [*recipe, "--steps", "null"])
    assert (config.budget, config.steps) == ("10m", None)


def assert_exits(arguments, message, capsys):
    with pytest.raises(SystemExit):
        cli.parse(AdaptConfig, "adapt", DEFAULTS, arguments)
    assert capsys.readouterr().err == f"tfgantl adapt: error: {message}\n"


@pytest.fixture
def fake_clock(monkeypatch):
    """A hundredth of a second passes whenever somebody looks."""
    ticks = itertools.count()
    monkeypatch.setattr(measuring, "clock", lambda: next(ticks) / 100)
    return ticks


@pytest.mark.usefixtures("short_validation")
def test_a_run_with_a_budget_is_that_with_its_steps_and_is_resumed_as_such(tmp_path, monkeypatch, capsys, fake_clock):
    """With a method of two stages and networks of its own, and augmentation that learns."""
    job = [*small_job(tmp_path), *SMALL, "--transfer", "MineGAN", "--optimization.augment", "ada"]

    def run(name, *arguments):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        assert main(list(arguments)) == 0
        written = capsys.readouterr()
        return json.loads(written.out), written.err

    timed, told = run("timed", *job, "--budget", "1s")
    line = "0.01 s a step: 90 steps in 1 second, with 6 validations of 0.01 s\n"
    assert line in told and timed["steps"] == 90
    recipe = yaml.safe_load((tmp_path / "timed" / "run" / "config.yaml").read_text())
    assert (recipe["steps"], recipe["validate_every"], recipe["budget"]) == (90, 15, None)
    measured = next(fake_clock)
    counted, told = run("counted", *job, "--steps", "90", "--validate_every", "15")
    assert "measured" not in told and next(fake_clock) == measured + 1
    for part in ("metrics", "diversity", "transferability"):
        assert timed[part] == counted[part], part
    logs = [(tmp_path / name / "run" / "metrics.jsonl").read_text().splitlines() for name in ("timed", "counted")]
    assert logs[0][:-1] == logs[1][:-1] and len(logs[0]) == 8
    saved = [checkpoint_arrays(tmp_path / name / "run") for name in ("timed", "counted")]
    assert saved[0].keys() == saved[1].keys() and len(saved[0]) > 50
    for key, array in saved[0].items():
        assert_array_equal(array, saved[1][key], err_msg=key)

    (tmp_path / "timed" / "run" / "report.html").unlink()
    resumed, _ = run("timed", "--resume", "run", "--json")
    assert resumed["metrics"] == timed["metrics"] and resumed["steps"] == 90
    assert next(fake_clock) == measured + 2  # nobody has looked


def checkpoint_arrays(run):
    """All that the last checkpoint of the adaptation holds: weights, moments, seeds."""
    import tensorflow as tf

    newest = sorted((run / "checkpoints" / "adapted").glob("*.index"), key=lambda path: int(path.stem.split("-")[-1]))
    reader = tf.train.load_checkpoint(str(newest[-1]).removesuffix(".index"))
    arrays = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray) and array.dtype != object}


def test_measuring_stops_when_the_time_is_over(make_gan, examples, tiny_extractor, monkeypatch):
    """Whose steps take an hour is not kept waiting for thirty of them."""
    from tfgantl.training.run import TrainingData
    from tfgantl.transfer import Scratch

    ticks = itertools.count()
    monkeypatch.setattr(measuring, "clock", lambda: 3600.0 * next(ticks))
    gan = make_gan()
    data = TrainingData(examples, examples, tiny_extractor)
    settings = AdaptConfig(batch_size=8).training_settings()
    speed = measuring.measure_speed(gan, Scratch(), None, data, settings, most=60)
    assert int(gan.step) == 2 and speed.step == 3600
