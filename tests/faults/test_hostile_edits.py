"""Runs of `tfgantl edit` that go on with another mask or pictures, with codes and directions that nothing has found."""

import json
import shutil
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import yaml
from conftest import TINY_MLP
from PIL import Image

from tfgantl.configuration import to_yaml
from tfgantl.data import Arrays, Folder, HandwrittenDigits, RenderedDigits
from tfgantl.editing.directions import Direction, Directions, Effect, read_directions
from tfgantl.editing.inversion import Inversion
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.picture_tables import read_column
from tfgantl.errors import ArtifactError, DataError, RunError
from tfgantl.pipelines.adapt import AdaptConfig
from tfgantl.pipelines.describe.opening import read_images
from tfgantl.pipelines.edit import main
from tfgantl.pipelines.edit.directions import strip
from tfgantl.pipelines.edit.fill import FillConfig
from tfgantl.pipelines.edit.inversion import found_before, read_codes, save_codes
from tfgantl.pipelines.edit.invert import InvertConfig
from tfgantl.pipelines.edit.inverted import baselines_of
from tfgantl.pipelines.edit.mix import MixConfig
from tfgantl.pipelines.edit.model import EditedModel, _target_of
from tfgantl.pipelines.edit.pictures import read_pictures
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


@pytest.mark.parametrize("source", [
    Folder("pictures", image_size=20_000, channels=3, max_bytes=10**15, max_pixels=10**12),
    RenderedDigits(image_size=20_000),
], ids=lambda source: type(source).__name__)  # fmt: skip
def test_the_recipe_of_a_model_does_not_say_how_much_memory_pictures_take(tmp_path, make_gan, source):
    """Whoever opened the run of somebody else decoded as many pixels as it said."""
    make_gan(TINY_MLP, num_classes=None).generator.save(tmp_path / "generator.keras")
    (tmp_path / "config.yaml").write_text(to_yaml(AdaptConfig(target=source)))
    found = EditedModel(InvertConfig(model=str(tmp_path))).target
    if isinstance(source, Folder):
        assert found == Folder("pictures", image_size=8, channels=1)
    else:
        assert found == RenderedDigits()


def test_pictures_of_a_folder_that_the_run_was_not_made_from_are_not_looked_at(tmp_path, make_gan):
    """Whoever edited with the run of somebody else had pictures of any folder that it named in report and encoder."""
    make_gan(TINY_MLP, num_classes=None).generator.save(tmp_path / "generator.keras")
    (tmp_path / "pictures").mkdir()
    for number in range(30):
        square(tmp_path / "pictures" / f"{number}.png", 4, 100 + number)
    source = Folder(str(tmp_path / "pictures"), max_bytes=100)  # on disk, where they have another fingerprint
    (tmp_path / "config.yaml").write_text(to_yaml(AdaptConfig(target=source)))
    facts = {f"{split} data": source.sized(8, 1).load(split).fingerprint for split in ("train", "test")}
    for known in (None, {"train data": "a" * 16}, facts):
        if known is not None:
            (tmp_path / "run.json").write_text(json.dumps(known))
        model = EditedModel(InvertConfig(model=str(tmp_path)))
        if known is facts:
            assert len(model.held_out(2)[0]) == 2 and baselines_of(model, np.zeros((1, 8, 8, 1), np.float32))
        else:
            with pytest.raises(DataError, match="those of the target are not what the model was made from"):
                model.held_out(2)
            assert baselines_of(model, np.zeros((1, 8, 8, 1), np.float32)) == {}


def test_what_is_white_is_decided_for_all_pictures_that_are_seen_together(tmp_path):
    """Each was brought to its own white, and a dark one was as bright as the others."""
    pixels = np.random.default_rng(0).integers(0, 4096, (3, 9, 9)).astype(np.uint16)
    pixels[1] //= 16
    (tmp_path / "pictures").mkdir()
    for i, one in enumerate(pixels):
        Image.fromarray(one).save(tmp_path / "pictures" / f"{i}.png")
    wanted = np.round(pixels * (255 / 4095)).astype(np.uint8)
    model = SimpleNamespace(space=SimpleNamespace(image_shape=(9, 9, 1)))
    found = read_pictures(FillConfig(pictures=str(tmp_path / "pictures")), model, 1)
    np.testing.assert_array_equal(found.images[..., 0], wanted)
    np.testing.assert_array_equal(read_images(tmp_path / "pictures", (9, 9, 1), "centre")[1][..., 0], wanted)
    for i in range(3, 24):
        shutil.copy(tmp_path / "pictures" / f"{i % 3}.png", tmp_path / "pictures" / f"{i}.png")
    rows = [f"pictures/{i}.png,{i}" for i in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["file,age", *rows]))
    images, _ = read_column(tmp_path / "t.csv", "age", (9, 9, 1))
    np.testing.assert_array_equal(images[:3, ..., 0], wanted)


