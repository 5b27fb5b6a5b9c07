"""Directions: found, made orthogonal, measured, kept, carried over, and followed by pictures."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import TINY, tiny_images
from keras import layers
from PIL import Image

from tfgantl.editing import closed_form, effects
from tfgantl.editing.attribute_directions import attribute_directions, samples_of, within_classes
from tfgantl.editing.attributes import Attribute
from tfgantl.editing.carrying_over import carries_over
from tfgantl.editing.closed_form import ganspace, sefa
from tfgantl.editing.directions import Direction, Directions, moved, read_directions
from tfgantl.editing.effects import held_out, monotone, with_effects
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.models import DCGAN
from tfgantl.pipelines.edit import find as find_verb
from tfgantl.pipelines.edit import move as move_verb
from tfgantl.pipelines.edit.directions import keep, kept_directions
from tfgantl.pretrained import load_network
from tfgantl.random_streams import Stream


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few samples."""
    monkeypatch.setattr(closed_form, "SAMPLES", 200)
    monkeypatch.setattr(effects, "UNEDITED", 60)
    monkeypatch.setattr(move_verb, "SAMPLES", 200)
    monkeypatch.setattr(move_verb, "HELD_OUT", 10)


def pixel(name, row, column):
    """An attribute that is linear in the pixels."""
    return Attribute(name, "", lambda images: images[:, row, column].mean(-1).astype(float))


class Blend(layers.Layer):
    """Images whose first pixels are what latents say: pixel i is 0.2 · the i-th product of latents and a matrix."""

    def __init__(self, matrix, **kwargs):
        super().__init__(**kwargs)
        self.matrix = np.asarray(matrix, np.float32)

    def call(self, x):
        return keras.ops.reshape(0.2 * keras.ops.matmul(x, self.matrix), (-1, 2, 2, 1))


def linear_space(matrix):
    noise = keras.Input((4,))
    return LatentSpace(
        keras.Model(noise, Blend(matrix)(layers.Dense(4, use_bias=False, kernel_initializer="identity")(noise)))
    )


