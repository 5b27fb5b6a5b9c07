"""Latent spaces, encoders, inversion, tuning, switches of class and walks, on every family."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY, tiny_images

from tfgantl.editing.class_switch import ClassSwitch, change
from tfgantl.editing.encoder import encode, train_encoder
from tfgantl.editing.inversion import InversionSettings, Inverter
from tfgantl.editing.latent_space import LatentSpace, atypical
from tfgantl.editing.reconstruction import Reconstruction, reconstruction_for
from tfgantl.editing.tuning import tuned_around
from tfgantl.editing.walks import between, crossed, loop, smoothness
from tfgantl.errors import ConfigError, DivergedError
from tfgantl.images import to_unit
from tfgantl.models.structure import structure_of

PIXELS = Reconstruction(None, "pixels")
SPACES = [*((family, "z") for family in TINY), ("StyleGAN2", "w"), ("StyleGAN2", "w+")]
LABELS = np.array([0, 1, 2, 0], np.int32)


def generator_of(family, num_classes=3):
    """A tiny generator whose images differ."""
    keras.utils.set_random_seed(1)
    generator = TINY[family].build(8, 1, num_classes)[0]
    for weight in generator.trainable_weights:
        weight.assign(weight + 0.3 * np.random.default_rng(2).normal(size=weight.shape))
    return generator


@pytest.fixture(scope="module")
def spaces():
    """Each space, built once."""
    return {(family, name): LatentSpace(generator_of(family), name) for family, name in SPACES}


@pytest.mark.parametrize("which", SPACES, ids="-".join)
def test_codes_give_the_images_of_their_noise(spaces, which):
    space = spaces[which]
    latents = np.random.default_rng(0).normal(size=(4, space.latent_dim)).astype(np.float32)
    expected = space.generator([latents, LABELS], training=False).numpy()
    codes = space.of_latents(latents, LABELS)
    assert codes.shape == (4, *space.shape)
    np.testing.assert_allclose(space.images(codes, LABELS), expected, atol=1e-5)
    np.testing.assert_allclose(space.decode(tf.constant(codes), tf.constant(LABELS)), expected, atol=1e-5)
    np.testing.assert_allclose(space.from_whitened(tf.constant(space.whitened(codes))), codes, atol=1e-4)


@pytest.mark.parametrize("name", ["w", "w+"])
def test_whitened_codes_are_standard_normal(spaces, name):
    space = spaces["StyleGAN2", name]
    u = space.whitened(space.sample(3000, space.labels(3000), seed=5)).reshape(3000, -1, space.shape[-1])[:, 0]
    assert np.abs(u.mean(0)).max() < 0.2
    np.testing.assert_allclose(np.cov(u, rowvar=False), np.eye(u.shape[1]), atol=0.25)


def test_spaces_that_a_model_lacks_are_refused():
    with pytest.raises(ConfigError, match="`space` must be auto or one of z for this model. Received: w"):
        LatentSpace(generator_of("DCGAN"), "w")


def test_only_codes_beyond_typical_lengths_are_penalised():
    u = tf.constant([[0.0, 0.0], [1.0, -1.0], [2.0, 0.0]])
    np.testing.assert_allclose(atypical(u), [0.0, 0.0, 1.0])


@pytest.mark.parametrize("which", SPACES, ids="-".join)
def test_images_of_the_generator_are_found_again(spaces, which):
    space = spaces[which]
    images = space.images(space.sample(4, LABELS, seed=3), LABELS)
    settings = InversionSettings(steps=60, restarts=2, rate=0.2)
    found = Inverter(space, PIXELS, settings)(images, LABELS)
    error = np.abs(space.images(found.codes, found.labels) - images).mean((1, 2, 3))
    begun = Inverter(space, PIXELS, InversionSettings(steps=0, restarts=1))(images, LABELS)
    before = np.abs(space.images(begun.codes, begun.labels) - images).mean((1, 2, 3))
    assert error.mean() < 0.5 * before.mean()
    np.testing.assert_array_equal(found.labels, LABELS)
    np.testing.assert_allclose(found.codes, space.from_whitened(tf.constant(found.u)), atol=1e-5)


def test_unknown_classes_are_found():
    space = LatentSpace(generator_of("DCGAN"))
    images = space.images(space.sample(6, np.arange(6) % 3, seed=4), np.arange(6) % 3)
    found = Inverter(space, PIXELS, InversionSettings(steps=60, restarts=4, rate=0.2))(images)
    assert (found.labels == np.arange(6) % 3).mean() >= 0.8


def test_rounds_have_all_steps_and_the_last_start_most_of_them():
    settings = InversionSettings(steps=70, restarts=4)
    assert settings.rounds == [(4, 10), (2, 20), (1, 40)]
    with pytest.raises(ConfigError, match="`restarts` must be a power of 2"):
        InversionSettings(restarts=3)


class Exploding(Reconstruction):
    """Not finite where codes have gone far, or anywhere."""

    def __init__(self, bound):
        super().__init__(None, "exploding")
        self.bound = bound

    def __call__(self, images, pictures, weights=1.0):
        loss = super().__call__(images, pictures, weights)
        return tf.where(tf.reduce_mean(tf.abs(images), axis=(1, 2, 3)) > self.bound, loss / 0.0, loss)


def test_what_diverges_begins_anew_and_what_never_converges_is_told():
    space = LatentSpace(generator_of("MLP"))
    images = space.images(space.sample(4, LABELS, seed=3), LABELS)
    found = Inverter(space, Exploding(0.0), InversionSettings(steps=4, restarts=1))(images, LABELS)
    assert np.isnan(found.losses).all() and np.isfinite(found.codes).all()
    halfway = np.abs(images).mean()
    found = Inverter(space, Exploding(halfway), InversionSettings(steps=8, restarts=2))(images, LABELS)
    assert np.isfinite(found.u).all()


@pytest.mark.parametrize("given", [True, False])
def test_every_class_of_many_is_tried(given):
    space = LatentSpace(generator_of("MLP", num_classes=300))
    labels = np.array([299, 280, 299], np.int32)
    pictures = space.images(space.sample(3, labels, seed=3), labels)
    inverter = Inverter(space, PIXELS, InversionSettings(steps=0, restarts=4))
    starts, classes = inverter.starts(pictures, labels if given else None, None)
    if given:
        np.testing.assert_array_equal(classes, np.stack([labels] * 4, 1))
        assert all(len(np.unique(some, axis=0)) == 4 for some in starts)
        alone = inverter.starts(pictures[:1], labels[:1], None)[0]  # whatever else is sought beside it
        np.testing.assert_allclose(alone, starts[:1], atol=1e-6)
    else:
        everything = inverter._random(None)[1]
        assert len(set(everything)) == 300 and all(len(set(some)) == 4 for some in classes)


def test_an_encoder_gives_better_starts_than_chance_and_knows_classes():
    space = LatentSpace(generator_of("DCGAN"))
    encoder = train_encoder(space, PIXELS, steps=80, pictures=tiny_images(20))
    labels = np.arange(60) % 3
    codes = space.sample(60, labels, seed=9)
    u, odds = encode(encoder, space, space.images(codes, labels))
    assert np.square(u - codes).mean() < 0.85 * np.square(codes).mean()
    assert (odds.argmax(1) == labels).mean() > 0.6
    starts, classes = Inverter(space, PIXELS, InversionSettings(restarts=2), encoder).starts(
        space.images(codes, labels), labels, None
    )
    np.testing.assert_allclose(starts[:, 0], u, atol=1e-5)
    np.testing.assert_array_equal(classes, np.stack([labels] * 2, 1))


def test_the_encoder_tells_when_it_has_diverged():
    space = LatentSpace(generator_of("MLP", None))
    with pytest.raises(DivergedError, match="the encoder must have a finite loss"):
        train_encoder(space, Exploding(-1.0), steps=2)


@pytest.mark.parametrize("which", [("DCGAN", "z"), ("StyleGAN2", "w+")], ids="-".join)
def test_tuning_fits_pictures_and_leaves_the_original_and_its_mapping(spaces, which):
    space = spaces[which]
    before = [weight.numpy() for weight in space.generator.weights]
    codes = space.sample(3, LABELS[:3], seed=3)
    pictures = to_unit(tiny_images(3))
    copy = tuned_around(space, PIXELS, codes, LABELS[:3], pictures, steps=30)
    tuned = LatentSpace(copy, space.name)
    error = [np.abs(s.images(codes, LABELS[:3]) - pictures).mean() for s in (tuned, space)]
    assert error[0] < error[1]
    for weight, old in zip(space.generator.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    tables = structure_of(copy).label_tables
    for own, old in zip(tables, structure_of(space.generator).label_tables, strict=True):
        np.testing.assert_array_equal(own.numpy(), old.numpy())
    latents = np.random.default_rng(0).normal(size=(3, space.latent_dim)).astype(np.float32)
    np.testing.assert_allclose(tuned.of_latents(latents, LABELS[:3]), space.of_latents(latents, LABELS[:3]), atol=1e-6)


@pytest.mark.parametrize("which", SPACES, ids="-".join)
def test_a_switch_goes_all_the_way_to_the_class(spaces, which):
    space = spaces[which]
    switch, codes = ClassSwitch(space), space.sample(4, LABELS, seed=6)
    own, other = switch(codes, LABELS, 2, share=0.0), switch(codes, LABELS, 2)
    np.testing.assert_allclose(own, space.images(codes, LABELS), atol=1e-5)
    if space.reads_labels:
        np.testing.assert_allclose(other, space.images(codes, np.full(4, 2)), atol=1e-5)
    np.testing.assert_allclose(other[2], own[2], atol=1e-5)  # it has the class already
    assert np.abs(other - own)[:2].max() > 1e-3
    near = switch(codes, LABELS, 2, share=1e-3)
    assert np.abs(near - own).mean() < 0.1 * np.abs(other - own).mean()
    almost = switch(codes, LABELS, 2, share=0.999)
    assert np.abs(almost - other).mean() < 0.1 * np.abs(other - own).mean()
    where = switch.unchanged()
    assert where.shape == (8, 8) and 0.3 < where.mean() < 0.7
    assert change(own, own, where).max() == 0


def test_a_switch_needs_classes():
    with pytest.raises(ConfigError, match="the model must have classes"):
        ClassSwitch(LatentSpace(generator_of("MLP", None)))


def test_ways_between_codes(spaces):
    z, wide = spaces["DCGAN", "z"], spaces["StyleGAN2", "w+"]
    a, b = z.sample(2, LABELS[:2])
    way = between(z, a, b, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(way[[0, 2]], [a, b], atol=1e-6)
    assert np.linalg.norm(way[1]) > 0.9 * min(np.linalg.norm(a), np.linalg.norm(b))  # a line would cut the corner
    np.testing.assert_allclose(between(z, a, a, [0.5])[0], a, atol=1e-6)
    a, b = wide.sample(2, LABELS[:2])
    np.testing.assert_allclose(between(wide, a, b, [0.25])[0], 0.75 * a + 0.25 * b, atol=1e-6)
    mixed = crossed(wide, a, b, [0, 1, len(a)])
    np.testing.assert_array_equal(mixed[[0, 2]], [b, a])
    np.testing.assert_array_equal(mixed[1], np.concatenate([a[:1], b[1:]]))
    with pytest.raises(ConfigError, match="`space` must be w\\+"):
        crossed(z, *z.sample(2, LABELS[:2]), [1])


def test_a_loop_passes_its_stations_and_closes(spaces):
    space = spaces["DCGAN", "z"]
    codes = space.sample(3, LABELS[:3])
    walk = loop(space, codes, 9)
    np.testing.assert_allclose(walk[::3], codes, atol=1e-6)
    steps = np.linalg.norm(np.diff(np.concatenate([walk, walk[:1]]), axis=0), axis=1)
    assert smoothness(steps) > 0.5 and smoothness(np.zeros(3)) == 1.0 and smoothness(np.array([0.0, 0, 3])) < 0.4
    with pytest.raises(ConfigError, match="`frames` must be at least 3"):
        loop(space, codes, 2)


def test_what_pictures_are_compared_by(narrow):
    assert reconstruction_for((28, 28, 1)).name == "digits"
    assert reconstruction_for((8, 8, 1)).name == "pixels"
    colour = reconstruction_for((32, 32, 3))
    assert colour.name == "vgg16" and reconstruction_for((32, 32, 3), None).name == "pixels"
    a, b = (to_unit(tiny_images(3, 32, 3, seed=seed)) for seed in (0, 1))
    same, other = colour.measured(a, a), colour.measured(a, b)
    assert same["psnr"].min() > 100 and np.allclose(same["l1"], 0) and np.allclose(same["perceptual"], 0, atol=1e-6)
    assert other["perceptual"].min() > 0
    np.testing.assert_allclose(other["l1"], np.abs(a - b).mean((1, 2, 3)))
    hidden = np.zeros((3, 32, 32, 1), np.float32)
    hidden[:, :16] = 1
    changed = a.copy()
    changed[:, 16:] = b[:, 16:]
    np.testing.assert_allclose(colour(tf.constant(a), tf.constant(changed), tf.constant(hidden)), 0, atol=1e-6)
