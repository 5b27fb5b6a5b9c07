"""The verbs of `tfgantl edit`, as a user calls them."""

import json
import os
import signal

import keras
import numpy as np
import pytest
from conftest import TINY_DCGAN, TINY_STYLEGAN2, tiny_images
from PIL import Image

from tfgantl.data.decode import decode_picture
from tfgantl.editing import inversion
from tfgantl.images import to_unit
from tfgantl.pipelines.edit import VERBS, main
from tfgantl.pipelines.edit.inversion import read_codes
from tfgantl.pipelines.edit.mix import MixConfig
from tfgantl.pipelines.edit.model import EditedModel
from tfgantl.training.run_directory import read_result

QUICK = ["--steps", "3", "--restarts", "2", "--encoder_steps", "0", "--weights", "none"]


def saved(directory, networks=TINY_DCGAN, num_classes=3):
    """A folder with a generator, as a run leaves it."""
    keras.utils.set_random_seed(2)
    directory.mkdir()
    networks.build(8, 1, num_classes)[0].save(directory / "generator.keras")
    return directory


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    return {
        "conditional": saved(path / "conditional"),
        "plain": saved(path / "plain", num_classes=None),
        "styles": saved(path / "styles", TINY_STYLEGAN2),
    }


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(tiny_images(3, 20, 3)):
        Image.fromarray(image).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n half")
    return folder


def table(directory):
    return json.loads((directory / "edit.json").read_text())


@pytest.mark.parametrize("kind", ["conditional", "plain", "styles"])
def test_pictures_are_inverted(models, pictures, tmp_path, kind, capsys):
    out = tmp_path / "out"
    assert main(["invert", str(pictures), "--model", str(models[kind]), "-o", str(out), *QUICK]) == 0
    written = table(out)
    rows = {row["picture"]: row for row in written["rows"]}
    assert set(rows) == {"0", "1", "2", "broken"} and "cannot be decoded" in rows["broken"]["error"]
    assert all({"psnr", "l1"} <= set(rows[name]) for name in "012")
    assert ("class" in rows["0"]) == (kind != "plain")
    assert written["means"]["l1"] == pytest.approx(np.mean([rows[name]["l1"] for name in "012"]))
    with Image.open(out / "invert.png") as sheet:
        assert sheet.size == (12 * (2 * 9 + 1), 12 * (3 * 9 + 1))
    assert "<img" in (out / "report.html").read_text()
    with np.load(out / "codes.npz") as file:
        about = json.loads(file["about"].tobytes())
    assert about["names"] == ["0", "1", "2"] and about["space"] == ("w+" if kind == "styles" else "z")
    assert "broken: left out" in capsys.readouterr().err
    assert read_result(out)["means"] == written["means"]


def test_a_tuned_generator_is_a_model_whose_codes_lie_beside_it(models, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ["invert", str(pictures), "--model", str(models["conditional"]), "--label", "1", *QUICK]
    assert main([*arguments, "-o", str(tmp_path / "plain")]) == 0
    assert main([*arguments, "-o", str(out), "--tune", "20"]) == 0
    assert table(out)["means"]["l1"] < table(tmp_path / "plain")["means"]["l1"]
    model = EditedModel(MixConfig(model=str(out)))
    codes, labels, names = read_codes(out / "codes.npz", model.space)
    assert names == ["0", "1", "2"] and list(labels) == [1, 1, 1]
    pictures = np.stack([decode_picture(pictures / f"{name}.png", 8, 1, 10**6) for name in names])
    error = np.abs(model.space.images(codes, labels) - to_unit(pictures)).mean()
    assert error == pytest.approx(table(out)["means"]["l1"], abs=1e-4)


@pytest.mark.parametrize("kind", ["conditional", "styles"])
def test_classes_are_switched(models, pictures, tmp_path, kind):
    arguments = ["switch", str(pictures), "--model", str(models[kind]), *QUICK]
    assert main([*arguments, "-o", str(tmp_path / "all")]) == 0
    rows = [row for row in table(tmp_path / "all")["rows"] if "to" in row]
    assert len(rows) == 9 and {row["to"] for row in rows} == {"0", "1", "2"}
    assert all(row["change"] < 1e-5 for row in rows if row["to"] == row["class"])
    assert main([*arguments, "-o", str(tmp_path / "one"), "--to", "2", "--frames", "5"]) == 0
    with Image.open(tmp_path / "one" / "switch.gif") as animation:
        assert animation.n_frames >= 2


@pytest.mark.parametrize("kind", ["conditional", "plain", "styles"])
def test_pictures_are_mixed(models, pictures, tmp_path, kind):
    out = tmp_path / "out"
    both = [str(pictures / "0.png"), str(pictures / "1.png")]
    assert main(["mix", *both, "--model", str(models[kind]), "-o", str(out), "--frames", "4", *QUICK]) == 0
    rows = table(out)["rows"]
    assert [row["share of the second"] for row in rows] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert rows[0]["l1 to 0 (first)"] < 1e-5 and rows[-1]["l1 to 1 (second)"] < 1e-5
    assert (out / "mix.gif").is_file() and 0 < table(out)["means"]["smoothness"] <= 1
    assert ("Style mixing" in (out / "report.html").read_text()) == (kind == "styles")


@pytest.mark.parametrize("kind", ["conditional", "plain", "styles"])
def test_walks_are_closed(models, tmp_path, kind):
    out = tmp_path / "out"
    assert main(["walk", "--model", str(models[kind]), "-o", str(out), "--frames", "6", "--stations", "2"]) == 0
    assert len(table(out)["rows"]) == (1 if kind == "plain" else 3)
    with Image.open(out / "walk.gif") as animation:
        assert animation.n_frames == 6 and animation.size[1] == 8 * 12


def test_an_animation_may_be_mp4(models, tmp_path):
    out = tmp_path / "out"
    arguments = ["walk", "--model", str(models["plain"]), "--frames", "4", "--stations", "2", "--format", "mp4"]
    assert main([*arguments, "-o", str(out)]) == 0
    assert (out / "walk.mp4").read_bytes()[4:8] == b"ftyp"


def test_held_out_pictures_are_taken_where_none_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["invert", "--count", "2", "--steps", "0", "--restarts", "1", "--encoder_steps", "2"]) == 0
    rows = table(tmp_path / "runs" / "edit-invert" / "1")["rows"]
    assert [row["picture"] for row in rows] == ["held-out-1", "held-out-2"]
    assert {"l1 of nearest", "l1 of mean", "perceptual", "class agrees"} <= set(rows[0])
    encoders = [*(tmp_path / "own-cache").rglob("encoder-z-*.keras")]
    assert len(encoders) == 1
    made = encoders[0].stat().st_mtime_ns
    assert main(["mix", "--steps", "0", "--restarts", "1", "--encoder_steps", "2", "--frames", "2"]) == 0
    assert [path.stat().st_mtime_ns for path in (tmp_path / "own-cache").rglob("encoder-z-*.keras")] == [made]