MIXED = np.array([[1, 0.6, 0, 0], [0, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
PIXELS = [pixel("first", 0, 0), pixel("second", 0, 1)]


def spaces(spec):
    return ("z",) if spec is not TINY["StyleGAN2"] else ("z", "w", "w+")


EVERY = [(name, space, classes) for name, spec in TINY.items() for space in spaces(spec) for classes in (None, 3)]


def space_of(name, space, classes, seed=0):
    keras.utils.set_random_seed(seed)
    return LatentSpace(TINY[name].build(8, 1, classes)[0], space)


def test_orthogonal_directions_change_their_own_attribute_alone_and_plain_ones_both():
    space = linear_space(MIXED)
    found = attribute_directions(space, PIXELS, samples_of(space, 400))
    np.testing.assert_allclose(found["second"].plain, [0.6, 0.8, 0, 0], atol=0.02)
    np.testing.assert_allclose(found["second"].vector, [0, 1, 0, 0], atol=0.02)
    measured = with_effects(space, found, PIXELS, held_out(space, PIXELS, count=20))
    for name, other in (("first", "second"), ("second", "first")):
        effect = measured[name].effect
        assert abs(effect.relative[other]) < 0.05 * effect.relative[name]
        assert measured.side_effect(name, before=True) > 0.4 > 10 * measured.side_effect(name)
        assert effect.monotone > 0.99 and effect.class_stays is None
        assert effect.slopes[name] == pytest.approx(effect.relative[name] * 0.2 * 127.5, rel=0.2)


def test_an_attribute_that_cannot_be_changed_apart_is_left_out(capsys):
    space = linear_space(MIXED)
    twin = pixel("twin", 0, 0)
    found = attribute_directions(space, [PIXELS[0], twin, PIXELS[1]], samples_of(space, 400))
    assert [one.name for one in found] == ["first", "second"]
    assert "twin: left out" in capsys.readouterr().err


def test_two_valued_attributes_have_the_normal_of_a_classifier():
    space = linear_space(MIXED)
    has = Attribute("has", "", lambda images: images[:, 0, 1, 0] - 127.5, two_valued=True)
    found = attribute_directions(space, [has], samples_of(space, 1000))
    np.testing.assert_allclose(found["has"].vector, [0.6, 0.8, 0, 0], atol=0.05)
    with pytest.raises(DataError, match="`all` must be in some images of the model and not in all"):
        attribute_directions(space, [Attribute("all", "", lambda x: np.ones(len(x)), two_valued=True)])
    with pytest.raises(DataError, match="`same` must differ among images"):
        attribute_directions(space, [Attribute("same", "", lambda x: np.full(len(x), 3.0))])


def test_classes_do_not_take_part():
    labels = np.arange(30) % 3
    values = np.random.default_rng(0).normal(size=30) + 100 * labels
    inner = within_classes(values, labels)
    assert [round(inner[labels == label].mean(), 9) for label in range(3)] == [0, 0, 0] and inner.std() < 2


@pytest.mark.parametrize(("name", "where", "classes"), EVERY)
def test_every_family_has_directions_that_move_images_by_standard_deviations(name, where, classes, tmp_path):
    space = space_of(name, where, classes)
    attribute = Attribute("brightness", "", lambda images: images.mean((1, 2, 3)))
    found = attribute_directions(space, [attribute], samples_of(space, 300))
    found = found.joined(sefa(space, 2)).joined(ganspace(space, 2))
    assert [one.name for one in found] == ["brightness", "sefa-1", "sefa-2", "pca-1", "pca-2"]
    labels = space.labels(6)
    codes = space.sample(6, labels, 0, Stream.EFFECTS)
    for direction in found:
        layerwise = direction.vector.reshape(-1, space.shape[-1])
        np.testing.assert_allclose(np.linalg.norm(layerwise, axis=1), 1, rtol=1e-5)
        there = moved(space, codes, direction, 2.0)
        np.testing.assert_allclose(
            space.whitened(there) - space.whitened(codes), np.broadcast_to(2 * direction.vector, codes.shape), atol=5e-3
        )
        assert not np.array_equal(space.images(there, labels), space.images(codes, labels))
    path = tmp_path / "directions.npz"
    found.save(path)
    again = read_directions(path, space)
    assert [(one.name, one.kind, one.fit) for one in again] == [(one.name, one.kind, one.fit) for one in found]
    np.testing.assert_array_equal(again["pca-2"].vector, found["pca-2"].vector)


def test_the_brightest_direction_of_a_family_makes_images_brighter():
    space = space_of("DCGAN", "z", 3)
    attribute = Attribute("brightness", "", lambda images: images.mean((1, 2, 3)))
    found = attribute_directions(space, [attribute], samples_of(space, 600))
    effect = with_effects(space, found, [attribute], held_out(space, [attribute], count=60))["brightness"].effect
    assert effect.relative["brightness"] > 0.3 and effect.low <= 0 < effect.high


@pytest.mark.parametrize("kind", ["dense", "transposed", "conditional normalisation"])
def test_sefa_finds_what_the_first_weights_amplify(kind):
    """Latents enter by a known matrix, whose strongest direction is its first singular vector."""
    noise, labels = keras.Input((4,)), keras.Input((), dtype="int32")
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(4, 12)).astype(np.float32)
    joined = layers.Concatenate()([noise, layers.Embedding(3, 5)(labels)])
    if kind == "dense":
        layer, x = layers.Dense(12, "relu"), joined
        weights = [np.vstack([kernel, 50 * rng.normal(size=(5, 12))]), rng.normal(size=12)]
        x = layers.Reshape((2, 2, 3))(layer(x))
    elif kind == "transposed":
        layer, x = layers.Conv2DTranspose(3, 2, 2), layers.Reshape((1, 1, 4))(noise)
        x = layer(x)
        weights = [kernel.reshape(4, 2, 2, 3).transpose(1, 2, 3, 0), rng.normal(size=3)]
    else:
        layer, scale = layers.Dense(12), layers.Dense(12, kernel_initializer="zeros")
        x = layers.Reshape((2, 2, 3))(layers.Multiply()([layer(joined), scale(joined)]))
        weights = [np.vstack([kernel, 50 * rng.normal(size=(5, 12))]), rng.normal(size=12)]
    model = keras.Model([noise, labels], layers.Conv2D(1, 1, activation="tanh")(x))
    model.num_classes = 3
    layer.set_weights(weights)
    unit = kernel / np.linalg.norm(kernel, axis=0)
    strongest = np.linalg.svd(unit)[0][:, 0]
    found = sefa(LatentSpace(model), 4)
    np.testing.assert_allclose(abs(found["sefa-1"].vector @ strongest), 1, rtol=1e-4)
    assert found["sefa-1"].vector[np.abs(found["sefa-1"].vector).argmax()] > 0
    fits = [one.fit for one in found]
    assert fits == sorted(fits, reverse=True) and sum(fits) == pytest.approx(1)


def test_sefa_moves_the_layers_that_it_is_asked_for():
    space = space_of("StyleGAN2", "w+", None)
    vector = sefa(space, 1, range(1, 3))["sefa-1"].vector
    assert not vector[[0, 3]].any() and vector[1:3].any(axis=1).all()
    with pytest.raises(ConfigError, match="`layers` must be within 0-3. Received: 2-5"):
        sefa(space, 1, range(2, 6))
    with pytest.raises(ConfigError, match="`layers` must not be given in z"):
        sefa(space_of("DCGAN", "z", None), 1, range(2))
    with pytest.raises(ConfigError, match=r"`sefa` must be in \[1, 5\] for this model. Received: 6"):
        sefa(space, 6)


def test_sefa_says_where_weights_are_hidden_and_pca_looks_at_images():
    noise = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    space = LatentSpace(keras.Model(noise, layers.Reshape((2, 2, 1))(inner(noise)), name="hidden"))
    with pytest.raises(ConfigError, match="`pca` needs none. Received: none in hidden"):
        sefa(space, 1)
    assert len(ganspace(space, 2)) == 2


def test_pca_finds_the_component_that_varies_most():
    space = linear_space(np.diag([3.0, 1, 0.5, 0.2]))
    space.generator.layers[1].set_weights([np.diag([3.0, 1, 0.5, 0.2]).astype(np.float32)])
    found = ganspace(space, 2)
    np.testing.assert_allclose(found["pca-1"].vector, [1, 0, 0, 0], atol=0.15)
    assert found["pca-1"].fit > 0.8


def test_directions_of_another_model_or_space_are_refused_in_one_line(tmp_path):
    space = space_of("StyleGAN2", "w", None)
    path = tmp_path / "directions.npz"
    sefa(space, 1).save(path)
    for other in (space_of("StyleGAN2", "w", None, seed=1), space_of("StyleGAN2", "w+", None)):
        with pytest.raises(ArtifactError, match="must hold directions of the model") as error:
            read_directions(path, other)
        assert "\n" not in str(error.value) and space.generator_hash in str(error.value)


@pytest.mark.parametrize("fault", ["text", "shape", "nan", "missing", "fit", "name"])
def test_damaged_files_are_refused(tmp_path, fault):
    space = space_of("MLP", "z", None)
    path = tmp_path / "directions.npz"
    sefa(space, 1).save(path)
    arrays = dict(np.load(path))
    if fault == "text":
        arrays["about"] = arrays["about"][:-3]
    elif fault == "shape":
        arrays["vectors"] = arrays["vectors"][:, :-1]
    elif fault == "nan":
        arrays["plain"][0, 0] = np.nan
    elif fault in ("fit", "name"):  # as JSON that nobody else reads, and as a line of its own in a list
        about = json.loads(arrays["about"].tobytes())
        about["directions"][0][fault] = {"fit": float("inf"), "name": "a\nb"}[fault]
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    else:
        del arrays["vectors"]
    np.savez(path, **arrays)
    with pytest.raises(ArtifactError, match="must hold directions as `tfgantl edit find` writes them"):
        read_directions(path, space)


def test_names_are_known_and_others_take_the_place_of_those_of_the_same_name():
    one, two = (Direction("a", "pca", np.full(4, value), np.zeros(4), 0.5) for value in (1.0, 2.0))
    other = Direction("b", "pca", np.zeros(4), np.zeros(4), 0.5)
    joined = Directions("hash", "z", (one, other)).joined(Directions("hash", "z", (two,)))
    assert [(x.name, x.vector[0]) for x in joined] == [("b", 0.0), ("a", 2.0)]
    with pytest.raises(ConfigError, match="`direction` must be one of b, a. Received: c"):
        joined["c"]


def test_monotone_is_spearmans_correlation():
    rising = np.array([1.0, 2.0, 4.0, 9.0])
    assert monotone(np.stack([rising, -rising, rising**3], axis=1)) == pytest.approx(1 / 3)
    assert monotone(np.array([[1.0], [3.0], [2.0]])) == pytest.approx(0.5)
    assert monotone(np.ones((5, 2))) == 0


class Bright:
    """A classifier of two classes, by the first pixel."""

    predicts_labels = True

    def __call__(self, images):
        return images.reshape(len(images), -1).astype(float), (images[:, 0, 0].mean(-1) > 170).astype(int)


def test_the_natural_range_ends_where_images_are_far_or_classes_change():
    space = linear_space(MIXED)
    found = attribute_directions(space, PIXELS, samples_of(space, 400))
    one = found["first"]
    strong = replace(found, all=(replace(one, vector=4 * one.vector),))

    def effect_of(directions, classifier=None, **changes):
        samples = replace(held_out(space, PIXELS, count=80), **changes)
        return with_effects(space, directions, PIXELS, samples, classifier)["first"].effect

    free, far, of_class = effect_of(found), effect_of(found, bound=0.0), effect_of(found, Bright())
    assert free.low <= -1 and free.high >= 2 and free.class_stays is None
    assert (far.low, far.high, far.monotone) == (0, 0, 0)
    assert 0 < of_class.high < free.high and of_class.low == free.low and of_class.class_stays > 0.9
    assert 0 < effect_of(strong).high < 1  # which is natural for a part of a deviation


def test_the_range_of_a_direction_ends_where_its_attribute_no_longer_follows():
    space = linear_space(MIXED)
    bounded = Attribute("first", "", lambda images: np.minimum(PIXELS[0](images), 150.0))
    found = attribute_directions(space, PIXELS, samples_of(space, 400))
    ranges = {}
    for name, first in {"free": PIXELS[0], "bounded": bounded}.items():
        attributes = [first, *PIXELS[1:]]
        samples = held_out(space, attributes, count=40)
        ranges[name] = with_effects(space, found, attributes, samples)["first"].effect
    assert ranges["free"].high > 0 and ranges["bounded"].high < ranges["free"].high
    assert ranges["bounded"].low == ranges["free"].low


def test_edits_carry_over_to_the_same_generator_and_are_turned_by_one_that_does_the_opposite():
    space = linear_space(MIXED)
    found = attribute_directions(space, PIXELS, samples_of(space, 400))
    alike = carries_over(found, space, linear_space(MIXED), PIXELS, count=40)
    assert alike.effects == pytest.approx(1) and alike.images == pytest.approx(1)
    assert alike.same == {"first": pytest.approx(1), "second": pytest.approx(1)}
    turned = carries_over(found, space, linear_space(-MIXED), PIXELS, count=40)
    assert turned.effects < -0.99 and turned.same["first"] < -0.99
    with pytest.raises(ConfigError, match="`to` must be a model with the num_classes None, as this .* Received: 3"):
        carries_over(found, space, space_of("MLP", "z", 3), PIXELS)


@pytest.fixture
def model(tmp_path):
    """A run of a tiny conditional DCGAN, with nothing beside it."""
    keras.utils.set_random_seed(0)
    (tmp_path / "run").mkdir()
    TINY["DCGAN"].build(8, 1, 3)[0].save(tmp_path / "run" / "generator.keras")
    return str(tmp_path / "run")


def run_find(model, path, *more):
    return find_verb.main(["--model", model, "-o", str(path), "--samples", "200", "--count", "10", *more])


SHORT = ["--steps", "2", "--restarts", "1", "--encoder_steps", "0", "--weights", "none"]


def test_directions_are_found_listed_and_followed_by_pictures(model, tmp_path, capsys):
    assert run_find(model, tmp_path / "found", "--attributes", "slant", "--sefa", "1", "--to", model) == 0
    table = json.loads((tmp_path / "found" / "edit.json").read_text())
    assert [row["direction"] for row in table["rows"]] == ["slant", "sefa-1"]
    assert table["means"][f"found here, applied to {model}: mean effects"] == pytest.approx(1)
    assert {"find.png", "directions.npz", "report.html"} <= {path.name for path in (tmp_path / "found").iterdir()}
    capsys.readouterr()
    assert move_verb.main(["--model", model, "--list"]) == 0
    assert [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()] == ["slant", "sefa-1"]
    Image.fromarray(tiny_images(1)[0, ..., 0]).save(tmp_path / "one.png")
    arguments = [str(tmp_path / "one.png"), "--model", model, "--direction", "sefa-1", "--by", "-2"]
    assert move_verb.main([*arguments, "-o", str(tmp_path / "moved"), *SHORT]) == 0
    rows = json.loads((tmp_path / "moved" / "edit.json").read_text())["rows"]
    assert [(row["picture"], row["direction"], row["strength"]) for row in rows] == [("one", "sefa-1", -2.0)]
    with Image.open(tmp_path / "moved" / "one.gif") as animation:
        assert animation.n_frames > 10
    assert move_verb.main([*arguments[:-3], "thickness", "-o", str(tmp_path / "none"), *SHORT]) == 2
    assert "`direction` must be one of slant, sefa-1. Received: thickness" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--attributes", "warmth"], "must be of thickness, slant, size, brightness, sharpness, subject_size for"),
        (["--attributes", "slant,slant"], "`attributes` must name each attribute once"),
        (["--layers", "0-2"], "`layers` must be given with `sefa`"),
        (["--sefa", "1", "--layers", "two"], "`layers` must be two numbers such as 0-3. Received: two"),
        (["--sefa", "0"], "`sefa` must be at least 1, or none. Received: 0"),
    ],
)
def test_mistakes_are_one_line(model, tmp_path, capsys, options, message):
    try:
        code = run_find(model, tmp_path / "found", *options)
    except SystemExit as end:
        code = end.code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2 and message in error and not (tmp_path / "found").exists()