ROWS = 2
CODES = {
    "codes that are no numbers": ({"codes": np.full((ROWS, 4), np.nan, "f4")}, "codes that are not finite"),
    "codes that are endless": ({"codes": np.full((ROWS, 4), np.inf, "f4")}, "codes that are not finite"),
    "codes that are absurd": ({"codes": np.full((ROWS, 4), 1e30, "f4")}, r"codes up to 1e\+30, above 1e\+06"),
    "whole codes": ({"codes": np.ones((ROWS, 4), np.int8)}, "2 codes in int8 of 2 pictures"),
    "losses of one": ({"losses": np.zeros(1)}, r"losses of \(1,\)"),
    "losses of a table": ({"losses": np.zeros((ROWS, 2))}, r"losses of \(2, 2\)"),
    "endless losses": ({"losses": np.full(ROWS, -np.inf)}, "losses that are not finite"),
    "no losses": ({"losses": None}, "losses"),
    "no labels": ({"labels": None}, "no labels for a model with 3 classes"),
    "labels below": ({"labels": np.full(ROWS, -1)}, "labels of .* not all below 3 classes"),
    "labels beyond": ({"labels": np.full(ROWS, 99)}, "labels of .* not all below 3 classes"),
    "labels between": ({"labels": np.full(ROWS, 1.5)}, "labels of .* in float32"),
    "other pictures": ({"names": ["c", "b"]}, "codes of c, b"),
    "more pictures": ({"names": ["a", "b", "c", "d"]}, "2 codes in float32 of 4 pictures"),
}


@pytest.mark.parametrize("fault", CODES)
def test_codes_that_a_run_goes_on_with_are_its_own_and_usable(tmp_path, fault):
    """NaN gave black pictures, a label of -1 the class `-1`, and other names the codes of other pictures."""
    changes, told = CODES[fault]
    space, names = space_of(), ["a", "b"]
    codes = np.ones((ROWS, 4), np.float32)
    with RunDirectory(tmp_path / "run") as run:
        save_codes(run, Inversion(codes, codes, np.array([0, 2]), np.array([0.1, np.nan])), space, names)
        path = run.path / "codes.npz"
        assert len(found_before(path, space, [*names, "c"], 1).losses) == ROWS
        arrays = dict(np.load(path))
        about = json.loads(arrays["about"].tobytes())
        about["names"] = changes.get("names", names)
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        arrays |= {**{name: value for name, value in changes.items() if name != "names"}, "about": text}
        np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
        with pytest.raises(ArtifactError, match=f"codes.npz: must hold .*Received: .*{told}") as error:
            found_before(path, space, [*names, "c"], 1)
    assert "\n" not in str(error.value)


def test_a_run_that_was_killed_behind_the_tuning_goes_on(tmp_path):
    """Its codes were for the tuned generator by then, and were refused as those of another model."""
    codes = np.ones((ROWS, 4), np.float32)
    inversion = Inversion(codes, codes, None, np.zeros(ROWS, np.float32))
    space, tuned = (LatentSpace(TINY_MLP.build(8, 1)[0], "z") for _ in range(2))
    with RunDirectory(tmp_path / "run") as run:
        save_codes(run, inversion, tuned, ["a", "b"], searched=space)
        path = run.path / "codes.npz"
        np.testing.assert_array_equal(found_before(path, space, ["a", "b"], 1).codes, codes)
        for wrong in (lambda: found_before(path, tuned, ["a", "b"], 1), lambda: read_codes(path, space)):
            with pytest.raises(ArtifactError, match="codes.npz: must hold codes of the model"):
                wrong()
        assert len(read_codes(path, tuned)[0]) == ROWS


