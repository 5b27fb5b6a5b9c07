"""Pixel ranges of networks from outside are measured, mapped and said, or refused."""

import keras
import numpy as np
import pytest
from keras import layers

from tfgantl.errors import ArtifactError
from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.pipelines.measurement import generate_with
from tfgantl.pretrained import load_generator
from tfgantl.pretrained.handles import load_model

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
        ("tanh", 0.5, 0.5, lambda x: 2 * x - 1, "pixels in [0, 1]"),
        ("tanh", 1.2, 0.0, lambda x: x, ""),
    ],
)  # fmt: skip
def test_what_generators_make_is_mapped(tmp_path, capsys, activation, scale, offset, expected, told):
    made = generator(tmp_path / "faces.keras", activation, scale, offset)
    np.testing.assert_allclose(load_generator(str(tmp_path / "faces.keras"))(LATENTS), expected(made), atol=1e-5)
    said = capsys.readouterr().err
    assert told in said and bool(said) == bool(told)


def test_other_ranges_are_refused(tmp_path):
    generator(tmp_path / "faces.keras", "tanh", 1000.0)
    with pytest.raises(
        ArtifactError, match=r"must make pixels in \[-1, 1\], \[0, 1\] or \[0, 255\]. Received: \[-1000"
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