def test_directions_that_are_found_at_one_time_are_all_kept(tmp_path, monkeypatch, capsys):
    """What was kept between the reading and the writing of another process was lost."""
    space = LatentSpace(TINY["MLP"].build(8, 1)[0])
    model = SimpleNamespace(space=space, directory=tmp_path, make_directory=lambda: tmp_path)
    read = kept_directions.__globals__["read_directions"]
    monkeypatch.setitem(kept_directions.__globals__, "read_directions", lambda *of: (read(*of), time.sleep(0.05))[0])

    def found(name):
        one = Direction(name, "pca", np.ones(space.shape, "f4"), np.ones(space.shape, "f4"), 1.0)
        keep(model, Directions(space.generator_hash, space.name, (one,)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(found, "abcdef"))
    assert sorted(one.name for one in kept_directions(model)) == list("abcdef")
    (tmp_path / "directions.npz").write_bytes(b"damaged")
    found("g")
    assert [one.name for one in kept_directions(model)] == [
        "g"
    ] and "replaced, and kept in the runs" in capsys.readouterr().err


def test_moving_finds_directions_where_none_are_kept(model, tmp_path, capsys):
    assert move_verb.main(["--model", model, "--list"]) == 0
    assert "no directions are kept" in capsys.readouterr().out
    Image.fromarray(tiny_images(1)[0, ..., 0]).save(tmp_path / "one.png")
    arguments = [str(tmp_path / "one.png"), "--model", model, "-o", str(tmp_path / "moved"), *SHORT]
    assert move_verb.main(arguments) == 0
    assert move_verb.main(["--model", model, "--list"]) == 0
    assert "(attribute): fit" in capsys.readouterr().out


@pytest.mark.parametrize("found", ["before", "in the run"])
def test_a_run_goes_on_along_the_directions_that_it_began_with(model, tmp_path, found):
    """It went along those that somebody had found since, and its pictures were others than without the interruption."""
    if found == "before":
        assert run_find(model, tmp_path / "found", "--attributes", "slant") == 0
    Image.fromarray(tiny_images(1)[0, ..., 0]).save(tmp_path / "one.png")
    run = tmp_path / "moved"
    assert move_verb.main([str(tmp_path / "one.png"), "--model", model, "-o", str(run), "--by", "2", *SHORT]) == 0
    made = [(run / name).read_bytes() for name in ("edit.json", "move.png", "one.gif")]
    (run / "report.html").unlink()
    (kept,) = tmp_path.rglob("editing/**/directions.npz")
    directions = read_directions(kept, LatentSpace(load_network(Path(model) / "generator.keras")))
    others = tuple(replace(one, vector=-one.vector) for one in directions)
    replace(directions, all=others).save(kept)
    assert move_verb.main(["--resume", str(run)]) == 0
    assert [(run / name).read_bytes() for name in ("edit.json", "move.png", "one.gif")] == made


@pytest.mark.parametrize("other", ["slope", "negative"])
def test_a_generator_of_equal_weights_and_other_layers_is_another(tmp_path, other):
    one, steep = (DCGAN(4, (8, 6, 4), (1, 2, 2), negative_slope=slope).build(8, 1)[0] for slope in (0.1, 0.9))
    steep.set_weights(one.get_weights())
    latents = keras.Input((4,))
    others = {"slope": steep, "negative": keras.Model(latents, keras.ops.negative(one(latents)))}
    space, another = LatentSpace(one), LatentSpace(others[other])
    assert space.generator_hash == another.generator_hash
    sefa(space, 1).save(tmp_path / "directions.npz")
    assert read_directions(tmp_path / "directions.npz", space)
    with pytest.raises(ArtifactError, match="Received: those of [0-9a-f]+ in z, which draws otherwise"):
        read_directions(tmp_path / "directions.npz", another)
