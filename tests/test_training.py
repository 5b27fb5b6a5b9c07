import json
import subprocess
import sys
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_MLP, tiny_images

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError, DivergedError, RunError
from tfgantl.files import check_name
from tfgantl.metrics.distances import kernel_distance
from tfgantl.random_streams import Stream
from tfgantl.training import team
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.optimization import Optimization
from tfgantl.training.precision import dtype_policy
from tfgantl.training.run import TrainingData, train
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.settings import TrainingSettings
from tfgantl.training.stages import Stage
from tfgantl.transfer import Alternating, FineTune, FreezeD, Scratch


@pytest.fixture
def run_tiny(make_gan, examples, tiny_extractor, tmp_path, short_validation):
    """Trains a tiny GAN for eight steps, with a validation every two."""

    def run(transfer=None, directory=None, optimization=None, steps=8, networks=TINY_MLP, **options):
        transfer = transfer or FineTune()
        validation = Examples.from_arrays(tiny_images(24, seed=5), np.arange(24) % 3, 3)
        optimization = optimization or Optimization(g_learning_rate=1e-2, d_learning_rate=1e-2)
        settings = TrainingSettings(steps=steps, batch_size=8, validate_every=2, optimization=optimization, **options)
        data = TrainingData(examples, validation, tiny_extractor)
        return train(make_gan(networks), transfer, make_gan(networks, seed=9), data, settings, run=directory)

    return run


def weights(gan):
    return np.concatenate([w.ravel() for w in gan.get_weights()])


def test_the_best_state_by_validation_is_kept(run_tiny, tiny_extractor):
    trained = run_tiny(networks=TINY_DCGAN)
    scores = {record["step"]: record["val_ckid"] for record in trained.history}
    assert list(scores) == [2, 4, 6, 8] and trained.steps == 8
    assert trained.best_step == min(scores, key=scores.get)
    latents, labels = trained.gan.latents(40, 0, Stream.VALIDATION), np.arange(40) % 3
    from tfgantl.images import to_uint8

    features, _ = tiny_extractor(to_uint8(trained.gan.generate(latents, labels)))
    real, _ = tiny_extractor(tiny_images(24, seed=5))
    assert kernel_distance(real, features, np.arange(24) % 3, labels) == pytest.approx(min(scores.values()), rel=1e-3)
    assert trained.images_per_second > 0 and trained.seconds > 0


def test_runs_repeat_bit_for_bit(run_tiny):
    one, other = (weights(run_tiny(networks=TINY_DCGAN).gan) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_run_stops_early_and_says_so(run_tiny):
    full = run_tiny(patience=1000)
    scores = [record["val_ckid"] for record in full.history]
    stale = [i for i in range(1, 4) if scores[i] >= min(scores[:i])]
    stopped = run_tiny(patience=1, steps=8)
    expected = full.history[stale[0]]["step"] if stale else 8
    assert stopped.steps == stopped.history[-1]["step"] == expected
    assert [r["val_ckid"] for r in stopped.history] == scores[: len(stopped.history)]
    if stale:
        assert stopped.stages[-1] == "stopped: 1 validations without a better cKID"
        assert stopped.stages[0].startswith(f"adapt: {expected} steps")


def test_what_is_watched_is_in_the_progress_line(run_tiny, capsys):
    run_tiny(optimization=Optimization(augment="ada", lecam=1.0))
    shown = capsys.readouterr().err.split("\r")[-1]
    for name in ("g_loss=", "p=", "r_t=", "gap=", "coverage=", "nn_ratio="):
        assert name in shown, name


def test_many_training_images_are_not_compared_for_copies(run_tiny, monkeypatch):
    monkeypatch.setattr("tfgantl.training.run.MAX_VALIDATION_IMAGES", 20)
    assert "val_nn_ratio" not in run_tiny(steps=2).history[0]


@pytest.mark.parametrize("augment", ["ada", "translation"])
def test_additive_methods_work_together_with_a_transfer_method(run_tiny, augment):
    optimization = Optimization(augment=augment, apa=True, lecam="auto", label_ramp=(2, 5), horizon=50)
    schedule = Alternating(rounds=2, patience=5, tolerance=0.0)
    trained = run_tiny(schedule, optimization=optimization, networks=TINY_DCGAN)
    assert trained.best_step in (6, 8)  # the first validations after the ramp
    assert not [a for a in (*trained.gan.g_adapters, *trained.gan.d_adapters) if type(a).__name__ == "LabelRamp"]
    assert all("apa" in r and "gap" in r for r in trained.history if "g_loss" in r)


def test_stages_are_told_in_order(run_tiny):
    lines = run_tiny(Alternating(rounds=2, patience=5, tolerance=0.0)).stages
    assert [line.split(":")[0] for line in lines] == ["1 train D", "1 train both", "2 train D", "2 train both"]
    assert all("validation cKID" in line and "discriminator accuracy" in line for line in lines)


def test_a_run_directory_holds_log_grids_and_checkpoints(run_tiny, tmp_path):
    with RunDirectory(tmp_path / "run") as run:
        run_tiny(directory=run)
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4, 6, 8]
    measured = {"val_ckid", "val_coverage", "val_nn_ratio"}
    assert {"run", "step", *measured, "g_loss", "d_loss", "d_real", "d_fake"} == set(records[0])
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names == {"metrics.jsonl", "checkpoints", *(f"fakes_adapt_{step:06d}.png" for step in (2, 4, 6, 8))}


