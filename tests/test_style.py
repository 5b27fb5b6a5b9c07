"""Style transfer: losses by their definitions, every kind of painting from the command line, and what is refused."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import interrupted_at
from PIL import Image

from tfgantl.data.depth import depth_of
from tfgantl.errors import ConfigError
from tfgantl.images import to_unit
from tfgantl.models.vgg import vgg16
from tfgantl.pipelines import stylize
from tfgantl.pipelines.stylize import preparation
from tfgantl.pipelines.stylize.arguments import named
from tfgantl.style import memory_budget
from tfgantl.style.color import match_colors, with_colors_of
from tfgantl.style.losses import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram, style_loss
from tfgantl.style.objective import Objective, Weights
from tfgantl.style.pictures import find_frames, split_shares


def picture(seed=0, height=36, width=48):
    """Smooth colours: what a photograph is like, for a network."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (3 + seed + i) + columns / (5 + i)) for i in range(3)]
    return ((np.stack(waves, -1) + 1) * 127).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    """A content, two styles, and a mask of the left half."""
    found = {}
    for seed, name in enumerate(("content", "style", "other")):
        found[name] = tmp_path / f"{name}.png"
        Image.fromarray(picture(seed)).save(found[name])
    found["mask"] = tmp_path / "mask.png"
    half = np.zeros((36, 48), np.uint8)
    half[:, :24] = 255
    Image.fromarray(half).save(found["mask"])
    return found


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random weights of VGG16 in a file."""
    keras.utils.set_random_seed(0)
    network = vgg16((CONTENT_LAYER, *STYLE_LAYERS), None)
    path = tmp_path_factory.mktemp("vgg") / "random.npz"
    np.savez(path, **{w.path: w.numpy() for w in network.weights})
    return path


@pytest.fixture
def paint(files, weights, tmp_path, capsys):
    """Runs the command line with small settings; gives the result and the picture."""

    def run(*arguments, steps=3):
        options = ["--steps", str(steps), "--weights", str(weights), "--precision", "float32", "--json"]
        words = list(map(str, arguments))
        code = stylize.main([*words, *options, *([] if "--size" in words else ["--size", "32"])])
        told = capsys.readouterr()
        if code:
            return code, told.err.splitlines()[-1]
        result = json.loads(told.out.splitlines()[-1])
        output = Path(result["output"])
        return result, np.asarray(Image.open(output)) if output.is_file() else None

    return run


def test_gram_matrices_and_their_gradient_are_those_of_the_definition():
    features = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f"))
    expected = np.einsum("bhwc,bhwd->bcd", features, features) / 12
    np.testing.assert_allclose(gram(features), expected, rtol=1e-5)
    target = gram(features[:1] * 0.5)

    def plain(x):
        flat = tf.reshape(x, (2, 12, 5))
        return tf.reduce_mean(tf.square(tf.matmul(flat, flat, transpose_a=True) / 12 - target), axis=(1, 2))

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        ours, theirs = style_loss(features, target), plain(features)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(ours, features), tape.gradient(theirs, features), rtol=1e-4, atol=1e-6)


def objective(file, **options):
    content, style = (to_unit(picture(seed, 32, 32))[None] for seed in (0, 3))
    network = vgg16((CONTENT_LAYER, *STYLE_LAYERS), file)
    settings = {"start": content, "content": content, "styles": [style], "shares": [1.0], "weights": Weights(1, 2)}
    return content, style, Objective(network, **{**settings, **options})


def test_terms_are_1_at_the_beginning_and_0_at_their_targets(weights):
    content, style, both = objective(weights)
    begun, reached = both(tf.constant(content)), both(tf.constant(style))
    assert float(begun["content"]) == 0 and float(begun["style"]) == pytest.approx(1, rel=1e-4)
    assert float(reached["style"]) == pytest.approx(0, abs=1e-6) and float(reached["content"]) > 0.3
    assert float(begun["total"]) == pytest.approx(2, rel=1e-4)


def test_each_region_tells_its_own_weights(weights):
    half = np.tile(np.arange(32) < 16, (32, 1)).astype("f")
    regions = objective(weights, styles=[to_unit(picture(n, 32, 32))[None] for n in (3, 4)], shares=[0.5, 0.5],
                        masks=[half, 1 - half])[2]  # fmt: skip
    expected = 2 * 0.5 / (5 * float(regions.regions[1].scales[2]))
    assert regions.effective["style 3, region 2"] == pytest.approx(expected, rel=1e-5)


def test_plain_losses_times_the_effective_weights_are_the_total(weights):
    content, style, both = objective(weights)
    between = (content + style) / 2
    (features, *maps), (wanted, *_), (_, *aims) = (both.network(tf.constant(x)) for x in (between, content, style))
    plain = {"content": content_loss(features, wanted)[0]}
    plain |= {f"style {i}": style_loss(*pair)[0] for i, pair in enumerate(zip(maps, map(gram, aims), strict=True), 1)}
    total = sum(float(value) * both.effective[name] for name, value in plain.items())
    assert float(both(tf.constant(between))["total"]) == pytest.approx(total, rel=1e-3)


def test_strength_0_asks_for_nothing_but_the_content(weights):
    content, _, weak = objective(weights, strength=0.0)
    assert float(weak(tf.constant(content))["total"]) == pytest.approx(0, abs=1e-6)


def test_mixed_styles_are_met_by_the_mean_of_their_gram_matrices(weights):
    content, style, _ = objective(weights)
    _, _, mixed = objective(weights, styles=[style, content], shares=[0.25, 0.75])
    _, _, plain = objective(weights, styles=[style], strength=0.25)
    np.testing.assert_allclose(mixed.regions[0].targets[2], plain.regions[0].targets[2], rtol=1e-4)


def test_a_region_asks_nothing_of_what_lies_outside(weights):
    left = np.zeros((32, 32), np.float32)
    left[:, :8] = 1
    content, style, masked = objective(weights, masks=[left], weights=Weights(0, 1))
    image = tf.Variable(content)
    with tf.GradientTape() as tape:
        loss = masked(image)["style"]
    gradient = np.abs(tape.gradient(loss, image).numpy()).sum((0, 1, 3))
    # Layers of this depth see up to 90 pixels, of which the nearest count most.
    assert gradient[:8].mean() > 3 * gradient[20:].mean()


def test_frames_that_stand_still_are_held(weights):
    content = to_unit(picture(0, 32, 32))[None]
    _, _, held = objective(weights, weights=Weights(1, 1, 0, 5), before=(content * 0.5, content))
    _, _, moved = objective(weights, weights=Weights(1, 1, 0, 5), before=(content * 0.5, -content))
    assert float(held(tf.constant(content))["smooth"]) > 10 * float(moved(tf.constant(content))["smooth"])


def test_colors():
    content, style = (to_unit(picture(seed)) for seed in (0, 4))
    kept = with_colors_of(style * 0.3, content * 0.3)
    gray = [0.299, 0.587, 0.114]
    np.testing.assert_allclose(kept @ gray, style * 0.3 @ gray, atol=2e-3)
    matched = match_colors(style * 0.3, content * 0.3).reshape(-1, 3)
    flat = (content * 0.3).reshape(-1, 3)
    np.testing.assert_allclose(matched.mean(0), flat.mean(0), atol=1e-3)
    np.testing.assert_allclose(np.cov(matched.T), np.cov(flat.T), atol=2e-3)
    assert np.isfinite(match_colors(np.full((4, 4, 3), 0.5, np.float32), content)).all()


def test_shares_and_names():
    assert split_shares("a.jpg:3,b.jpg") == (["a.jpg", "b.jpg"], [0.75, 0.25])
    assert split_shares("c:/x.png")[0] == ["c:/x.png"]
    for wrong in ("a:0", "a:0,b:0", "a:-1,b:2", "a:nan"):
        with pytest.raises(ConfigError, match="`styles` must have weights of at least 0, one of them above 0"):
            split_shares(wrong)
    assert named(["a", "b:2", "c", "-o", "d.png", "--size", "9"], "content") == [
        "--content", "a", "--styles", "b:2,c", "--output", "d.png", "--size", "9",
    ]  # fmt: skip
    assert named(["--steps", "3"], "content") == ["--steps", "3"]


def test_the_default_paints_lowers_the_style_loss_and_says_how(paint, files, tmp_path):
    words = files["content"], files["style"]
    result, image = paint(*words, "-o", tmp_path / "out.png", "--run_dir", tmp_path / "r", steps=20)
    assert {"output", "size", "steps", "content_loss", "style_loss", "seconds_per_step"} <= set(result)
    assert image.shape == (24, 32, 3) and result["style_loss"] < 0.9
    assert set(result["effective_weights"]) == {"content", *(f"style {i}" for i in range(1, 6)), "tv"}
    records = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if r["run"] == "content"] == [10, 20]
    assert (tmp_path / "r" / "report.html").is_file() and (tmp_path / "r" / "steps" / "000020.png").is_file()
    again, same = paint(*words, "--run_dir", tmp_path / "r2", steps=20)
    assert again["style_loss"] == result["style_loss"]
    np.testing.assert_array_equal(image, same)


KINDS = {
    "texture": (["none", "{style}"], (24, 32, 3)),
    "reconstruction": (["{content}", "none"], (24, 32, 3)),
    "lbfgs": (["{content}", "{style}", "--optimizer", "lbfgs"], (24, 32, 3)),
    "mixed, from noise, average": (
        ["{content}", "{style}:0.7,{other}:0.3", "--init", "noise", "--downsampling", "average"], (24, 32, 3),
    ),
    "from a picture, colours of it": (
        ["{content}", "{style}", "--init", "{other}", "--preserve_color", "cov"], (24, 32, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_painting(kind, paint, files, tmp_path):
    arguments, shape = KINDS[kind]
    filled = [a.format(**files) for a in arguments]
    result, image = paint(*filled, "--run_dir", tmp_path / "r", steps=4)
    assert image.shape == shape and image.std() > 1
    assert (result["content_loss"] is None) == (kind == "texture")
    assert (result["style_loss"] is None) == (kind == "reconstruction")


def test_masks_leave_the_rest_and_brightness_is_painted_alone(paint, files, tmp_path):
    content = np.asarray(Image.open(files["content"]).resize((32, 24), Image.Resampling.LANCZOS)).astype(int)
    masked = ["--masks", files["mask"], "--learning_rate", "0.3", "--preserve_color", "lum"]
    _, image = paint(files["content"], files["style"], *masked, "--run_dir", tmp_path / "r")
    assert np.abs(image[:, 18:] - content[:, 18:]).max() <= 2
    changed = image[:, :14] - content[:, :14]
    assert np.abs(changed).mean() > 5


def test_a_folder_of_frames_is_painted_frame_by_frame(paint, files, tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(3):
        Image.fromarray(picture()).save(tmp_path / "frames" / f"{number:03}.png")
    options = ["--smooth", "50", "--init", "noise", "--run_dir", tmp_path / "r"]
    result, _ = paint(tmp_path / "frames", files["style"], "-o", tmp_path / "out", *options)
    frames = [np.asarray(Image.open(tmp_path / "out" / f"00{n}.png")).astype(int) for n in range(3)]
    assert result["pictures"] == 3 and not (tmp_path / "r" / "steps").exists()
    # Nothing moves, so the third hardly differs from the second, though noise does from what was painted over it.
    assert np.abs(frames[2] - frames[1]).mean() < 0.5 * np.abs(frames[1] - 127).mean()


def test_an_interrupted_run_saves_its_image_and_goes_on_exactly(paint, files, tmp_path, monkeypatch):
    command = [files["content"], files["style"], "--sizes", "[24,32]", "--save_every", "7"]
    monkeypatch.setattr(stylize, "MIN_SIZE", 24)
    _, whole = paint(*command, "--run_dir", tmp_path / "whole", steps=40)
    with interrupted_at(30):
        found = paint(*command, "--run_dir", tmp_path / "cut", "-o", tmp_path / "out.png", steps=40)
    goes_on = f"everything is saved, `--resume {tmp_path}/cut` goes on"
    assert found == (7, f"tfgantl stylize: error: SIGINT at step 30; {goes_on}")
    left = np.asarray(Image.open(tmp_path / "out.png"))
    assert left.shape == whole.shape and (left != whole).any()
    assert stylize.main(["--resume", str(tmp_path / "cut")]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), whole)


BAD = {
    "no such content": (["nowhere.jpg"], 3, "`content` must be a picture, or one of astronaut, .*nowhere.jpg"),
    "no such style": (["{content}", "nowhere.jpg"], 3, "`styles` must be a picture"),
    "broken": (["{broken}"], 3, "`content` must be a usable picture. .*broken.jpg, which cannot be decoded"),
    "all weights 0": (["{content}", "{style}:0,{other}:0"], 2, "`styles` must have weights of at least 0, one of them"),
    "mask of another size": (["{content}", "{style}", "--masks", "{small}"], 3, "48 x 36 pixels. Received: 9 x 9"),
    "too few masks": (["{content}", "{style},{other}", "--masks", "{mask}"], 2, "each of the 2 styles. Received: 1"),
    "too narrow": (["{narrow}", "{style}"], 2, "must be at least 320, as VGG16 takes 16 pixels a side"),
    "too narrow style": (["{content}", "{style},{narrow}"], 2, r"400 x 20 pixels. Received: [0-9]+ for .*narrow.png"),
    "no weights": (["{content}", "{style}", "--weights", "nowhere.h5"], 4, "offline, get vgg16_weights.* nowhere.h5"),
    "unknown suffix": (["{content}", "{style}", "-o", "x.psd"], 2, "`output` must end in .png, .jpg"),
    "no directory": (["{content}", "{style}", "-o", "nowhere/x.png"], 5, "`output` must be a place in a directory"),
    "nothing": (["none", "none"], 2, "`content` must be there"),
    "start from nothing": (["none", "{style}", "--init", "content"], 2, "`init` must be noise or a picture"),
    "sizes": (["{content}", "{style}", "--sizes", "[64,48]"], 2, "`sizes` must rise from 32 or more to `size`"),
    "module": (["{content}", "{style}", "--hub", "nowhere"], 4, "`hub` must be a SavedModel, or the address of one"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_painted_is_told_in_one_line(kind, paint, files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files["broken"] = tmp_path / "broken.jpg"
    files["broken"].write_bytes(b"\xff\xd8\xffnothing")
    for name, shape in (("small", (9, 9)), ("narrow", (20, 400))):
        files[name] = tmp_path / f"{name}.png"
        Image.fromarray(np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)).save(files[name])
    arguments, code, message = BAD[kind]
    options = [a.format(**files) for a in arguments]
    if kind == "no weights":
        assert stylize.main([*options, "--size", "32", "--steps", "1"]) == code
        told = capsys.readouterr().err.splitlines()[-1]
    else:
        try:
            found, told = paint(*options, steps=2)
        except SystemExit as error:
            found, told = error.code, capsys.readouterr().err.splitlines()[-1]
        assert found == code, told
    assert re.search(message, told), told
    assert not (tmp_path / "runs").exists()


def test_sizes_that_do_not_fit_are_refused_with_the_largest_that_does(paint, files, monkeypatch):
    monkeypatch.setattr(memory_budget, "free_bytes", lambda: memory_budget.BASE + 100 * 75 * 2700)
    memory_budget.check_memory((75, 100), memory_budget.bytes_per_pixel("float32"))
    with pytest.raises(ConfigError, match="100 does. Received: 200, which takes"):
        memory_budget.check_memory((150, 200), memory_budget.bytes_per_pixel("float32"))
    assert memory_budget.bytes_per_pixel("float32", True, 2) > memory_budget.bytes_per_pixel("float32")
    code, told = paint(files["content"], files["style"], "--size", "9000")
    assert code == 2 and "`size` must fit in" in told


@pytest.mark.parametrize(("precision", "size", "expected"), [
    ("auto", 511, "mixed_bfloat16"), ("auto", 512, "float32"), ("mixed_bfloat16", 512, "mixed_bfloat16"),
])  # fmt: skip
def test_large_pictures_are_optimised_in_float32(monkeypatch, precision, size, expected):
    monkeypatch.setattr(preparation, "dtype_policy", lambda asked: "mixed_bfloat16")
    assert preparation.style_policy(precision, size) == expected


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    names = ["007", "8", "a1b2", "frame1", "frame2", "frame10", "x"]
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    found = [path.stem for path in find_frames(str(tmp_path))]
    assert found == names


def test_frames_of_more_than_8_bits_have_one_white(tmp_path, monkeypatch):
    """Each had its own: a fade to black flickered."""
    levels = (4095, 2000, 1000, 240)
    for number, level in enumerate(levels):
        pixels = np.random.default_rng(0).integers(0, level + 1, (24, 24)).astype(np.uint16)
        pixels[0, 0] = level
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    contents = find_frames(str(tmp_path))
    job = preparation.Job(contents, [], [], None, "content", "float32", {}, None, depth_of(contents, 64_000_000))
    brightest = [int(job.read(path).max()) for path in contents]
    np.testing.assert_allclose(brightest, [255 * level / 4095 for level in levels], atol=1)
