import keras
import numpy as np
import pytest
from conftest import moved, numpy_weights
from modules import save_run

from tfgantl.errors import ArtifactError
from tfgantl.gan import GAN
from tfgantl.models import DCGAN
from tfgantl.models.presets import load_preset, save_preset
from tfgantl.pretrained import copy_weights, load_generator, load_source


def test_copying_weights_needs_equal_names_and_shapes(make_gan):
    narrow = make_gan(DCGAN(4, (8, 6, 5), (1, 2, 2), 3, 2, 0.0))
    with pytest.raises(ArtifactError, match=r"must have the shape \(3, 3, 4, 6\). Received: \(3, 3, 5, 6\)"):
        copy_weights(narrow.generator, make_gan().generator)
    unconditional = make_gan(num_classes=None)
    with pytest.raises(ArtifactError, match="only in the target .*label_embedding"):
        copy_weights(unconditional.generator, make_gan().generator)


def test_nothing_is_copied_if_anything_does_not_fit(make_gan):
    target, narrow = make_gan(), make_gan(DCGAN(4, (8, 6, 5), (1, 2, 2), 3, 2, 0.0), seed=4)
    before = numpy_weights(target.generator)
    with pytest.raises(ArtifactError):
        copy_weights(narrow.generator, target.generator)
    assert not moved(target.generator, before)


def test_presets_keep_half_precision_weights_by_name(make_gan, tmp_path):
    gan = make_gan()
    save_preset(tmp_path / "tiny", gan.generator, gan.discriminator, {})
    for network, again in zip((gan.generator, gan.discriminator), load_preset(tmp_path / "tiny"), strict=True):
        for old, new in zip(network.variables, again.variables, strict=True):
            np.testing.assert_allclose(new.numpy(), old.numpy(), rtol=1e-3, atol=1e-6)
    arrays = dict(np.load(tmp_path / "tiny" / "weights.npz"))
    arrays.pop("generator/block0_dense/kernel")
    np.savez(tmp_path / "tiny" / "weights.npz", **arrays)
    with pytest.raises(ArtifactError, match="missing .'generator/block0_dense/kernel'"):
        load_preset(tmp_path / "tiny")


def test_a_preset_may_be_of_plain_networks(tmp_path):
    z, x = keras.Input((4,)), keras.Input((2, 2, 1))
    images = keras.layers.Reshape((2, 2, 1))(keras.layers.Dense(4, activation="tanh")(z))
    generator = keras.Model(z, images, name="generator")
    discriminator = keras.Model(x, keras.layers.Dense(1)(keras.layers.Flatten()(x)), name="discriminator")
    save_preset(tmp_path / "plain", generator, discriminator, {})
    again, _ = load_preset(tmp_path / "plain")
    noise = np.ones((3, 4), np.float32)
    np.testing.assert_allclose(again(noise), generator(noise), atol=1e-3)


def test_networks_of_a_preset_may_have_one_name(tmp_path):
    """The weights of the first were gone, and it came back with others."""
    inputs = keras.Input((4,))
    pair = [keras.Model(inputs, keras.layers.Dense(4, name="dense")(inputs), name="network") for _ in range(2)]
    save_preset(tmp_path / "pair", *pair, {})
    for network, again in zip(pair, load_preset(tmp_path / "pair"), strict=True):
        np.testing.assert_allclose(again.get_weights()[0], network.get_weights()[0], atol=1e-3)


def test_the_shipped_preset_is_small_and_loads():
    source = GAN.from_preset("rendered-digits")
    assert source.generator.output_shape == (None, 28, 28, 1) and source.num_classes == 10
    from tfgantl.models.presets import PRESETS

    assert sum(f.stat().st_size for f in (PRESETS / "rendered-digits").iterdir()) <= 2 * 2**20
    images = source.generate(source.latents(10), np.arange(10))
    assert images.min() < -0.9 and images.max() > 0.9


def test_run_directories_and_keras_files_are_sources(make_gan, tmp_path):
    gan = make_gan()
    save_run(gan, tmp_path)
    assert not moved(load_source(str(tmp_path)).generator, numpy_weights(gan.generator))
    for handle in (tmp_path, tmp_path / "generator.keras"):
        assert not moved(load_generator(str(handle)), numpy_weights(gan.generator))