@dataclass(frozen=True)
class Poison(Scratch):
    """Spoils the weights in the step after the third."""

    def generator_penalty(self, gan, latents, labels, fakes):
        return tf.where(gan.step >= 3, np.nan, 0.0) * tf.reduce_mean(fakes)


def test_values_that_are_not_finite_stop_the_run_with_step_loss_and_last_good_checkpoint(
    run_tiny, examples, tmp_path, capsys
):
    with RunDirectory(tmp_path / "run") as run:
        message = r"diverged at step [45]: .* must be finite. Received: .*; last good checkpoint: .*step-2$"
        with pytest.raises(DivergedError, match=message):
            run_tiny(Poison(), run)
    assert (tmp_path / "run" / "checkpoints" / "adapt" / "step-2.index").is_file()
    told = capsys.readouterr().err
    for factor in ("0.5", "0.25"):
        assert f"going back to step 2 with {factor} of the learning rates" in told
    with np.load(tmp_path / "run" / "diverged_adapt.npz") as found:
        numbers = sorted(int(name.removeprefix("images_")) for name in found if name.startswith("images"))
        assert len(numbers) == 2 and 3 in numbers  # the step that Poison spoils
        for number in numbers:
            images, labels = next(iter(batches(examples, 8, 0, number)))
            np.testing.assert_array_equal(found[f"images_{number}"], images)
            np.testing.assert_array_equal(found[f"labels_{number}"], labels)


@dataclass(frozen=True)
class Fever(FineTune):
    """Spoils the weights as long as learning rates are what they were."""

    def generator_penalty(self, gan, latents, labels, fakes):
        spoilt = (gan.step >= 3) & (gan.rate_factor > 0.9)
        return tf.where(spoilt, np.nan, 0.0) * tf.reduce_mean(fakes)


def test_a_run_recovers_with_half_the_learning_rates(run_tiny, tmp_path):
    with RunDirectory(tmp_path / "run") as run:
        trained = run_tiny(Fever(), run, networks=TINY_DCGAN)
    assert trained.steps == 8 and float(trained.gan.optimizer.learning_rate) == pytest.approx(0.5e-2)
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4, 6, 8]


def test_a_loss_that_is_not_finite_is_named(run_tiny):
    wild = Optimization(loss="wasserstein", g_learning_rate=1e18, d_learning_rate=1e18, augment="")
    with pytest.raises(DivergedError, match=r"diverged at step \d+: every loss .* Received: [gd]_loss = (nan|-?inf)"):
        run_tiny(Scratch(), optimization=wild, steps=40)


