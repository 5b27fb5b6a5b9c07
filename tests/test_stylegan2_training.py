"""What StyleGAN2 adds to a training step: noise, style mixing, the average of w, path lengths."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_FASTGAN, TINY_MLP, TINY_STYLEGAN2, adapted_gan, tiny_images

from tfgantl import transfer as methods
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.images import to_unit
from tfgantl.models import DCGAN, StyleGAN2
from tfgantl.models.specifications.discriminators import Projected
from tfgantl.models.structure import structure_of
from tfgantl.path_length import PathLength, path_lengths
from tfgantl.random_streams import StepStream
from tfgantl.training.optimization import ADAPTATION, AUGMENT_FEW, AUGMENT_MANY, USUAL, Optimization

QUIET = {"verbose": 0, "shuffle": False, "batch_size": 8}


def generator_of(classes=None, **changes):
    keras.utils.set_random_seed(0)
    return StyleGAN2(**{**vars(TINY_STYLEGAN2), **changes}).build(8, 1, classes)[0]


def latents(count=4):
    return np.random.default_rng(0).standard_normal((count, 4)).astype("f")


def test_noise_is_fresh_in_training_and_stored_otherwise():
    generator = generator_of(style_mixing=0.0)
    one, other = (generator(latents(), training=True).numpy() for _ in range(2))
    np.testing.assert_array_equal(one, other)  # strengths are 0 at first
    for layer in generator.layers:
        if layer.name.endswith("_noise"):
            layer.strength.assign(0.5)
    one, other = (generator(latents(), training=True).numpy() for _ in range(2))
    assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(generator(latents()), generator(latents()))
    np.testing.assert_allclose(generator(latents())[1:2], generator(latents()[1:2]), atol=1e-6)


def test_images_are_clipped_but_in_training_and_gradients_pass():
    generator = generator_of()
    generator.get_layer("block1_to_rgb_bias").bias.assign([5.0])
    with tf.GradientTape() as tape:
        images = generator(latents(), training=False)
    assert (
        images.numpy().max() == 1.0
        and np.abs(tape.gradient(images, generator.get_layer("block1_conv1").kernel.value)).max() > 0
    )
    assert generator(latents(), training=True).numpy().max() > 3


def test_styles_are_mixed_from_a_random_layer_on_with_the_label_of_the_image():
    for classes in (None, 3):
        generator = generator_of(classes, style_mixing=1.0)
        inputs = latents() if classes is None else [latents(), np.arange(4) % 3]
        vectors = keras.Model(generator.input, structure_of(generator).styles)
        w = vectors(inputs).numpy()[:, 0]
        rolled = np.roll(latents(), 1, 0)
        other = vectors(rolled if classes is None else [rolled, inputs[1]]).numpy()[:, 0]
        seen = set()
        for _ in range(20):
            mixed = vectors(inputs, training=True).numpy()
            first = next(i for i in range(4) if not np.allclose(mixed[:, i], w))
            np.testing.assert_allclose(
                mixed, np.where((np.arange(4) >= first)[:, None], other[:, None], w[:, None]), rtol=1e-5
            )
            seen.add(first)
        assert seen == {1, 2, 3}
    never = generator_of(style_mixing=0.0)
    vectors = keras.Model(never.input, structure_of(never).styles)
    np.testing.assert_array_equal(vectors(latents(), training=True), vectors(latents()))


@pytest.mark.usefixtures("eagerly")
def test_the_average_of_w_follows_in_training_and_is_copied():
    generator = generator_of()
    w = keras.Model(generator.input, generator.get_layer("w").output)(latents()).numpy()
    generator(latents())
    average = generator.get_layer("styles").average
    assert not average.numpy().any()
    generator(latents(), training=True)
    np.testing.assert_allclose(average, 0.005 * w.mean(0), rtol=1e-4)
    gan = GAN(generator, TINY_STYLEGAN2.build(8, 1)[1])
    gan.compile("adam", "adam")
    gan.fit(to_unit(tiny_images(8)), epochs=2, **QUIET)
    np.testing.assert_array_equal(
        gan.ema_generator.get_layer("styles").average, gan.generator.get_layer("styles").average
    )
    gan.generator.trainable = False
    before = average.numpy()
    generator(latents(), training=True)
    np.testing.assert_array_equal(average, before)


def test_path_lengths_act_in_every_fourth_step_and_are_remembered(tmp_path):
    keras.utils.set_random_seed(0)
    gan = GAN(*StyleGAN2(**{**vars(TINY_STYLEGAN2), "style_mixing": 0.0}).build(8, 1))
    regularizer = PathLength(weight=2.0, decay=1.0)
    z = tf.constant(latents(8))
    lengths = path_lengths(gan, z, None).numpy()
    noise = tf.random.stateless_normal((4, 8, 8, 1), gan.seeds(StepStream.PATH_NOISE)).numpy() / 8
    vectors = structure_of(gan.generator).styles
    cut = keras.Model(gan.generator.input, [vectors, gan.generator.outputs[0]])
    with tf.GradientTape() as tape:
        styles, images = cut(z[:4], training=True)
    gradient = tape.gradient(images, styles, output_gradients=tf.constant(noise)).numpy()
    np.testing.assert_allclose(lengths, np.sqrt((gradient**2).sum(2).mean(1)), rtol=1e-4)
    penalty = regularizer.generator_penalty(gan, z, None)
    np.testing.assert_allclose(penalty, 2 * 4 * lengths.var(), rtol=1e-3)
    np.testing.assert_allclose(regularizer.mean, lengths.mean(), rtol=1e-5)
    gan.step.assign(3)
    assert float(regularizer.generator_penalty(gan, z, None)) == 0.0

    gan.step.assign(0)
    gan.compile("adam", "adam", regularizers=[PathLength()], r1=1.0, r1_every=2)
    history = gan.fit(to_unit(tiny_images(8)), **QUIET).history
    np.testing.assert_allclose(history["path"], 0.01 * lengths.mean(), rtol=0.9)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    assert float(again.regularizers[0].mean) == float(gan.regularizers[0].mean) > 0


def test_path_lengths_need_vectors_w(make_gan):
    mined = adapted_gan(methods.MineGAN(units=5), make_gan(TINY_STYLEGAN2, num_classes=None))
    for gan in (make_gan(TINY_MLP), mined):
        with pytest.raises(ConfigError, match="`path_length` must be 0 for .* Received: M"):
            Optimization(path_length=2.0).compile(gan, 10)
    for options in ({"weight": 0}, {"every": 0}, {"decay": 0.0}):
        with pytest.raises(ConfigError, match=f"`{next(iter(options))}` must be .* Received: 0"):
            PathLength(**options)


def test_a_family_says_how_its_authors_trained_it():
    settings = Optimization(path_length=2.0, beta_2=0.9).settled(TINY_STYLEGAN2, 64, 32)
    assert (settings.g_learning_rate, settings.beta_1, settings.r1, settings.path_length) == (0.0025, 0.0, 0.0256, 2.0)
    assert settings.beta_2 == 0.9 and settings.loss == USUAL.loss  # what is given stays, and the rest is usual
    assert Optimization().settled(TINY_MLP, 64, 32) == USUAL == USUAL.settled(TINY_STYLEGAN2, 64, 32)
    adapting = Optimization(r1=1.0).settled(TINY_STYLEGAN2, 64, 32, kind=ADAPTATION)
    assert (adapting.ema_decay, adapting.d_learning_rate, adapting.r1) == (0.99, 0.0025, 1.0)  # usual, theirs, given
    assert Optimization().settled(TINY_MLP, 64, 32, kind=ADAPTATION).d_learning_rate == ADAPTATION.d_learning_rate
    twice = [
        Optimization().settled(trained, 64, 32).reuse_fakes for trained in (DCGAN(), Projected(), StyleGAN2(), None)
    ]
    assert twice == [True, False, False, False] and not Optimization(reuse_fakes=False).settled(DCGAN()).reuse_fakes
    # What suits a family in an adaptation comes before what is usual, and stays out of a pretraining.
    fast = [
        Optimization().settled(TINY_FASTGAN, 64, 16, images, kind) for images, kind in ((10, ADAPTATION), (10**4, None))
    ]
    assert [(one.ema_decay, one.augment) for one in fast] == [(0.995, "translation"), (0.999, "translation")]
    assert settings.differences(replace(settings, r1=1.0, augment="")) == "augment translation,cutout,color, r1 0.0256"


@pytest.mark.parametrize(("networks", "method", "rate"), [
    (TINY_STYLEGAN2, methods.ScaleShift(), 0.006), (TINY_STYLEGAN2, methods.FineTune(), 0.0025),
    (TINY_DCGAN, methods.ScaleShift(), 0.006), (TINY_STYLEGAN2, methods.ScaleShift(g_lr_multiplier=0.5), 0.00125),
    (TINY_STYLEGAN2, methods.ScaleShift(g_lr_multiplier=5), 0.0025),
])  # fmt: skip
def test_few_weights_take_no_larger_steps_than_in_other_families(make_gan, networks, method, rate):
    """Its own rate is 12.5 times as high, and 30 times that destroyed generators."""
    gan = make_gan(networks, None)
    Optimization(decay=False).settled(networks, 8, 4).compile(gan, 10, method)
    assert float(gan.optimizer.learning_rate) == pytest.approx(rate)


@pytest.mark.parametrize(("images", "augment"), [(1000, AUGMENT_FEW), (1001, AUGMENT_MANY), (None, AUGMENT_MANY)])
def test_many_images_need_less_augmentation(images, augment):
    assert Optimization().settled(TINY_MLP, 64, 32, images).augment == augment
    assert Optimization(augment="").settled(TINY_MLP, 64, 32, images).augment == ""
