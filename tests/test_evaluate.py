"""Several generators, and folders of pictures that anything has generated, on one target."""

import json

import numpy as np
import pytest
from conftest import small_job, tiny_images
from PIL import Image

from tfgantl.cli import parse
from tfgantl.data import Folder
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.metrics.gaussians import FeatureGaussian
from tfgantl.pipelines.evaluate import DEFAULTS, EvaluateConfig, main
from tfgantl.pipelines.evaluate.results import EvaluateResult
from tfgantl.pipelines.evaluate.subjects import Subject, _image_size, generated, is_folder
from tfgantl.training.class_names import class_names_behind


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A pair, a folder of noise, and one of copies of the target."""
    path = tmp_path_factory.mktemp("evaluate")
    options = small_job(path)
    real = np.load(path / "target.npz")["x"]
    for name, images in (("noise", 255 - real // 4), ("copies", real)):
        (path / name).mkdir()
        for i, image in enumerate(images[:40]):
            Image.fromarray(image[..., 0]).save(path / name / f"{i:03}.png")
    target = options[options.index("--target") : options.index("--batch_size")]
    return path, [*target, "--extractor", str(path / "extractor"), "--classifier_steps", "2", "--samples", "60"]


def evaluated(capsys, *options):
    assert main([*options, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_generator_and_folders_are_compared_in_pairs_with_a_report(workplace, capsys):
    path, options = workplace
    models = [str(path / name) for name in ("copies", "noise", "source")]
    options = [*options, *(part for model in models for part in ("--model", model))]
    result = evaluated(capsys, *options, "--out_dir", str(path / "out"))
    assert list(result["compared"]) == ["copies", "noise", "source"] and result["model"] == models[0]
    assert result["compared"]["copies"]["cfid"] < result["compared"]["noise"]["cfid"]
    assert result["compared"]["copies"]["gan_test"] is None and result["compared"]["source"]["gan_test"] is not None
    pairs = [(one["first"], one["second"], one["outcome"]) for one in result["comparisons"]]
    assert pairs[0] == ("copies", "noise", "positive") and len(pairs) == 3
    assert result["comparisons"][0]["images"] == 40
    page = (path / "out" / "report.html").read_text()
    assert "copies is nearer to the target than noise" in page and page.count("data:image/png;base64,") == 5
    assert {file.name for file in (path / "out").iterdir()} == {
        "report.html", "metrics.json", "images.png", "curves.png"
    }  # fmt: skip
    with pytest.raises(SystemExit) as error:
        main([*options, "--out_dir", str(path / "out")])
    assert error.value.code == 2 and "`out_dir` must not exist" in capsys.readouterr().err


def test_one_model_is_what_it_was(workplace, capsys):
    path, options = workplace
    assert main([*options, "--model", str(path / "source")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ckid   ") and "60 generated, 27 test images" in lines[0]


def test_statistics_take_the_place_of_test_images(workplace, capsys):
    path, options = workplace
    options = [*options, "--model", str(path / "copies")]
    first = evaluated(capsys, *options, "--save_statistics", str(path / "target-statistics.npz"))
    again = evaluated(capsys, *options, "--statistics", str(path / "target-statistics.npz"))
    assert again["metrics"]["cfid"] == pytest.approx(first["metrics"]["cfid"], rel=1e-5)
    assert "statistics of 27 images" in again["protocol"]["cfid"]
    np.savez(path / "bare.npz", mu=np.zeros(3), sigma=np.eye(3))
    assert main([*options, "--statistics", str(path / "bare.npz")]) == 4
    assert "as many features as the extractor gives" in capsys.readouterr().err


def test_statistics_replace_nothing_else(tmp_path, capsys):
    """The data set that was measured was gone."""
    images = tiny_images(60)
    np.savez(tmp_path / "mine.npz", images=images)
    before = (tmp_path / "mine.npz").read_bytes()
    target = ["--target", "Arrays", "--target.path", str(tmp_path / "mine.npz"), "--model", str(tmp_path)]
    assert main([*target, "--save_statistics", str(tmp_path / "mine.npz")]) == 4
    assert "must be saved to a new file, or one of statistics" in capsys.readouterr().err
    assert (tmp_path / "mine.npz").read_bytes() == before
    gaussian = FeatureGaussian.of(np.random.default_rng(0).normal(size=(9, 3)), "x")
    for _ in range(2):  # its own
        gaussian.save(tmp_path / "own.npz")


def test_models_are_a_list_on_the_command_line_in_recipes_and_in_python(tmp_path):
    def read(*arguments):
        return parse(EvaluateConfig, "evaluate", DEFAULTS, [*arguments]).models

    assert read() == ["rendered-digits"] and read("--model", "a") == ["a"] and read("--model=a") == ["a"]
    assert read("--model", "a", "--samples", "20", "--model=b") == ["a", "b"]
    (tmp_path / "recipe.yaml").write_text("model: [a, b]\n")
    assert read("--config", str(tmp_path / "recipe.yaml")) == ["a", "b"]
    assert EvaluateConfig(model=["a", "b"]).models == ["a", "b"]
    with pytest.raises(ConfigError, match="`model` must name one or more models, each once"):
        EvaluateConfig(model=["a", "a"])


def test_a_folder_alone_says_the_size_of_the_target(tmp_path, capsys, short_extractor):
    for folder in ("real", "made"):
        (tmp_path / folder).mkdir()
        for i, image in enumerate(tiny_images(40, 12, 3, seed=len(folder) + 2 * (folder == "made"))):
            Image.fromarray(image).save(tmp_path / folder / f"{i}.png")
    options = ["--target", "Folder", "--target.path", str(tmp_path / "real"), "--samples", "40"]
    Image.fromarray(tiny_images(1, 20, 3)[0]).save(tmp_path / "made" / "1.png")
    assert main(["--model", str(tmp_path / "made"), *options, "--json"]) == 0
    out, told = capsys.readouterr()
    result = json.loads(out.splitlines()[-1])
    assert "made: 1 of the first 20 pictures are resized to 12 x 12, the size of the target; one is 20 x 20" in told
    assert np.isfinite(result["metrics"]["ckid"]) and "40 generated" in result["protocol"]["ckid"]
    for file in sorted((tmp_path / "made").iterdir())[9:]:
        file.unlink()
    assert main(["--model", str(tmp_path / "made"), *options]) == 3
    assert "at least 10 generated pictures. Received: 9" in capsys.readouterr().err


@pytest.mark.parametrize("crop", ["centre", "pad", "none"])
def test_generated_pictures_become_square_as_those_of_the_target(tmp_path, crop):
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (12, 8, 24, 3), dtype=np.uint8)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    real = Folder(str(tmp_path), 8, 3, crop=crop).read().images
    found, _ = generated(Subject("made", str(tmp_path), None), real, None, 12, 0, crop)
    assert sorted(map(bytes, found)) == sorted(map(bytes, real))


def test_one_gray_picture_makes_no_gray_folder(tmp_path):
    images = tiny_images(3, 12, 3)
    images[0] = images[0][..., :1]
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    assert _image_size([Subject("made", str(tmp_path), None)]) == (12, 3)
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").unlink()
    assert _image_size([Subject("made", str(tmp_path), None)]) == (12, 1)


def test_names_that_end_alike_are_told_apart_in_the_table():
    numbers = {"ckid": 0.5}
    result = EvaluateResult(
        model="a/pictures_of_it", metrics=numbers, diversity={}, protocol={"ckid": "how"},
        privacy={"level": "low", "reason": "x"}, compared={"a/pictures_of_it": numbers, "b/pictures_of_it": {}},
        generator=None,
    )  # fmt: skip
    head, row = result.text().splitlines()[:2]
    assert head.split() == ["a/pictures_of_it", "b/pictures_of_it"] and row.split() == ["ckid", "0.5000", "–", "how"]
    assert head.index("b/") + len("b/pictures_of_it") == row.index("–") + 1


def test_statistics_are_those_that_pytorch_fid_writes(tmp_path):
    features = np.random.default_rng(0).normal(size=(50, 6))
    np.savez_compressed(tmp_path / "theirs.npz", mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    read, own = FeatureGaussian.load(tmp_path / "theirs.npz"), FeatureGaussian.of(features)
    assert abs(read.distance(own)) < 1e-9 and read.images is None
    FeatureGaussian.of(features, "conv@1").save(tmp_path / "new" / "ours")
    kept = FeatureGaussian.load(tmp_path / "new" / "ours")
    assert (kept.images, kept.extractor, read.extractor) == (50, "conv@1", None)
    kept.check_of("conv@1", "ours")
    read.check_of("conv@1", "theirs")
    with pytest.raises(ArtifactError, match="ours: must hold statistics of features by conv@2. Received: .* conv@1"):
        kept.check_of("conv@2", "ours")
    with np.load(tmp_path / "new" / "ours") as ours:
        np.testing.assert_allclose(ours["sigma"], np.cov(features, rowvar=False))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu": np.zeros(2)}, "must hold mu and sigma"),
        ({"mu": np.zeros(2), "sigma": np.eye(3)}, "Received: shapes"),
        ({"mu": np.zeros(2), "sigma": np.array([[1.0, 2.0], [0.0, 1.0]])}, "symmetric"),
        ({"mu": np.zeros(2), "sigma": -np.eye(2)}, "negative eigenvalues"),
        ({"mu": np.full(2, np.nan), "sigma": np.eye(2)}, "finite"),
        ({"mu": np.full(2, 1e200), "sigma": np.eye(2)}, "must have finite squares"),
        ({"mu": np.zeros(2), "sigma": 1e308 * np.eye(2)}, "must have finite squares"),
        (
            {"mu": np.zeros(2), "sigma": np.eye(2), "images": np.nan},
            "`images` must be a number from 1 on. Received: nan",
        ),
        ({"mu": np.zeros(2), "sigma": np.eye(2), "images": -3}, "`images` must be a number from 1 on. Received: -3"),
    ],
)
def test_statistics_that_are_none_are_refused_in_one_line(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(Exception, match=message) as error:
        FeatureGaussian.load(tmp_path / "bad.npz")
    assert "bad.npz" in str(error.value) and "\n" not in str(error.value)


def test_a_folder_of_the_name_of_a_preset_is_not_the_preset(tmp_path, monkeypatch):
    """Pictures that `generate --out_dir rendered-digits` had left were measured in place of the model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rendered-digits").mkdir()
    Image.fromarray(tiny_images(1, 12, 3)[0]).save("rendered-digits/0.png")
    (tmp_path / "rendered-digits" / "metrics.jsonl").write_text('{"run": "result", "class_names": ["a"]}\n')
    assert not is_folder("rendered-digits") and is_folder("./rendered-digits")
    assert class_names_behind("rendered-digits") == [str(digit) for digit in range(10)]


def test_a_folder_is_gray_if_no_picture_has_colours(tmp_path):
    for i, image in enumerate(tiny_images(60, 12, 3)):
        Image.fromarray(np.repeat(image[..., :1], 3, -1) if i < 25 else image).save(tmp_path / f"{i:02}.png")
    assert _image_size([Subject("made", str(tmp_path), None)]) == (12, 3)
