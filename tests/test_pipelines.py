"""The main job end to end, tiny; the first in a process of its own, as CI runs it on what is shipped."""

import importlib
import json
import re
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import yaml
from conftest import TINY_MLP, small_job, tiny_images
from PIL import Image

from tfgantl.configuration import to_yaml
from tfgantl.data import Folder
from tfgantl.metrics import generator_metrics
from tfgantl.models import FastGAN
from tfgantl.pipelines import adapt
from tfgantl.pipelines.adapt import AdaptConfig
from tfgantl.pipelines.pretrain import PretrainConfig, preparation
from tfgantl.pipelines.results import RunResult
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import RunConfig
from tfgantl.report import Report
from tfgantl.training.run_directory import RunDirectory

SMALL = ["--steps", "4", "--validate_every", "2", "--samples", "72", "--precision", "float32"]
METRICS = [metric.name for metric in generator_metrics.METRICS if not (metric.diversity or metric.comparable)]
DIVERSITY = [metric.name for metric in generator_metrics.METRICS if metric.diversity]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("adapt")
    command = [sys.executable, "-m", "tfgantl.pipelines.adapt", *SMALL, *small_job(directory), "--json"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == 1, "only the result is on standard output"
    return directory, json.loads(done.stdout), done.stderr


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a pipeline in a directory, in this process; gives its result and what it wrote beside."""

    def here(verb, directory, *arguments):
        monkeypatch.chdir(directory)
        assert importlib.import_module(f"tfgantl.pipelines.{verb}").main([*arguments, "--json"]) == 0
        written = capsys.readouterr()
        return json.loads(written.out), written.err

    return here


def test_result_has_what_is_promised(adapted):
    _, result, progress = adapted
    keys = "run_dir export_dir steps seconds images_per_second metrics baseline diversity baseline_diversity verdict"
    others = ["transferability", "classifiers", "training_seconds", "privacy", "origin", "refusal", "direction"]
    assert list(result) == [*keys.split(), *others]
    audit = result["privacy"]
    assert audit["level"] in ("low", "elevated", "high") and audit["differential"] is None
    assert audit["copies"]["held_out"] == 27 and len(audit["attacks"]) == 5
    assert result["origin"]["source_license"] is None and "say it by --source_license" in progress
    assert result["transferability"]["shots"] == 54 and 0.5 < result["transferability"]["separability"] <= 1.0
    for part in ("metrics", "baseline"):
        assert list(result[part]) == METRICS and all(np.isfinite(v) for v in result[part].values())
    for part in ("diversity", "baseline_diversity"):
        assert list(result[part]) == DIVERSITY
    assert result["steps"] == 4 and result["verdict"] in ("positive", "neutral", "negative")
    for shown in ("adapted [adapt]", "baseline", "g_loss", "d_loss", "img/s", "step=4"):
        assert shown in progress, f"{shown} is not in {progress}"
    assert re.search(r"parameters come from the source\n", progress) and "\\x0a" not in progress  # a line each


def test_a_probe_chooses_and_compares_and_writes_nothing(tmp_path, run):
    (tmp_path / "here").mkdir()
    job = [*SMALL, *small_job(tmp_path)]
    result, progress = run("adapt", tmp_path / "here", *job, "--probe", "--transfer", "auto")
    assert not list((tmp_path / "here").iterdir())
    assert result["transfer"] != "Auto" and f"auto: {result['transfer']}" in progress
    assert result["probe"]["steps"] == 4 and result["probe"]["outcome"] == "inconclusive"  # 9 validation images
    assert result["transferability"]["ckid"] > 0 and "before training: cKID of the source" in progress


def test_run_directory_explains_itself(adapted):
    directory, result, _ = adapted
    run_dir = directory / result["run_dir"]
    names = {p.name for p in run_dir.iterdir()}
    assert {
        "config.yaml", "metrics.jsonl", "reals.png", "fakes_source.png", "fakes_adapted.png", "fakes_baseline.png",
        "fakes_adapted_000002.png", "before_after.png", "generator.keras", "discriminator.keras", "report.html",
        "checkpoints",
    } <= names  # fmt: skip
    assert not any(name.startswith(".") for name in names)
    assert yaml.safe_load((run_dir / "config.yaml").read_text())["steps"] == 4
    with Image.open(run_dir / "reals.png") as reals, Image.open(run_dir / "fakes_adapted.png") as fakes:
        assert reals.width == fakes.width
    records = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert [r["run"] for r in records] == ["adapted", "adapted", "baseline", "baseline", "result"]


def test_report_is_self_contained_and_complete(adapted):
    directory, result, _ = adapted
    page = (directory / result["run_dir"] / "report.html").read_text()
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("data:image/png;base64,") == 7
    for part in ("Before", "After", "Baseline", "Memorisation", "Learning curves", "cKID", "Schedule", "Configuration",
                 "fingerprint", "tensorflow", "extractor@", "95 % interval", "privacy risk"):  # fmt: skip
        assert part in page, part


def test_export_equals_the_keras_generator(adapted):
    directory, result, _ = adapted
    from tfgantl.pretrained import load_generator

    served = tf.saved_model.load(str(directory / result["export_dir"])).signatures["serving_default"]
    generator = load_generator(str(directory / result["run_dir"]))
    latents, labels = np.random.default_rng(0).standard_normal((5, 4), np.float32), np.arange(5, dtype=np.int32) % 3
    images = served(latents=tf.constant(latents), labels=tf.constant(labels))["images"].numpy()
    np.testing.assert_allclose(images, generator.predict([latents, labels], verbose=0), atol=1e-5)
    assert result["export_dir"].endswith("exported/target/1")


def test_the_saved_configuration_repeats_the_run(adapted, run):
    """Same seed, same machine: the same images, without the baseline."""
    directory, result, _ = adapted
    config = directory / result["run_dir"] / "config.yaml"
    shown = ["--name", "again", "--show_training_pictures"]
    again, _ = run("adapt", directory, "--config", str(config), "--baseline", "false", *shown)
    assert again["baseline"] is None and again["verdict"] is None
    assert again["metrics"]["ckid"] == pytest.approx(result["metrics"]["ckid"], abs=1e-9)
    assert again["export_dir"].endswith("exported/again/1") and again["run_dir"] == "runs/again/1"
    pictures = [directory / job["export_dir"] / "assets.extra" / "before_after.png" for job in (result, again)]
    assert [path.exists() for path in pictures] == [False, True]  # training pictures, only where they are asked for


def test_a_run_is_a_model_to_evaluate(adapted, run):
    directory, result, _ = adapted
    model = ["--model", result["run_dir"], "--samples", "72", "--classifier_steps", "4"]
    target = ["--target", "Arrays", "--target.path", str(directory / "target.npz")]
    measured, _ = run("evaluate", directory, *model, *target, "--extractor", str(directory / "extractor"))
    assert list(measured["metrics"]) == METRICS
    assert measured["metrics"]["cfid"] == pytest.approx(result["metrics"]["cfid"], rel=0.2)  # other latents


def test_an_unconditional_source_takes_a_labelled_target(tmp_path, run):
    """Labels are left alone, and so are the numbers that need them."""
    job = [*SMALL, *small_job(tmp_path), "--source", "unconditional", "--transfer", "FineTune"]
    (tmp_path / "unconditional").mkdir()
    for network, name in zip(TINY_MLP.build(8, 1, None), ("generator", "discriminator"), strict=True):
        network.save(tmp_path / "unconditional" / f"{name}.keras")
    adapted, _ = run("adapt", tmp_path, *job)
    assert adapted["metrics"]["gan_train"] is None and np.isfinite(adapted["metrics"]["ckid"])


@pytest.mark.usefixtures("short_extractor")
def test_pretrain_makes_a_source_for_unlabelled_color_folders(tmp_path, run):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i in range(60):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    data = ["--target", "Folder", "--target.path", "pictures", "--batch_size", "8"]
    pair = ["--networks", "DCGAN", "--networks.latent_dim", "8", "--networks.filters", "[8,6,4]",
            "--networks.strides", "[1,2,2]"]  # fmt: skip
    size = ["--target.image_size", "16", "--target.channels", "3"]
    small = ["--steps", "4", "--validate_every", "2", "--samples", "40", "--classifier_steps", "5"]
    made, _ = run("pretrain", tmp_path, *data, *size, *pair, *small, "--preset_dir", "preset")
    assert made["metrics"]["gan_train"] is None and np.isfinite(made["metrics"]["ckid"])
    assert {p.name for p in (tmp_path / "preset").iterdir()} == {"config.json", "weights.npz"}
    kept = json.loads((tmp_path / "preset" / "config.json").read_text())["metadata"]["recipe"]
    assert "steps: 4\n" in kept and "preset_dir: null\n" in kept  # presets are published: no places of this machine
    adapted, _ = run("adapt", tmp_path, "--source", made["run_dir"], *data, *small)  # the size is that of the source
    assert adapted["verdict"] == "inconclusive" and adapted["classifiers"] == {}  # 12 test images


def test_what_a_pretraining_fills_in_is_what_its_recipe_fills_in(tmp_path, tiny_extractor, monkeypatch):
    """Or a run could not be resumed: with a default network, open sizes are not what they are with a given one."""
    monkeypatch.setattr(preparation, "choose_extractor", lambda *args, **options: tiny_extractor)
    for i, image in enumerate(tiny_images(40, 20, 3)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    config = PretrainConfig(target=Folder(str(tmp_path)), steps=10)
    first = preparation.prepare(config)
    assert first.examples["train"].image_size == 64 and first.examples["train"].channels == 3
    assert first.networks == FastGAN() and first.settings["batch_size"] == 16
    again = preparation.prepare(replace(config, **first.settings))
    assert again.facts() == first.facts()


def test_a_run_ends_with_its_report_and_then_says_where_it_is(tmp_path, monkeypatch, capsys):
    """A run directory with a report is taken for one that has ended."""
    written, log, write = [], RunDirectory.log, RunDirectory.write
    monkeypatch.setattr(RunDirectory, "log", lambda run, record: (written.append(record), log(run, record)))
    monkeypatch.setattr(
        RunDirectory, "write", lambda run, name, content: (written.append(name), write(run, name, content))
    )
    session = Session(RunConfig(name="x", run_dir=str(tmp_path / "run")))
    with session.open("x", {"data": "1"}, "2 images", "a note") as run:
        result = session.finish(RunResult(run_dir=run.path, report=Report("x")))
    where = str(tmp_path / "run")
    assert written == ["run.json", "config.yaml", {"run": "result", "name": "x", "run_dir": where}, "report.html"]
    lines = [f"x: 2 images, run directory {where}", "a note", f"report: {where}/report.html"]
    assert capsys.readouterr().err.splitlines() == lines and result.to_json() == {"run_dir": where}


def test_a_recipe_begins_with_what_its_verb_alone_has():
    names = list(yaml.safe_load(to_yaml(AdaptConfig())))
    assert names[0] == "source" and names.index("force") < names.index("precision") < names.index("run_dir")


@pytest.fixture
def full_disk():
    """No file may grow beyond 20 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_is_one_line_and_leaves_no_version(tmp_path, monkeypatch, capsys, request):
    """The first checkpoint fails."""
    job = [*SMALL, *small_job(tmp_path), "--baseline", "false"]
    monkeypatch.chdir(tmp_path)
    request.getfixturevalue("full_disk")
    assert adapt.main(job) == 5
    told = capsys.readouterr().err
    assert told.strip().splitlines()[-1].startswith("tfgantl adapt: error: ")
    assert "Traceback" not in told and not (tmp_path / "exported").exists()