def test_checkpoints_never_hold_values_that_are_not_finite(compiled, tmp_path):
    gan = compiled()
    checkpoints = Checkpoints(gan, tmp_path)
    assert checkpoints.last == "none"
    checkpoints.save(1)
    good = weights(gan)
    moment = next(v for v in gan.optimizer.variables if v.path.endswith("velocity"))
    for variable in (gan.generator.weights[0], moment):  # an optimizer may be spoilt before the weights are
        whole = variable.numpy()
        variable.assign(whole * 0 + np.inf)
        with pytest.raises(
            DivergedError, match="weights and moments must be finite. .* last good checkpoint: .*step-1"
        ):
            checkpoints.save(2)
        variable.assign(whole)
    assert checkpoints.last.endswith("step-1")
    checkpoints.restore_last()
    np.testing.assert_array_equal(weights(gan), good)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"g_learning_rate": 0}, "`g_learning_rate` must be above 0, or none. Received: 0"),
        ({"r1": -1}, "`r1` must be at least 0, or none. Received: -1"),
        ({"beta_1": 1.0}, r"`beta_1` must be in \[0, 1\), or none. Received: 1.0"),
        ({"r1_every": 0}, "`r1_every` must be at least 1, or none. Received: 0"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Optimization(**options)


def test_settings_reach_the_optimizers(make_gan):
    gan = make_gan()
    Optimization(g_learning_rate=1e-3, d_learning_rate=2e-3, beta_1=0.1, decay=True).compile(gan, 100)
    rates = [float(o.learning_rate) for o in (gan.optimizer, gan.d_optimizer)]
    np.testing.assert_allclose(rates, [1e-3, 2e-3])
    gan.optimizer.iterations.assign(100)
    assert float(gan.optimizer.learning_rate) == pytest.approx(1e-4) and gan.optimizer.beta_1 == 0.1
    assert isinstance(gan.d_optimizer, keras.optimizers.Adam)


def test_precision(monkeypatch):
    assert dtype_policy("float32") == "float32" and dtype_policy("mixed_bfloat16") == "mixed_bfloat16"
    from pathlib import Path

    for flags, expected in (("avx2 avx512_bf16", "mixed_bfloat16"), ("avx2", "float32")):
        monkeypatch.setattr(Path, "read_text", lambda self, flags=flags: flags)
        assert dtype_policy("auto") == expected


@pytest.mark.parametrize(
    ("capabilities", "policy", "unscaled"),
    [
        ([(8, 0)], "mixed_bfloat16", "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "mixed_float16", "float32"),
        ([(7, 5), (6, 1)], "float32", "float32"),
        ([None], "float32", "float32"),
    ],
    ids=["computes bfloat16", "one of two does", "one of two computes float16", "does not tell"],
)
def test_precision_is_what_gpus_compute_in(monkeypatch, capabilities, policy, unscaled):
    """There is no GPU here: the answers of the device are made up."""
    details = [{} if capability is None else {"compute_capability": capability} for capability in capabilities]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: range(len(details)))
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details[gpu])
    assert dtype_policy("auto", scales_loss=True) == policy and dtype_policy("auto") == unscaled


def test_gpus_give_memory_as_it_is_needed_and_divide_a_batch_that_is_open(monkeypatch):
    asked = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a", "b", "c"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: asked.append((gpu, on)))
    assert team._devices("auto", None) == ("GPU:0", "GPU:1") and team._devices("auto", 6) == ("GPU:0", "GPU:1", "GPU:2")
    assert asked[:3] == [("a", True), ("b", True), ("c", True)]


def test_files_are_written_whole_or_not_at_all(tmp_path):
    with RunDirectory(tmp_path / "run") as run:
        run.write("a.txt", "first")
        with pytest.raises(RuntimeError, match="stop"), run.replacing("a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")
        assert (run.path / "a.txt").read_text() == "first"
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"a.txt"}


def test_run_directories_are_numbered_and_never_shared(tmp_path):
    with RunDirectory.next(tmp_path / "runs") as first, RunDirectory.next(tmp_path / "runs") as second:
        assert (first.path.name, second.path.name) == ("1", "2")
        with pytest.raises(RunError, match="must not be in use. Received: .*which another run is writing"):
            RunDirectory(first.path)
        first.write("config.yaml", "x")
    with pytest.raises(RunError, match="must be new or empty. Received: .*which holds config.yaml"):
        RunDirectory(tmp_path / "runs" / "1")


def test_the_lock_of_a_killed_run_is_free(tmp_path):
    make = f"r = RunDirectory({str(tmp_path / 'run')!r})"
    code = f"from tfgantl.training.run_directory import *; {make}; print(1, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"1\n"
    with pytest.raises(RunError, match="must not be in use"):
        RunDirectory(tmp_path / "run")
    process.kill()
    process.communicate()
    with RunDirectory(tmp_path / "run"):
        pass


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="must be a directory that can be written. Received: .*file"):
        RunDirectory(tmp_path / "file" / "run")


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "ü"])
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ConfigError, match="`name` must start with a letter or digit"):
        check_name(name)


def test_a_stage_says_how_much_it_trains_and_must_train_something(make_gan, examples, tiny_extractor, capsys):
    settings = TrainingSettings(steps=2, batch_size=8, validate_every=2, optimization=Optimization(augment=""))
    source, data = make_gan(TINY_MLP, seed=9), TrainingData(examples, examples, tiny_extractor)
    gan = make_gan(TINY_MLP)
    train(gan, FreezeD(), source, data, settings)
    g, d = gan.generator.count_params(), gan.discriminator.count_params()
    told = capsys.readouterr().err
    assert f"of {g:,} parameters of the generator, " in told and f"of {d:,} parameters of the discriminator" in told

    class Nothing(FreezeD):
        def schedule(self, steps):
            yield Stage("idle", steps, freeze_generator=(".*",), freeze_discriminator=(".*",))

    with pytest.raises(ConfigError, match="stage `idle` must train something. Received: no trainable parameters"):
        train(make_gan(TINY_MLP), Nothing(), source, data, settings)
