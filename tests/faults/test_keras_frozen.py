"""Networks whose files say that they are frozen: those of plain Keras keep it, and averaged generators are."""

import keras
import numpy as np
import pytest
from conftest import QUICK, adapted_gan
from keras import layers

from tfgantl import transfer as methods
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.editing.tuning import tuned_around
from tfgantl.gan import GAN
from tfgantl.models.copies import fresh_copy, thawed
from tfgantl.pipelines.saving import save_networks
from tfgantl.pretrained import open_source
from tfgantl.training.run_directory import RunDirectory


def plain_pair():
    """A pair without a class of this package."""
    noise, images = keras.Input((4,)), keras.Input((8, 8, 1))
    x = layers.Reshape((8, 8, 1))(layers.Dense(64, activation="tanh")(noise))
    generator = keras.Model(noise, layers.Conv2D(1, 3, padding="same", activation="tanh")(x), name="functional")
    logits = layers.Dense(1)(layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(images)))
    return GAN(generator, keras.Model(images, logits, name="functional"), seed=0)


@pytest.fixture
def source(tmp_path):
    """What a run leaves, opened again; then all of it is frozen."""
    with RunDirectory(tmp_path / "run") as run:
        save_networks(plain_pair(), run)
    gan, _ = open_source(str(tmp_path / "run"), None, (), 0)
    assert all(layer.trainable for layer in (*gan.generator.layers, *gan.discriminator.layers))
    gan.generator.trainable = gan.discriminator.trainable = False
    return gan


@pytest.mark.parametrize("method", ["L2SP", "EWC"])
def test_weights_are_held_near_those_of_a_source_that_is_frozen(source, method):
    """The penalty was 0 for L2SP, which was plain fine-tuning, and EWC ended with a division by zero."""
    gan = adapted_gan(getattr(methods, method)(**QUICK.get(method, {})), source)
    assert len(gan.generator.trainable_weights) == 4 and len(gan.method_state.anchors) >= 4
    assert not source.generator.trainable_weights  # as it was


def test_copies_are_not_frozen_and_what_is_thawed_freezes_again(source):
    copy = fresh_copy(source.generator)
    assert len(copy.trainable_weights) == 4
    copy.layers[1].trainable = False
    with thawed(copy):
        assert len(copy.trainable_weights) == 4
    assert len(copy.trainable_weights) == 2 and [layer.trainable for layer in copy.layers[:3]] == [True, False, True]


def test_a_frozen_generator_is_tuned_for_a_picture(source):
    space = LatentSpace(source.generator)
    codes = space.sample(1)
    picture = np.zeros((1, 8, 8, 1), np.float32)
    tuned = tuned_around(space, Reconstruction(None, "pixels"), codes, None, picture, steps=120)
    before, after = (np.abs(LatentSpace(one).images(codes) - picture).mean() for one in (source.generator, tuned))
    assert after < 0.9 * before