def test_codes_are_those_of_whole_pictures_and_of_a_model_with_their_classes(tmp_path):
    codes = np.ones((ROWS, 4), np.float32)
    with RunDirectory(tmp_path / "run") as run:
        plain = space_of(None)
        save_codes(run, Inversion(codes, codes, np.array([0, 2]), np.zeros(ROWS)), plain, ["a", "b"])
        with pytest.raises(ArtifactError, match="Received: labels for a model with no classes"):
            found_before(run.path / "codes.npz", plain, ["a", "b"], 1)
        save_codes(run, Inversion(codes, codes, None, np.zeros(ROWS)), plain, ["a", "b"])
        with pytest.raises(ArtifactError, match="must hold the first codes of this run; delete it .*: codes of a, b"):
            found_before(run.path / "codes.npz", plain, ["a", "b", "c", "d", "e", "f"], 3)


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


RANGES = [(np.nan, 1.0), (-1.0, np.nan), (-1e30, 1e30), (1.0, -1.0), (-np.inf, 0.0)]


@pytest.mark.parametrize("low_and_high", [*RANGES, "twice"])
def test_directions_have_names_of_their_own_and_a_range(tmp_path, low_and_high):
    """Pictures that were moved over them were black, and of two directions of a name the last counted."""
    space = space_of()
    low, high = (-1.0, 1.0) if low_and_high == "twice" else low_and_high
    vector, effect = np.ones(space.shape, np.float32), Effect({}, {}, {}, 1.0, None, low, high)
    names = ("one", "one") if low_and_high == "twice" else ("one", "other")
    some = tuple(Direction(name, "pca", vector, vector, 1.0, effect) for name in names)
    Directions(space.generator_hash, space.name, some).save(tmp_path / "directions.npz")
    told = "the name one twice" if low_and_high == "twice" else "a natural range from "
    with pytest.raises(ArtifactError, match=f"must hold directions as .*Received: {told}"):
        read_directions(tmp_path / "directions.npz", space)


def test_nothing_is_moved_so_far_that_it_has_no_image():
    space = space_of()
    vector = np.full(space.shape, 3e38, np.float32)
    far = Direction("one", "pca", vector, vector, 1.0)
    codes, labels, strengths = np.ones((1, *space.shape), np.float32), np.zeros(1, np.int32), np.array([0.0, 2.0])
    with pytest.raises(DataError, match="codes must lead to finite images"):
        strip(space, far, codes, labels, strengths)


class Elsewhere(HandwrittenDigits):
    """A source of somebody else, in a module that may do anything when it is imported."""


TARGETS = {
    "a class of another module": {"class_path": f"{__name__}.Elsewhere"},
    "a module that runs": {"class_path": "antigravity.Source"},
    "another class of the package": {"class_path": "tfgantl.data.Tfds", "init_args": {"name": "mnist"}},
    "an address": {"class_path": "tfgantl.data.WebDataset", "init_args": {"path": "s3://bucket/x.tar"}},
    "no class": "HandwrittenDigits",
    "no options": {"class_path": "tfgantl.data.Folder", "init_args": "x"},
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_recipe_of_a_model_is_not_run(tmp_path, monkeypatch, target):
    """Whoever opened the run of somebody else imported what its recipe named, or read from where it said."""
    monkeypatch.setattr("tfgantl.pipelines.keywords.configure", lambda *args: pytest.fail("was configured"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"target": target}))
    assert _target_of(tmp_path / "config.yaml") is None and "antigravity" not in sys.modules


def test_the_target_of_a_run_is_known_if_it_is_here(tmp_path):
    for source in (HandwrittenDigits(shots=3), Folder(str(tmp_path), image_size=8), Arrays(str(tmp_path / "x.npz"))):
        (tmp_path / "config.yaml").write_text(to_yaml(AdaptConfig(target=source)))
        assert _target_of(tmp_path / "config.yaml") == source


@pytest.mark.parametrize("names", [None, ["T-shirt", *"123456789"], [*"0123456789"]])
def test_pictures_of_28_px_in_ten_classes_are_no_digits_by_that(tmp_path, names):
    """Clothes were compared with digits, and told apart by a classifier of these."""
    TINY_MLP.build(28, 1, 10)[0].save(tmp_path / "generator.keras")
    if names is not None:
        (tmp_path / "metrics.jsonl").write_text(json.dumps({"run": "result", "class_names": names}) + "\n")
    model = EditedModel(InvertConfig(model=str(tmp_path / "generator.keras")))
    if names == [*"0123456789"]:
        assert model.target == HandwrittenDigits() and model.classifier is not None
    else:
        assert model.classifier is None
        with pytest.raises(DataError, match="`pictures` must be given for a model that does not say"):
            model.held_out(2)
