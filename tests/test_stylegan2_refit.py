"""A StyleGAN2 of another size, other channels or classes computes what it did, where that can be."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_STYLEGAN2

from tfgantl.errors import ArtifactError
from tfgantl.gan import GAN
from tfgantl.models import StyleGAN2
from tfgantl.models.stylegan2.image_layers import filtered
from tfgantl.pretrained.refit.source import fit_source

WIDE = StyleGAN2(**{**vars(TINY_STYLEGAN2), "base": 128, "most": 8})  # at least 6 channels at 16 px


def make(size=8, channels=3, classes=None, networks=WIDE):
    """A pair of which no weight is 0."""
    keras.utils.set_random_seed(0)
    gan = GAN(*networks.build(size, channels, classes))
    rng = np.random.default_rng(0)
    for network in (gan.generator, gan.discriminator):
        for v in network.trainable_variables:
            v.assign(v + 0.2 * rng.standard_normal(v.shape))
    gan.ema_generator.set_weights(gan.generator.get_weights())
    return gan


def unclipped(gan, labels=None):
    generator = gan.generator
    latents = gan.latents(6)
    model = keras.Model(generator.input, generator.get_layer("images").input)
    return model(latents if labels is None else [latents, labels]).numpy()


def halved(images):
    return filtered(tf.constant(images), padding=1, stride=2).numpy()


@pytest.mark.parametrize("channels", [1, 3])
def test_growing_and_dropping_what_was_grown_changes_nothing(channels):
    source = make(channels=channels)
    grown, report = fit_source(source, 16, channels, None)
    doubled = grown.generator.get_layer("block2_doubled")
    np.testing.assert_allclose(unclipped(grown), doubled(tf.constant(unclipped(source))), atol=1e-5)
    images = np.random.default_rng(1).uniform(-1, 1, (8, 16, 16, channels)).astype("f")
    np.testing.assert_allclose(grown.score(images), source.score(halved(images)), atol=1e-5)
    assert "grown for 8 → 16 px" in report.of("resized").values() and not report.of("skipped")
    again, report = fit_source(grown, 8, channels, None)
    np.testing.assert_allclose(unclipped(again), unclipped(source), atol=1e-5)
    np.testing.assert_allclose(again.score(halved(images)), source.score(halved(images)), atol=1e-4)
    assert set(report.of("resized").values()) == {"fitted for 16 → 8 px"}


def test_a_smaller_discriminator_is_like_the_larger_one():
    source = make(size=32, channels=1)
    fitted = fit_source(source, 8, 1, None)[0]
    images = source.generate(source.latents(64))
    scores = source.score(images), fitted.score(halved(halved(images)))
    assert np.corrcoef(*scores)[0, 1] > 0.5


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_channels(before, after):
    source = make(channels=before)
    fitted = fit_source(source, 8, after, None)[0]
    images = unclipped(source)
    np.testing.assert_allclose(
        unclipped(fitted), np.repeat(images, 3, 3) if after == 3 else images.mean(3, keepdims=True), atol=1e-5
    )
    gray = np.random.default_rng(1).uniform(-1, 1, (8, 8, 8, 1)).astype("f")
    color = np.repeat(gray, 3, 3)
    one, other = (gray, color) if before == 1 else (color, gray)
    np.testing.assert_allclose(fitted.score(other), source.score(one), atol=1e-5)


def test_classes_are_added_chosen_and_folded(tmp_path):
    plain, labels = make(), np.arange(6) % 4
    images = np.random.default_rng(1).uniform(-1, 1, (6, 8, 8, 3)).astype("f")
    for label_layers in (0, 1):
        plain = GAN(
            plain.generator,
            type(plain.discriminator)(**{**plain.discriminator.get_config(), "label_layers": label_layers}),
        )
        fitted = fit_source(plain, 8, 3, 4)[0]
        np.testing.assert_allclose(unclipped(fitted, labels), unclipped(plain), atol=1e-5)
        np.testing.assert_allclose(fitted.score(images, labels), plain.score(images), atol=1e-5)

    source = make(classes=4)
    (tmp_path / "map").write_text("[2, 0]")
    fitted = fit_source(source, 8, 3, 2, str(tmp_path / "map"))[0]
    chosen = np.array([2, 0])[labels % 2]
    np.testing.assert_allclose(unclipped(fitted, labels % 2), unclipped(source, chosen), atol=1e-5)
    np.testing.assert_allclose(fitted.score(images, labels % 2), source.score(images, chosen), atol=1e-5)

    folded = fit_source(source, 8, 3, None)[0]
    logits = np.mean([source.score(images, np.full(6, c)) for c in range(4)], 0)
    np.testing.assert_allclose(folded.score(images), logits, atol=1e-5)
    table = source.generator.get_layer("mapping_label")
    table.set_weights([np.repeat(table.embeddings.numpy().mean(0, keepdims=True), 4, 0), table.bias.numpy()])
    np.testing.assert_allclose(unclipped(folded), unclipped(source, labels), atol=1e-5)


def test_what_cannot_be_fitted_is_told():
    with pytest.raises(ArtifactError, match="must be a power of 2 from 8 to 1024 for a StyleGAN2. Received: 28"):
        fit_source(make(), 28, 3, None)
    with pytest.raises(ArtifactError, match="at least 6 channels at 16 px to be grown. Received: 2"):
        fit_source(make(networks=TINY_STYLEGAN2), 16, 3, None)
