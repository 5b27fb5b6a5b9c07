"""Runs of `tfgantl edit` that go on with another mask or pictures, with codes and directions that nothing has found."""

import json

import keras
import numpy as np
import pytest
from conftest import TINY_MLP
from PIL import Image

from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import RunError
from tfgantl.pipelines.edit import main
from tfgantl.pipelines.edit.fill import FillConfig
from tfgantl.pipelines.edit.mix import MixConfig
from tfgantl.training.run_directory import RunDirectory

QUICK = ["--steps", "0", "--restarts", "1", "--weights", "none"]


def space_of(num_classes=3):
    keras.utils.set_random_seed(0)
    return LatentSpace(TINY_MLP.build(8, 1, num_classes)[0])


def square(path, side, value=255):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:side, :side] = value
    Image.fromarray(pixels).save(path)


@pytest.fixture
def unfinished(tmp_path, monkeypatch, eagerly):
    """A run in which holes have been filled, whose report is missing; and how to go on with it."""
    monkeypatch.chdir(tmp_path)
    space_of().generator.save("generator.keras")
    (tmp_path / "pictures").mkdir()
    square("pictures/a.png", 4, 100)
    square("mask.png", 4)
    assert main(["fill", "pictures", "--mask", "mask.png", "--model", ".", "--answers", "1", "-o", "run", *QUICK]) == 0
    (tmp_path / "run" / "report.html").unlink()
    return lambda: main(["fill", "--resume", str(tmp_path / "run")])


@pytest.mark.parametrize(("name", "told"), [("mask.png", "mask pixels"), ("pictures/a.png", "picture pixels")])
def test_a_mask_or_picture_that_has_changed_is_told(unfinished, tmp_path, capsys, name, told):
    """Pictures had codes for the holes of either; their hash had the name of the setting, which took its place."""
    square(name, 3, 90 if "a.png" in name else 255)
    assert unfinished() == 5
    assert f"must be as they were, or --allow_changes be given. Received: {told} " in capsys.readouterr().err


def test_an_edit_that_an_earlier_version_has_begun_goes_on_from_anywhere(unfinished, tmp_path, monkeypatch):
    path = tmp_path / "run" / "run.json"
    facts = json.loads(path.read_text())
    old = {name: value for name, value in facts.items() if name not in ("mask pixels", "picture pixels")}
    path.write_text(json.dumps({**old, "mask": "mask.png", "pictures": "pictures"}))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert unfinished() == 0
    assert json.loads(path.read_text()) == facts


def test_paths_of_pictures_and_masks_mean_the_same_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        square(name, 4)
    fill, mix = FillConfig(pictures="a.png", mask="b.png"), MixConfig(pictures="a.png", other="b.png")
    assert [fill.pictures, fill.mask, mix.other] == [str(tmp_path / name) for name in ("a.png", "b.png", "b.png")]
    assert (
        FillConfig(model=".").model == str(tmp_path) and FillConfig(model="rendered-digits").model == "rendered-digits"
    )


@pytest.mark.parametrize(
    "content", ["{}", "[]", '[["a", 1]]', "null", "5", '{"id": "a"}', '{"id": 5, "keras": "3"}', None]
)
def test_a_run_does_not_go_on_where_nothing_says_what_it_was(tmp_path, content):
    """Nothing was compared, and nothing said."""
    with RunDirectory(tmp_path / "run") as run:
        run.begin("steps: 3\n", {})
    path = tmp_path / "run" / "run.json"
    path.unlink() if content is None else path.write_text(content)
    with RunDirectory(tmp_path / "run", resume=True) as run:
        with pytest.raises(RunError, match="run.json: must be .*Received: ") as error:
            run.begin("steps: 4\n", {})
        if content is None:
            run.begin("steps: 4\n", {}, allow_changes=True)
    assert "\n" not in str(error.value)
