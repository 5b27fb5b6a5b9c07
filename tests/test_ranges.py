"""Pixel ranges of networks from outside are measured, mapped and said, or refused."""

import keras
import numpy as np
import pytest
from keras import layers

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.models.presets import save_preset
from tfgantl.models.structure import structure_of
from tfgantl.pipelines.measurement import generate_with
from tfgantl.pretrained import load_generator, open_source
from tfgantl.pretrained.handles import load_model
from tfgantl.pretrained.ranges import is_unit_range

LATENTS = np.random.default_rng(1).standard_normal((5, 4), np.float32)


def generator(path, activation, scale=1.0, offset=0.0):
    keras.utils.set_random_seed(0)
    wide = keras.initializers.RandomNormal(0, 1)
    network = keras.Sequential([
        keras.Input((4,)), layers.Dense(48, activation, kernel_initializer=wide), layers.Reshape((4, 4, 3)),
        *([layers.Rescaling(scale, offset)] if scale != 1.0 else []),
    ])  # fmt: skip
    network.save(path)
    return network(LATENTS).numpy()


@pytest.mark.parametrize(
    ("activation", "scale", "offset", "expected", "told"),
    [
        ("tanh", 1.0, 0.0, lambda x: x, ""), ("sigmoid", 1.0, 0.0, lambda x: 2 * x - 1, "pixels in [0, 1]"),
        ("sigmoid", 255.0, 0.0, lambda x: x / 127.5 - 1, "pixels in [0, 255]"),
        ("tanh", 150.0, 125.0, lambda x: x / 127.5 - 1, "pixels in [0, 255]"),
        ("tanh", 0.5, 0.5, lambda x: 2 * x - 1, "pixels in [0, 1]"),
        ("tanh", 1.2, 0.0, lambda x: x, ""),
        ("tanh", 0.58, 0.48, lambda x: 2 * x - 1, "pixels in [0, 1]"),  # as what ends in no activation
        ("sigmoid", 1.6, 0.0, lambda x: 2 * x - 1, "pixels in [0, 1]"), ("tanh", 0.05, 0.0, lambda x: x, ""),
    ],
)  # fmt: skip
def test_what_generators_make_is_mapped(tmp_path, capsys, activation, scale, offset, expected, told):
    made = generator(tmp_path / "faces.keras", activation, scale, offset)
    np.testing.assert_allclose(load_generator(str(tmp_path / "faces.keras"))(LATENTS), expected(made), atol=1e-5)
    said = capsys.readouterr().err
    assert told in said and bool(said) == bool(told)


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_a_discriminator_sees_what_its_generator_made(tmp_path, capsys, scale):
    """It saw [-1, 1] in place of the pixels that it was trained on, without a word."""
    generator(tmp_path / "generator.keras", "sigmoid", scale)
    made = keras.models.load_model(tmp_path / "generator.keras")
    judge = keras.Sequential([
        keras.Input((4, 4, 3)), layers.Conv2D(4, 3, 2, padding="same"), layers.LeakyReLU(),
        layers.Conv2D(4, 3, padding="same"), layers.LeakyReLU(), layers.Flatten(), layers.Dense(1),
    ])  # fmt: skip
    judge.save(tmp_path / "discriminator.keras")
    gan, _ = open_source(str(tmp_path), None, (), 0)
    np.testing.assert_allclose(gan.discriminator(gan.generator(LATENTS)), judge(made(LATENTS)), rtol=1e-4, atol=1e-4)
    assert "the discriminator sees pixels as its generator made them" in capsys.readouterr().err
    assert len(structure_of(gan.discriminator).blocks) == len(structure_of(judge).blocks) == 2


@pytest.mark.parametrize(("activation", "scale", "received"), [("tanh", 1000.0, "-1000"), ("relu", 1.0, r"0, \d+")])
def test_other_ranges_are_refused(tmp_path, activation, scale, received):
    """Of 0 to 10, for one, which would be black if it was taken for [0, 255]."""
    generator(tmp_path / "faces.keras", activation, scale)
    with pytest.raises(
        ArtifactError, match=rf"must make pixels in \[-1, 1\], \[0, 1\] or \[0, 255\]. Received: \[{received}"
    ):
        load_generator(str(tmp_path / "faces.keras"))


