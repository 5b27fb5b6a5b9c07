"""Arrays and names that calls of Python are given: others than they can use are told, and never used all the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, conditional_pair, tiny_images

import tfgantl
from tfgantl.editing.class_switch import ClassSwitch
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.walks import between
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.gan import GAN
from tfgantl.images import to_unit
from tfgantl.models import families

WRONG_LABELS = {
    "negative": ([0, -1], r"must be in \[0, 2\]. Received: \[-1, 0\]"),
    "beyond the last": ([0, 99], r"must be in \[0, 2\]. Received: \[0, 99\]"),
    "fractions": ([0, 1.7], "must be whole numbers. Received: 1.7"),
    "one too many": ([0, 1, 2], r"must be \(2,\), one class an image. Received: \(3,\)"),
    "one for all": (1, r"must be \(2,\), one class an image. Received: \(\)"),
    "one-hot": (np.eye(2), r"must be \(2,\), one class an image. Received: \(2, 2\)"),
    "names": (["one", "two"], "must be numbers of classes. Received: <U3"),
    "ragged": ([[0], [1, 2]], "Received: a ragged list"),
    "none": (None, "labels`? must be given for .*3 classes. Received: none"),
}
IMAGES = to_unit(tiny_images(2))


@pytest.fixture(scope="module")
def doors():
    """Whatever takes labels beside two rows of something."""
    gan = conditional_pair()
    space = LatentSpace(gan.generator)
    codes = space.sample(2, [0, 1])
    return {
        "generate": lambda labels: gan.generate(gan.latents(2), labels),
        "score": lambda labels: gan.score(IMAGES, labels),
        "sample": lambda labels: space.sample(2, labels),
        "images": lambda labels: space.images(codes, labels),
        "switch": lambda labels: ClassSwitch(space)(codes, labels, 1),
    }


@pytest.mark.parametrize("kind", WRONG_LABELS)
def test_labels_that_are_no_classes_are_told(doors, kind):
    labels, message = WRONG_LABELS[kind]
    for name, door in doors.items():
        with pytest.raises(DataError, match=message):
            door(labels)
        assert np.isfinite(door([[2], [0]])).all(), name  # as data sets of Keras have them


def test_a_class_to_switch_to_must_be_one():
    space = LatentSpace(conditional_pair().generator)
    for to in (-1, 3, 1.5):
        with pytest.raises(DataError, match="labels must be"):
            ClassSwitch(space)(space.sample(2, [0, 1]), [0, 1], to)


def test_an_editor_looks_at_labels_pictures_and_codes():
    editor = tfgantl.Editor("rendered-digits", steps=1, encoder_steps=0)
    codes, picture = editor.sample(2, [3, 5]), np.zeros((2, 28, 28, 1), np.uint8)
    for call in (
        lambda: editor.sample(2, [3, 99]),
        lambda: editor.images(codes, [3, -1]),
        lambda: editor.invert(picture, [3, 1.7]),
        lambda: editor.switch(codes, [3, 5], 10),
    ):
        with pytest.raises(DataError, match="labels must be"):
            call()
    with pytest.raises(DataError, match=r"`pictures` must be uint8 \(n, 28, 28, 1\). Received: float64"):
        editor.restore(picture / 255, None)
    with pytest.raises(DataError, match=r"codes must be \(n, 48\). Received: \(2, 47\)"):
        editor.images(codes[:, :-1], [3, 5])
    with pytest.raises(DataError, match=r"a code must be \(48\). Received: \(2, 48\)"):
        editor.mix(codes[0], codes, [0.5])


def test_codes_without_classes_have_no_labels():
    gan = GAN(*TINY_DCGAN.build(8, 1))
    with pytest.raises(DataError, match="`labels` must be left out for a pair without classes"):
        gan.generate(gan.latents(2), [0, 1])
    with pytest.raises(DataError, match=r"`latents` must be \(n, 4\). Received: \(2, 3\)"):
        gan.generate(gan.latents(2)[:, :3])
    with pytest.raises(DataError, match=r"`images` must be \(n, 8, 8, 1\). Received: \(2, 9, 8, 1\)"):
        gan.score(np.zeros((2, 9, 8, 1), np.float32))
    space = LatentSpace(gan.generator)
    assert between(space, *space.sample(2), [0.5]).shape == (1, 4)


def test_networks_that_are_no_pair_are_told():
    generator, discriminator = TINY_DCGAN.build(8, 1)
    with pytest.raises(ConfigError, match=r"`generator` must give images .*Received: a network that gives \(None, 1\)"):
        GAN(discriminator, generator)
    larger = TINY_DCGAN.build(16, 1)[1]
    with pytest.raises(ConfigError, match=r"`discriminator` must take the images of the generator, \(None, 8, 8, 1\)"):
        GAN(generator, larger)


@pytest.mark.parametrize("number", [0, -8, 28.0, True, "28"])
@pytest.mark.parametrize("name", families.NAMES)
def test_numbers_that_no_images_have_are_told(name, number):
    networks = getattr(families, name)()
    for field in ("image_size", "channels", "num_classes"):
        with pytest.raises(ConfigError, match=f"`{field}` must be a whole number of at least 1. Received: {number}"):
            networks.build(**{"image_size": 32, "channels": 1, "num_classes": None, field: number})


def test_pixels_are_scored_in_the_range_that_they_are_trained_in():
    """Those of [0, 255] got logits of hundreds."""
    gan, images, labels = conditional_pair(), tiny_images(6), np.arange(6) % 3
    wanted = gan.score(to_unit(images), labels)
    np.testing.assert_allclose(gan.score(images, labels), wanted, rtol=1e-5)
    np.testing.assert_allclose(gan.score(images.astype(np.int64), labels), wanted, rtol=1e-5)
    unbounded = 10 * np.random.default_rng(0).normal(size=images.shape).astype(np.float32)
    assert np.isfinite(gan.score(unbounded, labels)).all()  # as generators that end in a linear layer make them
    for wrong in (images.astype(np.float32), images.astype(np.int64) - 200):
        with pytest.raises(DataError, match="images must be in .-1, 1., or be uint8. Received"):
            gan.score(wrong, labels)


def test_weights_of_images_are_not_dropped():
    gan = conditional_pair()
    gan.compile("adam", "adam")
    images, labels, weights = to_unit(tiny_images(6)), np.arange(6) % 3, np.ones(6)
    told = pytest.raises(DataError, match="`sample_weight` and `class_weight` must be left out")
    with told:
        gan.fit(images, labels, sample_weight=weights)
    with told:
        gan.fit(images, labels, class_weight={0: 2.0})
    with told:
        gan.fit(images, labels, validation_data=(images, labels, weights))
    with told:
        gan.evaluate(images, labels, sample_weight=weights)
    with told:
        gan.fit(tf.data.Dataset.from_tensor_slices((images, labels, weights)).batch(2))
    with told:
        gan.fit(((images[:2], labels[:2], weights[:2]) for _ in range(3)), steps_per_epoch=1, shuffle=False)
    with told:
        gan.train_on_batch(images, labels, sample_weight=weights)
    with told:
        gan.train_on_batch(images, labels, class_weight={0: 0.0, 1: 1.0, 2: 1.0})
    with told:
        gan.test_on_batch(images, labels, sample_weight=weights)
    one_hot = tf.data.Dataset.from_tensor_slices((images, keras.utils.to_categorical(labels))).batch(2)
    with pytest.raises(DataError, match=r"labels must be \(batch,\), one class an image. Received: \(None, 3\)"):
        gan.fit(one_hot)
    assert gan.steps_taken == 0


@pytest.mark.parametrize("handle", ["a" * 5000, "a/" * 5000, "a\0b", ""])
def test_handles_that_no_file_can_have_are_told(handle):
    for load in (tfgantl.load_source, tfgantl.load_generator):
        with pytest.raises(ArtifactError, match="must be a p(ath|reset)") as told:
            load(handle)
        assert len(str(told.value)) < 600 and "\0" not in str(told.value)


@pytest.mark.parametrize(
    ("verb", "settings", "message"),
    [
        (tfgantl.evaluate, {"model": None}, "`model` must be "),
        (tfgantl.imagine, {"text": None}, "`text` must be "),
        (tfgantl.generate, {"count": None}, "`count` must be "),
    ],
    ids=["evaluate", "imagine", "generate"],
)
def test_settings_that_must_be_something_are_not_none(verb, settings, message):
    with pytest.raises(ConfigError, match=f"{message}.*Received: None"):
        verb(**settings)


def test_a_cache_must_be_a_directory(monkeypatch, tmp_path):
    from tfgantl.files import cache_directory

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TFGANTL_CACHE_DIR", "~/kept")
    assert cache_directory() == tmp_path / "kept"
    monkeypatch.setenv("TFGANTL_CACHE_DIR", "/dev/null")
    with pytest.raises(ConfigError, match="`TFGANTL_CACHE_DIR` must be a directory. Received: /dev/null"):
        cache_directory()
