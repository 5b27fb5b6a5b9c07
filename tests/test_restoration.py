"""Restoration with a generator as prior: holes, small, noisy and gray pictures."""

import json
import signal

import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY, tiny_images
from PIL import Image

from tfgantl.editing.blending import blended
from tfgantl.editing.holes import box_hole, known_weights, named_hole, read_mask
from tfgantl.editing.inversion import InversionSettings, Inverter
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.noise import PixelNoise, expected_surprise, noise_level, surprise
from tfgantl.editing.observations import Gray, Noisy, Reduced, WithHole
from tfgantl.editing.plain_restoration import denoised_by_patches, enlarged, filled_smoothly, filled_with_mean
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.editing.restoration import Restorer, ranked
from tfgantl.errors import ConfigError, DataError
from tfgantl.images import save_png, to_uint8, to_unit
from tfgantl.pipelines.edit import fill, restore, restored
from tfgantl.pipelines.edit.fill import FillConfig
from tfgantl.pipelines.edit.model import EditedModel

SHORT = ["--steps", "4", "--restarts", "4", "--answers", "2", "--weights", "none"]


def smooth(count=2, side=16, channels=1):
    """Slopes and waves, in [-0.8, 0.8]."""
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(3 * x * (i + 1) + c) * np.cos(2 * y - i) for i in range(count) for c in range(channels)]
    return 0.8 * np.stack(waves).reshape(count, channels, side, side).transpose(0, 2, 3, 1).astype(np.float32)


def space_of(make_gan, spec=TINY["DCGAN"], name="auto", **options):
    return LatentSpace(make_gan(spec, **options).generator, name)


def own_pictures(space, count=2):
    """Images of codes that are typical, so that nothing draws the search away from them."""
    labels = space.labels(count)
    u = 0.6 * space.whitened(space.sample(count, labels, seed=5)).astype(np.float32)
    return space.images(np.asarray(space.from_whitened(tf.constant(u))), labels), labels


# Holes


def test_holes_take_what_their_names_say():
    shape = (12, 8)
    holes = {name: named_hole(name, shape) for name in ("centre", "random", "half", "grid")}
    assert np.array_equal(np.argwhere(holes["centre"])[[0, -1]], [[3, 2], [8, 5]])
    assert holes["half"][:, 4:].all() and not holes["half"][:, :4].any()
    assert not holes["grid"][4:6, 4:6].any() and holes["grid"][6:8].all() and holes["grid"][:, 2:4].all()
    assert 0.6 < holes["random"].mean() < 0.95
    assert not np.array_equal(holes["random"], named_hole("random", shape, seed=1))


def test_boxes_are_x_and_y_first_and_reach_the_edge():
    hole = box_hole((6, 0, 2, 5), (12, 8))
    assert hole[:5, 6:].all() and hole.sum() == 10


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (7, 0, 2, 2), (0, 11, 1, 2), (0, 0, 0, 2), (0, 0, 8, 12)])
def test_boxes_outside_of_the_picture_are_refused(box):
    with pytest.raises(ConfigError, match="within 8 x 12 pixels.*Received"):
        box_hole(box, (12, 8))


def test_masks_of_another_size_are_resized_and_it_is_said(tmp_path, capsys):
    mask = np.zeros((24, 24, 1), np.uint8)
    mask[:12, :6] = 255
    save_png(tmp_path / "mask.png", mask)
    hole = read_mask(str(tmp_path / "mask.png"), (8, 8))
    assert np.array_equal(hole, box_hole((0, 0, 2, 4), (8, 8)))
    assert "resized from 24 x 24 to 8 x 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    "crop, box", [("centre", (0, 0, 2, 8)), ("none", (2, 0, 2, 8)), ("pad", (2, 2, 2, 3))]
)  # fmt: skip
def test_a_mask_over_a_picture_becomes_square_as_the_picture_does(tmp_path, crop, box):
    mask = np.zeros((24, 72, 1), np.uint8)
    mask[:, 24:30] = 255
    save_png(tmp_path / "mask.png", mask)
    exif = Image.Exif()
    exif[0x0112] = 6  # is turned when it is shown
    Image.new("RGB", (72, 216)).save(tmp_path / "photo.jpg", exif=exif)
    config = FillConfig(pictures=str(tmp_path / "photo.jpg"), mask=str(tmp_path / "mask.png"), crop=crop)
    assert np.array_equal(config.missing((8, 8)), box_hole(box, (8, 8)))


