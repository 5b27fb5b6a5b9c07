"""What FastGAN adds: excitation of large maps by small ones, and a discriminator that reconstructs real images."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_FASTGAN, TINY_MLP, moved, numpy_weights, tiny_images

from tfgantl.errors import ConfigError
from tfgantl.images import to_unit
from tfgantl.models import SNGAN, FastGAN
from tfgantl.models.fastgan.discriminator import FastGANDiscriminator
from tfgantl.random_streams import StepStream

IMAGES = to_unit(tiny_images(8, size=32, channels=3))


def discriminator(size=32):
    keras.utils.set_random_seed(0)
    return FastGANDiscriminator(size, 3, width=2, most=4)


@pytest.mark.parametrize(
    ("size", "scaled"),
    [(8, {1: 0}), (32, {3: 0}), (64, {4: 0}), (128, {4: 0, 5: 1}), (256, {4: 0, 5: 1, 6: 2})],
)
def test_maps_are_scaled_by_those_of_a_sixteenth_of_their_side(size, scaled):
    generator = FastGAN(latent_dim=4, width=1, most=2).build(size, 1)[0]
    products = {layer.name: layer for layer in generator.layers if isinstance(layer, keras.layers.Multiply)}
    assert set(products) == {f"block{block}_excitation_product" for block in scaled}
    for block, source in scaled.items():
        operation = generator.get_layer(f"block{block}_excitation_conv1").input._keras_history.operation
        if operation.name.endswith("_pool"):
            operation = operation.input._keras_history.operation
        assert operation.name.startswith(f"block{source}_")
        assert products[f"block{block}_excitation_product"].output.shape[1] == 4 * 2**block


def test_decoders_make_the_whole_image_and_the_same_quadrant_of_image_and_map():
    network = discriminator()
    assert [tuple(x.shape[1:3]) for x in network.supervised_maps] == [(8, 8), (16, 16)]
    assert [x.shape[1:] for x in network.decoders.outputs] == [(16, 16, 3)] * 2
    shown = []
    network.decoders = lambda maps, training: shown.append(maps) or [tf.zeros((8, 16, 16, 3))] * 2
    network.decoders.inputs = [None, tf.zeros((8, 8, 8, 3))]
    # A map whose places say where they are, so that the quadrants can be compared.
    large = tf.nn.avg_pool2d(IMAGES, 2, 2, "VALID")
    chosen = set()
    for i in range(20):
        loss = network.self_supervision(tf.constant(IMAGES), [large, large], tf.constant([i, 0]))
        corner = next(
            (row, column)
            for row in (0, 1)
            for column in (0, 1)
            if np.array_equal(shown[-1][1], large[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8])
        )
        chosen.add(corner)
        row, column = (16 * x for x in corner)
        expected = np.abs(large).mean() + np.abs(IMAGES[:, row : row + 16, column : column + 16]).mean()
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert chosen == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("size", [8, 16, 128])
def test_decoders_fit_images_of_other_sizes(size):
    network = discriminator(size)
    images = tf.random.stateless_uniform((2, size, size, 3), (0, 0), -1, 1)
    maps = keras.Model(network.inputs, network.supervised_maps)(images)
    assert 0 < float(network.self_supervision(images, maps, tf.constant([0, 0]))) < 4


@pytest.mark.usefixtures("eagerly")
def test_a_step_trains_the_decoders_unless_they_are_frozen_and_logits_do_not_know_them(make_gan, compiled, tmp_path):
    gan = compiled(make_gan(TINY_FASTGAN, num_classes=None))
    network, images = gan.discriminator, to_unit(tiny_images(8))
    decoders = {v.path for v in network.decoders.weights}
    assert decoders and decoders < {v.path for v in network.weights}
    before = numpy_weights(network)
    gan.fit(images, batch_size=8, verbose=0)
    assert decoders <= moved(network, before)
    logits = gan.score(images)
    for variable in network.decoders.weights:
        variable.assign(variable + 1.0)
    np.testing.assert_array_equal(gan.score(images), logits)
    network.save(tmp_path / "discriminator.keras")
    again = keras.models.load_model(tmp_path / "discriminator.keras")
    for one, other in zip(again.decoders.weights, network.decoders.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    network.trainable = False
    before = numpy_weights(network)
    gan.fit(images, batch_size=8, verbose=0)
    assert not moved(network, before)


def test_what_is_reconstructed_is_the_augmented_image_of_the_step(make_gan, compiled):
    gan = compiled(make_gan(TINY_FASTGAN, num_classes=None), augment=lambda images, seed: -images)
    seen = []
    gan.discriminator.self_supervision = lambda images, maps, seed: seen.append((images, seed)) or 0.0
    images = tf.constant(to_unit(tiny_images(8)))
    logits = tf.zeros((8, 1))
    gan.discriminator_penalty(lambda images: logits, images, images, None, logits, logits)
    np.testing.assert_array_equal(seen[0][0], -images)
    np.testing.assert_array_equal(seen[0][1], gan.seeds(StepStream.SELF_SUPERVISION))


def test_other_discriminators_learn_nothing_beside(make_gan):
    gan = make_gan(TINY_MLP)
    assert gan.self_supervision(tf.zeros((2, 8, 8, 1)), tf.zeros(2, tf.int32), tf.constant([0, 0])) == 0.0


@pytest.mark.parametrize("size", [4, 12, 28, 2048])
def test_a_fastgan_of_another_size_is_refused(size):
    with pytest.raises(ConfigError, match=f"must be a power of 2 from 8 to 1024 for FastGAN. Received: {size}"):
        FastGAN().build(size, 3)


@pytest.mark.parametrize("size", [4, 30, 36, 1280])
def test_an_sngan_of_another_size_is_refused(size):
    with pytest.raises(ConfigError, match=f"must be 4, 5, 6 or 7 times a power of 2, from 8 to 1024, .* {size}"):
        SNGAN().build(size, 3)


def test_a_discriminator_of_the_default_size_tells_images_apart_before_it_is_trained():
    """Spectral norms alone shrink what images differ by to a thousandth of the logits, and nothing is ever learnt."""
    keras.utils.set_random_seed(0)
    network = FastGAN().build(64, 3)[1]
    logits = network(tf.random.stateless_uniform((16, 64, 64, 3), (0, 0), -1, 1), training=True)
    assert 0.1 < float(tf.math.reduce_std(logits)) < 1.0
