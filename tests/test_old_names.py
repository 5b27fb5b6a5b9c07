"""Commands, recipes and run directories of earlier versions still read, and say in one line what to write now."""

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
import yaml
from test_cli import parse

from tfgantl.configuration import to_yaml
from tfgantl.errors import RunError
from tfgantl.old_names import agrees, methods
from tfgantl.recognition import ADDA, DANN, MCD, SHOT, AdaBN, FineTuneClassifier, GANImages, L2SPClassifier, VGG16Head
from tfgantl.training.run_directory import RunDirectory
from tfgantl.transfer import SVD, LoRA

OLD_METHODS = {
    "SHOT": [SHOT()],
    "shot,MCD:repeats=2": [SHOT(), MCD(repeats=2)],
    "SHOT:consistency=1, DANN": [SHOT(consistency=1.0), DANN()],
    "FineTune:frozen=2,L2SP": [FineTuneClassifier(frozen=2), L2SPClassifier()],
    "ADDA:rate=0.2,VGG16Head:rate=0.1": [ADDA(gradient_scale=0.2), VGG16Head(lr_multiplier=0.1)],
    "GANImages:labeller=adabn:sure=0.5": [GANImages(labeller=AdaBN(), confident_share=0.5)],
    "GANImages:labeller=none": [GANImages(labeller=None)],
}


@pytest.mark.parametrize("where", ["command line", "recipe"])
@pytest.mark.parametrize("text", OLD_METHODS)
def test_methods_as_one_text(text, where, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"method": text}))
    arguments = ["--method", text] if where == "command line" else ["--config", str(tmp_path / "recipe.yaml")]
    assert parse("recognize", *arguments).method == OLD_METHODS[text]
    lines = capsys.readouterr().err.splitlines()
    plain = text == "SHOT" and where == "command line"
    assert len(lines) == (not plain) and all(line.startswith("tfgantl recognize: note: ") for line in lines)


def test_the_remark_can_be_copied(capsys):
    config = parse("recognize", "--method", "MCD:repeats=2,GANImages:labeller=none")
    note = capsys.readouterr().err.strip()
    now = "--method MCD --method.repeats 2 --method GANImages --method.labeller null"
    assert note.endswith(f"is written {now}")
    assert parse("recognize", *now.split()) == config and not capsys.readouterr().err


@pytest.mark.parametrize("where", ["command line", "recipe"])
def test_options_of_transfer_methods(where, tmp_path, capsys):
    recipe = {"transfer": {"class_path": "SVD", "init_args": {"rate": 3.0, "d_rate": 2.0}}, "steps": 7}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    config = {
        "command line": ["--transfer", "SVD", "--transfer.rate", "3", "--transfer.d-rate=2", "--steps", "7"],
        "recipe": ["--config", str(tmp_path / "recipe.yaml")],
    }
    parsed = parse("adapt", *config[where])
    assert parsed.transfer == SVD(g_lr_multiplier=3.0, d_lr_multiplier=2.0) and parsed.steps == 7
    note = capsys.readouterr().err
    assert note.count("\n") == 1 and "g_lr_multiplier" in note and "d_lr_multiplier" in note


def test_options_of_other_packages_keep_their_names(tmp_path, monkeypatch, capsys):
    (tmp_path / "elsewhere.py").write_text(
        "from dataclasses import dataclass\n"
        "from tfgantl.transfer import Transfer\n\n\n"
        "@dataclass(frozen=True)\n"
        "class Other(Transfer):\n"
        "    rate: float = 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = parse("adapt", "--transfer", "elsewhere.Other", "--transfer.rate", "3")
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert config.transfer.rate == 3.0 and parse("adapt", "--config", str(tmp_path / "config.yaml")) == config
    assert not capsys.readouterr().err


OLD_RUNS = {
    "methods": ("recognize", {"method": "DANN:strength=0.5,SHOT"}, {"method": [DANN(strength=0.5), SHOT()]}),
    "transfer": (
        "adapt",
        {"transfer": {"class_path": "tfgantl.transfer.LoRA", "init_args": {"rank": 4, "norms": True, "rate": 20.0}}},
        {"transfer": LoRA(rank=4, norms=True, g_lr_multiplier=20.0)},
    ),
}


@pytest.mark.parametrize("name", OLD_RUNS)
def test_old_run_directories_resume_and_changed_ones_do_not(name, tmp_path):
    verb, old, now = OLD_RUNS[name]
    config = parse(verb)
    recipe = {**yaml.safe_load(to_yaml(config)), **old}
    with RunDirectory(tmp_path / "run") as run:
        run.begin(yaml.safe_dump(recipe), {})  # as the earlier version has written both files
    if name == "methods":
        assert json.loads((tmp_path / "run" / "run.json").read_text())["method"] == old["method"]
    resumed = parse(verb, "--resume", str(tmp_path / "run"))
    assert {field: getattr(resumed, field) for field in now} == now
    with RunDirectory(tmp_path / "run", resume=True) as run:
        run.begin(to_yaml(resumed), {})
    (tmp_path / "run" / "run.json").write_text(
        (tmp_path / "run" / "run.json").read_text().replace("0.5", "0.7").replace("20.0", "30.0")
    )
    with RunDirectory(tmp_path / "run", resume=True) as run, pytest.raises(RunError, match="must be as they were"):
        run.begin(to_yaml(resumed), {})


@pytest.mark.parametrize("value", [False, True])
def test_runs_go_on_that_do_not_know_of_a_setting_as_long_as_it_is_off(value, tmp_path):
    recipe = yaml.safe_load(to_yaml(parse("adapt")))
    for part, names in {"optimization": ("simultaneous", "reuse_fakes"), "privacy": ("clip", "delta", "noise")}.items():
        for name in names:
            del recipe[part][name]  # as version 0.2.0 has written it
    del recipe["max_copies"]
    with RunDirectory(tmp_path / "run") as run:
        run.begin(yaml.safe_dump(recipe), {})
    config = parse("adapt", "--resume", str(tmp_path / "run"))
    assert config.optimization.reuse_fakes is False  # which was no setting then, and is on by default now
    config = replace(config, optimization=replace(config.optimization, simultaneous=value))
    with RunDirectory(tmp_path / "run", resume=True) as run:
        with pytest.raises(RunError, match="simultaneous None → True") if value else nullcontext():
            run.begin(to_yaml(config), {})


def test_methods_agree_if_they_differ_in_nothing_that_was_said():
    now = [{"class_path": "tfgantl.recognition.DANN", "init_args": {"strength": 0.5}}]
    assert agrees(methods("dann"), now) and agrees(methods("DANN:strength=0.5"), now)
    assert not agrees(methods("DANN:strength=1"), now) and not agrees(methods("ANN"), now)
    assert not agrees(methods("DANN,SHOT"), now) and not agrees("DANN", "tfgantl.recognition.DANN")