@pytest.mark.parametrize("sizes", [[(72, 24), (60, 24)], [(24, 72)], [], [(32, 24)]])
def test_masks_of_other_proportions_than_the_pictures_are_refused(tmp_path, sizes):
    save_png(tmp_path / "mask.png", (np.arange(72 * 24).reshape(24, 72, 1) % 256).astype(np.uint8))
    with pytest.raises(DataError, match="square, or have the proportions of the pictures.*72 x 24 pixels"):
        read_mask(str(tmp_path / "mask.png"), (8, 8), "centre", sizes)


@pytest.mark.parametrize("value, word", [(0, "known"), (255, "missing")])
def test_masks_that_are_empty_or_full_are_refused(tmp_path, value, word):
    save_png(tmp_path / "mask.png", np.full((8, 8, 1), value, np.uint8))
    with pytest.raises(DataError, match=f"all are {word}"):
        read_mask(str(tmp_path / "mask.png"), (8, 8))


def test_known_pixels_near_the_hole_count_more_and_missing_ones_nothing():
    hole = named_hole("centre", (32, 32))
    weights = known_weights(hole)[..., 0]
    assert not weights[hole].any() and weights.mean() == pytest.approx(1)
    assert weights[16, 7] > weights[16, 5] > weights[16, 0] == weights[0, 0] > 0


# Blending


@pytest.mark.parametrize("name", ["centre", "random", "half", "grid"])
def test_a_blend_keeps_known_pixels_and_has_no_seam(name):
    pictures = smooth()
    hole = named_hole(name, pictures.shape[1:3])
    darker = pictures - np.float32(0.15)  # right but for its level
    result = blended(darker, pictures, hole)
    assert np.array_equal(result[:, ~hole], pictures[:, ~hole])
    np.testing.assert_allclose(result, pictures, atol=1e-5)  # a paste is off by 0.15


def test_a_blend_has_the_gradients_of_the_image_in_the_hole():
    pictures, images = smooth(2, channels=3), smooth(2, channels=3)[::-1] * 0.3
    hole = named_hole("centre", pictures.shape[1:3])
    result = blended(images, pictures, hole)

    def seam(x):  # at the left edge of the hole, 4 and on
        return np.abs((x[:, 4:12, 4] - x[:, 4:12, 3]) - (images[:, 4:12, 4] - images[:, 4:12, 3])).mean()

    assert seam(result) < 0.5 * seam(np.where(hole[:, :, None], images, pictures))
    interior = (slice(None), slice(5, 11), slice(5, 11))

    def laplacian(x):
        return (4 * x - sum(np.roll(x, shift, axis) for shift in (-1, 1) for axis in (1, 2)))[interior]

    np.testing.assert_allclose(laplacian(result), laplacian(images), atol=1e-5)


# Observations


