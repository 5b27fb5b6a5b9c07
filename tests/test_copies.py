"""Copies of networks compute what the networks compute, also where layers keep constants beside their weights."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tfgantl
from tfgantl.gan import GAN
from tfgantl.models.classifier_pixels import in_our_range
from tfgantl.models.copies import assign_weights, float32_copy, fresh_copy
from tfgantl.models.presets import load_half, save_half
from tfgantl.pretrained.copying import copy_weights
from tfgantl.recognition.auxiliary_networks import frozen_copy

PACKAGE = Path(tfgantl.__file__).parent
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1)).astype(np.float32)


def adapted(pixels):
    """An inner network that normalises by the statistics of pixels, adapted to them."""
    normalization = layers.Normalization(axis=-1)
    normalization.adapt(pixels)
    inner = keras.Sequential([keras.Input((8, 8, 1)), normalization, layers.Conv2D(4, 3)])
    return keras.Sequential([keras.Input((8, 8, 1)), inner, layers.Flatten(), layers.Dense(3)])


def assigned(network):
    copy = fresh_copy(network)
    assign_weights(copy, network.get_weights())
    return copy


def transferred(network):
    copy = fresh_copy(network)
    copy_weights(network, copy)
    return copy


@pytest.mark.parametrize("copy", [float32_copy, frozen_copy, assigned, transferred])
def test_copies_normalise_by_the_statistics_that_were_adapted(copy):
    network = adapted(PIXELS)
    np.testing.assert_allclose(copy(network)(PIXELS), network(PIXELS), atol=1e-5)


def test_a_classifier_behind_a_mapping_keeps_its_statistics():
    network = adapted(PIXELS)
    np.testing.assert_allclose(
        in_our_range(network, "it", pixels="0..255")(PIXELS / 127.5 - 1.0), network(PIXELS), atol=1e-3
    )


def test_the_averaged_generator_starts_as_the_generator():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).uniform(5, 9, (50, 4)))
    generator = keras.Sequential(
        [keras.Input((4,)), normalization, layers.Dense(64, "tanh"), layers.Reshape((8, 8, 1))]
    )
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1)])
    latents = np.random.default_rng(1).standard_normal((5, 4), np.float32)
    np.testing.assert_allclose(GAN(generator, discriminator).generate(latents), generator(latents), atol=1e-5)


def test_weights_of_networks_are_assigned_in_one_place():
    bare = [
        f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "models/copies.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "set_weights"
        and ast.unparse(node.func.value) != "layer"
    ]  # fmt: skip
    assert bare == [], "tfgantl.models.copies.assign_weights is for networks"


def test_normalisation_of_a_preset_computes_with_its_own_numbers(tmp_path):
    """It computes with what is made of its weights, and these were assigned one by one."""
    pixels = keras.Input((4, 4, 1))
    normalised = keras.layers.Normalization(axis=None)
    normalised.adapt(np.random.default_rng(0).normal(3, 5, (40, 4, 4, 1)))
    network = keras.Model(pixels, keras.layers.Flatten()(normalised(pixels)), name="discriminator")
    save_half({"discriminator": network}, tmp_path / "preset", {})
    ((loaded,), _) = load_half(tmp_path / "preset", ["discriminator"])
    x = np.random.default_rng(1).normal(size=(3, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(loaded(x), network(x), atol=1e-2)