@pytest.mark.parametrize("scale", [(1 / 255, 0.0), (1 / 127.5, -1.0), None])
@pytest.mark.parametrize("functional", [True, False])
def test_classifiers_that_rescale_get_what_they_take(tmp_path, scale, functional):
    keras.utils.set_random_seed(0)
    parts = [layers.Rescaling(*scale)] if scale else []
    parts += [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    network = keras.Sequential([keras.Input((8, 8, 1)), *parts])
    if functional:
        network = keras.Model(network.inputs[0], network.outputs[0])
    network.save(tmp_path / "classifier.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.float32)
    unit = pixels / 127.5 - 1
    expected = keras.ops.softmax(network(pixels if scale else unit))
    endpoints = classifier_signatures(load_model(str(tmp_path / "classifier.keras")))
    np.testing.assert_allclose(endpoints["serving_default"](unit)["probabilities"], expected, atol=1e-5)
    assert "features" in endpoints


def test_pixels_that_are_not_finite_are_not_measured_as_black():
    latents = keras.Input((4,))
    beyond = layers.Rescaling(1e38)(layers.Rescaling(1e38)(layers.Dense(16)(latents)))
    images = layers.Activation("tanh")(layers.Reshape((4, 4, 1))(layers.Subtract()([beyond, beyond])))
    with pytest.raises(ArtifactError, match="a generator must make finite pixels. Received: NaN or infinity"):
        generate_with(keras.Model(latents, images), None, 8, seed=0)


def classifier(kind):
    """Of 8 × 8 gray pixels, with what one puts ahead of the first convolution."""
    x = images = keras.Input((8, 8, 1))
    if kind == "augmented":  # as in the tutorial of TensorFlow
        x = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])(x)
        x = layers.Rescaling(1 / 255)(layers.RandomZoom(0.1)(layers.RandomContrast(0.1)(x)))
    elif kind == "normalised":
        x = layers.Normalization(mean=[127.0], variance=[70.0**2])(layers.Identity()(x))
    elif kind == "operations":
        x = x / 255.0
    elif kind == "operations to [-1, 1]":
        x = x / 127.5 - 1.0
    elif kind == "mean taken off":
        x = keras.ops.stack([x[..., 0]] * 3, axis=-1) - np.array([103.9, 116.8, 123.7], np.float32)
    elif kind == "backbone":  # which rescales by itself, in a network of its own
        inner = keras.Input((8, 8, 1))
        y = layers.Normalization(mean=[0.449], variance=[0.226**2])(layers.Rescaling(1 / 255)(inner))
        x = keras.Model(inner, layers.Conv2D(4, 3)(y), name="backbone")(layers.RandomFlip()(x))
    elif kind == "nested sequential":
        ahead = keras.Sequential([keras.Input((8, 8, 1)), layers.RandomFlip(), layers.Rescaling(1 / 255)])
        x = keras.Sequential([keras.Input((8, 8, 1)), ahead, layers.Conv2D(4, 3)])(x)
    elif kind == "from [0, 1]":
        x = layers.Rescaling(2.0, -1.0)(x)
    elif kind == "statistics of [0, 1]":
        x = layers.Normalization(mean=[0.1307], variance=[0.3081**2])(x)
    elif kind == "from [-1, 1]":
        x = layers.Rescaling(127.5, 127.5)(x)
    elif kind == "two ways":  # of which one is for bytes
        x = layers.Concatenate()([layers.Conv2D(2, 3)(x), layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(x))])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    return keras.Model(images, layers.Dense(3)(x))


TAKEN = {
    **dict.fromkeys(
        ("augmented", "normalised", "operations", "operations to [-1, 1]", "mean taken off", "backbone",
         "nested sequential"), "[0, 255]",
    ),
    "from [0, 1]": "[0, 1]", "statistics of [0, 1]": "[0, 1]", "from [-1, 1]": "[-1, 1]",
    "bare": None, "two ways": None,
}  # fmt: skip
FROM_UNIT = {"[0, 255]": (127.5, 127.5), "[0, 1]": (0.5, 0.5), "[-1, 1]": (1.0, 0.0)}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_classifiers_take_is_read_from_what_they_do_first(tmp_path, capsys, kind):
    keras.utils.set_random_seed(0)
    network = classifier(kind)
    network.save(tmp_path / "classifier.keras")
    unit = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
    loaded = load_model(str(tmp_path / "classifier.keras"))
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and (f"takes pixels in {TAKEN[kind]}" if TAKEN[kind] else "cannot be told") in said
    assert loaded.pixels == TAKEN[kind] or (TAKEN[kind] is None and loaded.pixels == "[-1, 1]")
    scale, offset = FROM_UNIT[loaded.pixels]
    expected = keras.ops.softmax(network(unit * scale + offset, training=False))
    endpoints = classifier_signatures(loaded)
    np.testing.assert_allclose(endpoints["serving_default"](unit)["probabilities"], expected, atol=1e-4)
    assert "features" in endpoints


@pytest.mark.parametrize(("pixels", "taken"), [("0..255", "[0, 255]"), ("0..1", "[0, 1]"), ("-1..1", "[-1, 1]")])
def test_who_knows_what_a_classifier_takes_can_say_so(tmp_path, capsys, pixels, taken):
    network = classifier("two ways")
    network.save(tmp_path / "classifier.keras")
    loaded = load_model(str(tmp_path / "classifier.keras"), pixels=pixels)
    assert loaded.pixels == taken and not capsys.readouterr().err
    unit = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
    scale, offset = FROM_UNIT[taken]
    np.testing.assert_allclose(loaded(unit), network(unit * scale + offset), atol=1e-3)
    with pytest.raises(ConfigError, match="`pixels` must only be given for a classifier of a .keras file"):
        load_model("rendered-digits", pixels=pixels)


def test_what_generators_of_presets_make_is_mapped_too(tmp_path, capsys):
    made = generator(tmp_path / "faces.keras", "tanh", 127.5, 127.5)
    faces = keras.models.load_model(tmp_path / "faces.keras")
    pixels = keras.Input((4, 4, 3))
    judge = keras.Model(pixels, layers.Dense(1)(layers.Flatten()(pixels)), name="discriminator")
    save_preset(tmp_path / "preset", keras.Model(faces.inputs, faces.outputs, name="generator"), judge, {})
    for load in (load_generator, lambda handle: open_source(handle)[0].generator):
        np.testing.assert_allclose(load(str(tmp_path / "preset"))(LATENTS), made / 127.5 - 1, atol=2e-2)
    assert "pixels in [0, 255]" in capsys.readouterr().err


@pytest.mark.parametrize(("low", "high", "unit"), [
    (0, 1, True), (0, 1.13, True), (-0.015, 1.0, True), (-0.107, 1.069, True), (0, 1.64, True), (-1, 1, False),
    (-0.9, 0.4, False), (-0.05, 0.05, False), (0, 255, False), (-0.5, 1.0, False),
])  # fmt: skip
def test_what_goes_a_little_beyond_0_to_1_is_of_that_range(low, high, unit):
    """It was taken for [0, 255], and came out black, or for [-1, 1], and came out pale."""
    assert is_unit_range(low, high) == unit