@pytest.mark.parametrize("factor", [2, 4])
def test_reduction_is_pillows_and_what_is_known_is_put_back(factor):
    pictures = smooth(1)
    small = np.asarray(Reduced(16, factor)(tf.constant(pictures)))
    side = 16 // factor
    wanted = Image.fromarray(pictures[0, ..., 0]).resize((side, side), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(small[0, ..., 0], np.asarray(wanted), atol=1e-5)
    completed = Reduced(16, factor).completed(np.zeros_like(pictures), small)
    np.testing.assert_allclose(np.asarray(Reduced(16, factor)(tf.constant(completed))), small, atol=1e-4)
    bicubic = Image.fromarray(small[0, ..., 0]).resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(enlarged(small, 16)[0, ..., 0], np.clip(bicubic, -1, 1), atol=1e-5)


def test_gray_is_pillows_and_answers_keep_it():
    pictures = tiny_images(2, channels=3)
    gray = np.asarray(Gray()(tf.constant(to_unit(pictures))))
    wanted = np.stack([np.asarray(Image.fromarray(x).convert("L")) for x in pictures])
    np.testing.assert_allclose((gray[..., 0] + 1) * 127.5, wanted, atol=1)
    completed = Gray().completed(to_unit(pictures[::-1]), gray)
    assert np.abs(completed).max() <= 1 + 1e-5 and completed.std(axis=-1).mean() > 0.05
    np.testing.assert_allclose(np.asarray(Gray()(tf.constant(completed))), gray, atol=1e-4)
    np.testing.assert_allclose(Gray().completed(to_unit(pictures), gray), to_unit(pictures), atol=1e-5)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("dark", [False, True])
def test_noise_is_estimated_also_where_it_is_clipped(level, dark):
    picture = smooth(1, side=48)[0]
    picture = np.maximum(picture * 1.8 - 1.1, -1) if dark else picture  # half of it is black
    assert noise_level(Noisy(level).damaged(picture[None], seed=3)[0]) == pytest.approx(level, rel=0.25)


@pytest.mark.parametrize("level", [0.1, 0.5])
def test_the_noise_explains_its_own_surprise_and_no_more(level):
    pictures = np.clip(smooth(2, side=96) * 2, -1, 1)
    noisy = Noisy(level).damaged(pictures)
    found, expected = surprise(tf.constant(pictures), noisy, level), expected_surprise(tf.constant(pictures), level)
    np.testing.assert_allclose(found, expected, atol=0.02)
    weights = np.full((2, 1, 1, 1), 1 / level, np.float32)
    images = tf.constant(pictures * 0.5), tf.constant(noisy)
    for some, moves in zip(images, (True, False), strict=True):  # what is fitted more closely gets no gradient
        with tf.GradientTape() as tape:
            tape.watch(some)
            loss = PixelNoise()(some, tf.constant(noisy), tf.constant(weights))
        assert (np.abs(tape.gradient(loss, some)).max() > 0) == moves == (float(loss[0]) > 0)


def test_the_surprise_of_black_pixels_is_that_of_all_values_beyond():
    """Where it is clipped, noise says nothing of how far it would have gone."""
    black = tf.fill((1, 2, 2, 1), -1.0)
    near, far = (float(surprise(tf.fill((1, 2, 2, 1), value), black, 0.5)[0]) for value in (-0.95, 0.5))
    assert near == pytest.approx(-np.log(0.4602), rel=1e-3) and far == pytest.approx(-np.log(0.00135), rel=1e-2)


# Baselines


def test_baselines_keep_what_is_known_and_improve_on_the_rest():
    pictures = smooth()
    hole = named_hole("centre", (16, 16))
    observed = WithHole(hole).damaged(pictures)
    errors = []
    for filled in (filled_with_mean(observed, hole), filled_smoothly(observed, hole)):
        np.testing.assert_allclose(filled[:, ~hole], pictures[:, ~hole], atol=1e-6)
        errors.append(np.abs(filled - pictures)[:, hole].mean())
    assert errors[1] < 0.5 * errors[0]
    noisy = Noisy(0.3).damaged(pictures)
    assert np.abs(denoised_by_patches(noisy, np.full(2, 0.3)) - pictures).mean() < 0.6 * np.abs(noisy - pictures).mean()


# Answers


def test_finalists_are_all_that_were_kept_and_the_best_of_them_is_the_inversion(make_gan):
    space = space_of(make_gan)
    pictures, _ = own_pictures(space)
    settings = InversionSettings(steps=6, restarts=8, kept=4)
    assert sum(steps for _, steps in settings.rounds) == 6 and [count for count, _ in settings.rounds] == [8, 4]
    inverter = Inverter(space, Reconstruction(None, "pixels"), settings)
    found, best = inverter.finalists(pictures), inverter(pictures)
    assert found.codes.shape == (2, 4, 4) and found.labels.shape == found.losses.shape == (2, 4)
    np.testing.assert_array_equal(best.losses, found.losses.min(axis=1))


def test_answers_are_ranked_and_what_is_almost_the_same_comes_last():
    images = np.array([0.0, 0.01, 0.9, 0.5, 0.7])[:, None] * np.ones((5, 6))
    assert list(ranked(np.array([0.2, 0.1, 0.4, 0.3, np.nan]), images)) == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("family", TINY)
def test_a_picture_of_the_generator_with_a_hole_comes_back(make_gan, family):
    space = space_of(make_gan, TINY[family])
    pictures, labels = own_pictures(space)
    observation = WithHole(named_hole("centre", (8, 8)))
    restorer = Restorer(space, observation, InversionSettings(steps=150, restarts=4), answers=2)
    answers = restorer(observation.damaged(pictures), labels)
    hole = observation.hole
    assert answers.images.shape == (2, 2, 8, 8, 1)
    np.testing.assert_array_equal(answers.images[:, 0][:, ~hole], pictures[:, ~hole])
    others = space.images(space.sample(2, labels, seed=9), labels)
    error = np.abs(answers.images[:, 0] - pictures)[:, hole].mean()
    assert error < 0.4 * np.abs(observation.completed(others, pictures) - pictures)[:, hole].mean()
    assert answers.spread.shape == (2,) and (answers.spread >= 0).all()


@pytest.mark.parametrize("observation", [Reduced(8, 2), Noisy(0.1), Noisy(), Gray()], ids=lambda x: type(x).__name__)
def test_answers_differ_and_agree_with_what_was_observed(make_gan, observation):
    space = space_of(make_gan, channels=3)
    pictures, labels = own_pictures(space)
    damage = Noisy(0.1) if isinstance(observation, Noisy) else observation
    observed = damage.damaged(pictures)
    long, short = (
        Restorer(space, observation, InversionSettings(steps=steps, restarts=4), answers=4)(observed, labels)
        for steps in (60, 0)
    )
    assert (long.spread > 0).all()
    if isinstance(observation, Noisy):  # below 0, the noise explains what is left, and nothing is fitted any more
        after, before = long.found.losses[:, 0], short.found.losses[:, 0]
        assert ((after < before) | (before < 0)).all() and (after > -0.1).all()
    else:  # answers are damaged to what was observed
        again = observation.damaged(long.images[:, 0])
        np.testing.assert_allclose(again, observed, atol=2e-3)


def test_there_are_no_more_answers_than_starts(make_gan):
    with pytest.raises(ConfigError, match="from 1 to `restarts`, 4. Received: 5"):
        Restorer(space_of(make_gan), Gray(), InversionSettings(restarts=4), answers=5)


# Verbs


@pytest.fixture
def model(tmp_path, make_gan):
    """The directory of a tiny model with classes."""

    def save(channels=1, **options):
        path = tmp_path / "model"
        path.mkdir()
        make_gan(channels=channels, **options).generator.save(path / "generator.keras")
        return str(path)

    return save


def picture_file(path, side=8, channels=1):
    save_png(path, tiny_images(1, side, channels)[0])
    return str(path)


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("missing", [["--hole", "grid"], ["--box", "1,2,3,4"], ["--mask", "mask.png"], []])
def test_fill_writes_answers_that_keep_what_is_known(model, tmp_path, monkeypatch, eagerly, missing):
    monkeypatch.chdir(tmp_path)
    save_png("mask.png", (box_hole((1, 2, 3, 4), (8, 8))[..., None] * 255).astype(np.uint8))
    picture = picture_file(tmp_path / "a.png")
    assert fill.main([picture, "--model", model(), "-o", "out", *missing, *SHORT]) == 0
    out = tmp_path / "out"
    hole = {"--hole": named_hole("grid", (8, 8)), None: named_hole("centre", (8, 8))}.get(
        missing[0] if missing else None, box_hole((1, 2, 3, 4), (8, 8))
    )
    for k in (1, 2):
        answer = pixels(out / "answers" / f"a-{k}.png")
        assert np.array_equal(answer[~hole], pixels(picture)[~hole])
    table = json.loads((out / "edit.json").read_text())
    assert table["verb"] == "fill" and {"picture", "classes", "loss", "spread"} <= set(table["rows"][0])
    assert {"fill.png", "report.html", "codes.npz"} <= {path.name for path in out.iterdir()}


@pytest.mark.parametrize(
    "options, channels, side",
    [
        (["--task", "superresolve", "--factor", "2"], 1, 4),
        (["--task", "denoise", "--noise", "0.2"], 1, 8),
        (["--task", "denoise"], 1, 8),
        (["--task", "decolorize"], 3, 8),
    ],
)
def test_restore_gives_images_of_the_size_of_the_model(model, tmp_path, eagerly, options, channels, side):
    picture = picture_file(tmp_path / "a.png", side)
    out = tmp_path / "out"
    assert restore.main([picture, "--model", model(channels), "-o", str(out), *options, *SHORT]) == 0
    assert pixels(out / "answers" / "a-2.png").shape == ((8, 8) if channels == 1 else (8, 8, 3))
    assert json.loads((out / "edit.json").read_text())["rows"][0]["spread"] >= 0


@pytest.mark.parametrize("verb, options", [(fill, []), (restore, ["--factor", "2"]), (restore, ["--task", "denoise"])])
def test_without_pictures_held_out_ones_are_damaged_and_compared(model, tmp_path, monkeypatch, eagerly, verb, options):
    originals = to_uint8(smooth(2, side=8))
    monkeypatch.setattr(EditedModel, "held_out", lambda self, count: (originals[:count], np.array([0, 1])))
    assert verb.main(["--model", model(), "-o", str(tmp_path / "out"), *options, *SHORT]) == 0
    table = json.loads((tmp_path / "out" / "edit.json").read_text())
    baseline = {"": "biharmonic", "2": "bicubic", "denoise": "non-local means"}[options[-1] if options else ""]
    for row in table["rows"]:
        assert row["l1 of the nearest answer"] <= row["l1"] and f"psnr of {baseline}" in row
    if verb is fill:  # what is measured is not what was searched with: the hole is hidden
        assert table["means"]["l1"] > 0.01


def test_a_folder_goes_on_without_what_cannot_be_read(model, tmp_path, eagerly):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture_file(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    assert fill.main([str(folder), "--model", model(), "-o", str(tmp_path / "out"), *SHORT]) == 0
    rows = json.loads((tmp_path / "out" / "edit.json").read_text())["rows"]
    assert [row["picture"] for row in rows] == ["a", "b"] and "decoded" in rows[1]["error"]


def test_an_interrupted_run_goes_on_with_the_answers_it_has(model, tmp_path, monkeypatch, eagerly):
    originals = tiny_images(3, 8)
    monkeypatch.setattr(EditedModel, "held_out", lambda self, count: (originals, np.array([0, 1, 2])))
    monkeypatch.setattr(restored, "AT_A_TIME", 1)
    arguments = ["--model", model(), *SHORT]
    assert fill.main([*arguments, "-o", str(tmp_path / "whole")]) == 0
    calls = []

    def counted(self, *given):
        calls.append(given)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return search(self, *given)

    search = Restorer.__call__
    monkeypatch.setattr(Restorer, "__call__", counted)
    out = tmp_path / "out"
    assert fill.main([*arguments, "-o", str(out)]) == 7 and not (out / "report.html").exists()
    assert fill.main(["--resume", str(out)]) == 0 and len(calls) == 3
    for k in range(3):
        name = f"answers/held-out-{k + 1}-2.png"
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def refused(capsys, verb, arguments):
    try:
        code = verb.main(arguments)
    except SystemExit as end:  # of the parser, which checks what needs no model
        code = end.code
    assert code > 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert "Received" in lines[-1] and not any("Traceback" in line for line in lines)
    return lines[-1]


@pytest.mark.parametrize(
    "verb, options, word",
    [
        (fill, ["--box", "1,2,30,4"], "`box`"),
        (fill, ["--box", "left"], "`box`"),
        (fill, ["--mask", "absent.png"], "`mask`"),
        (fill, ["--mask", "black.png"], "`mask`"),
        (fill, ["--hole", "grid", "--box", "1,2,3,4"], "hole"),
        (fill, ["--answers", "9", "--restarts", "8"], "`answers`"),
        (fill, ["--label", "12"], "class"),
        (restore, ["--task", "decolorize"], "3 channels"),
        (restore, ["--noise", "-1"], "`noise`"),
    ],
)
def test_bad_input_is_one_line(model, tmp_path, monkeypatch, capsys, verb, options, word):
    monkeypatch.chdir(tmp_path)
    save_png("black.png", np.zeros((8, 8, 1), np.uint8))
    line = refused(capsys, verb, [picture_file(tmp_path / "a.png"), "--model", model(), "-o", "out", *options])
    assert word in line and not (tmp_path / "out").exists()


def test_a_size_that_the_factor_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="`factor` must divide.*10.*Received: 4"):
        Reduced(10, 4)