def test_an_inversion_goes_on_where_it_was_stopped(models, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tfgantl.pipelines.edit.inversion.AT_A_TIME", 1)
    arguments = ["invert", str(pictures), "--model", str(models["conditional"]), *QUICK]
    assert main([*arguments, "-o", str(tmp_path / "whole")]) == 0
    call, begun = inversion.Inverter.__call__, []

    def interrupted(self, *given, **options):
        begun.append(1)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return call(self, *given, **options)

    monkeypatch.setattr(inversion.Inverter, "__call__", interrupted)
    out = tmp_path / "out"
    assert main([*arguments, "-o", str(out)]) == 7
    assert f"--resume {out}" in capsys.readouterr().err and not (out / "edit.json").exists()
    assert main(["invert", "--resume", str(out)]) == 0
    assert len(begun) == 3
    for name in ("codes", "labels", "losses"):
        with np.load(out / "codes.npz") as one, np.load(tmp_path / "whole" / "codes.npz") as other:
            np.testing.assert_allclose(one[name], other[name], atol=1e-6)
    assert table(out)["means"] == pytest.approx(table(tmp_path / "whole")["means"], abs=1e-4)


MISTAKES = {
    "no such verb": (["paint"], 2, "VERB must be one of invert, switch"),
    "no such class": (["switch", "{pictures}", "--model", "{conditional}", "--to", "7"], 2, "number from 0 to 2"),
    "no classes": (["switch", "{pictures}", "--model", "{plain}"], 2, "must have classes"),
    "label without classes": (
        ["invert", "{pictures}", "--model", "{plain}", "--label", "1"],
        2,
        "must have classes",
    ),
    "no such space": (["invert", "{pictures}", "--model", "{plain}", "--space", "w"], 2, "must be auto or one of z"),
    "no such picture": (["invert", "{pictures}/9.png", "--model", "{plain}"], 3, "9.png, which is not there"),
    "nothing to decode": (["invert", "{pictures}/broken.png", "--model", "{plain}"], 3, "one that can be decoded"),
    "no target": (["invert", "--model", "{plain}"], 3, "`pictures` must be given for a model that does not say"),
    "one picture to mix": (["mix", "{pictures}/0.png", "--model", "{plain}"], 2, "two pictures must be given, or none"),
    "a folder to mix": (["mix", "{pictures}", "{pictures}/0.png", "--model", "{plain}"], 2, "a folder"),
    "three starts": (["invert", "--restarts", "3"], 2, "`restarts` must be a power of 2"),
    "few frames": (["walk", "--frames", "3"], 2, "`frames` must be at least `stations`, 4. Received: 3"),
    "no model": (["walk", "--model", "{pictures}"], 4, "Received: "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_in_one_line(models, pictures, tmp_path, mistake, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, code, message = MISTAKES[mistake]
    places = {"pictures": pictures, **models}
    try:
        found = main([argument.format(**places) for argument in arguments])
    except SystemExit as ended:  # of the parser
        found = ended.code
    lines = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert found == code and len(lines) == 1 and message in lines[0]
    assert not [*tmp_path.rglob("edit.json")]


def test_codes_of_another_model_are_refused(models, pictures, tmp_path):
    from tfgantl.errors import ArtifactError

    out = tmp_path / "out"
    assert main(["invert", str(pictures), "--model", str(models["conditional"]), "-o", str(out), *QUICK]) == 0
    other = EditedModel(MixConfig(model=str(models["plain"])))
    with pytest.raises(ArtifactError, match="must hold codes of the model"):
        read_codes(out / "codes.npz", other.space)


def test_every_verb_is_there_and_has_help(capsys):
    assert main([]) == 0
    listed = capsys.readouterr().out
    for verb in VERBS:
        assert f"  {verb} " in listed
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0 and f"usage: tfgantl edit {verb}" in capsys.readouterr().out
