import keras
import numpy as np
import pytest
from conftest import TINY, TINY_DCGAN

from tfgantl.errors import ConfigError
from tfgantl.models import DCGAN
from tfgantl.models.classifier import small_cnn
from tfgantl.models.copies import float32_copy
from tfgantl.models.registration import NETWORKS

SPECS = {name: (spec, 16 if name in ("StyleGAN2", "FastGAN") else 28) for name, spec in TINY.items()} | {
    "DCGAN 32 px": (DCGAN(4, (8, 6, 4), (2, 2, 2)), 32),
    "DCGAN 64 px": (DCGAN(4, (8, 6, 6, 4), (2, 2, 2, 2)), 64),
}
EVERY = [(spec, channels, classes) for spec in SPECS for channels in (1, 3) for classes in (None, 5)]


def build(name, channels, classes, dtype="float32"):
    keras.utils.set_random_seed(0)
    spec, size = SPECS[name]
    return spec.build(size, channels, classes, dtype), size


def inputs(first, classes):
    return first if classes is None else [first, np.arange(len(first)) % classes]


def latents(count=3):
    return np.random.default_rng(0).standard_normal((count, 4)).astype(np.float32)


@pytest.mark.parametrize(("name", "channels", "classes"), EVERY)
def test_shapes_range_and_dtype(name, channels, classes):
    for dtype in ("float32", "mixed_bfloat16"):
        (generator, discriminator), size = build(name, channels, classes, dtype)
        images = generator(inputs(latents(), classes)).numpy()
        logits = discriminator(inputs(images, classes))
        assert images.shape == (3, size, size, channels) and logits.shape == (3, 1)
        assert images.dtype == logits.dtype == "float32"
        assert np.abs(images).max() <= 1


@pytest.mark.parametrize(("name", "channels", "classes"), EVERY)
def test_keras_file_and_config_round_trip(name, channels, classes, tmp_path):
    pair, _ = build(name, channels, classes)
    images = pair[0](inputs(latents(), classes)).numpy()
    for network, seen in zip(pair, (latents(), images), strict=True):
        network.save(tmp_path / "network.keras")
        again = keras.models.load_model(tmp_path / "network.keras")
        assert type(again) in NETWORKS and again.get_config() == network.get_config()
        np.testing.assert_array_equal(again(inputs(seen, classes)).numpy(), network(inputs(seen, classes)).numpy())


def test_labels_change_the_image_and_the_logit():
    (generator, discriminator), _ = build("DCGAN", 1, 5)
    same = np.repeat(latents(1), 5, axis=0)
    images = generator([same, np.arange(5)]).numpy()
    assert len(np.unique(images.reshape(5, -1), axis=0)) == 5
    projection = discriminator.get_layer("label_projection")
    projection.set_weights([np.random.default_rng(0).normal(size=projection.weights[0].shape)])
    logits = discriminator([np.repeat(images[:1], 5, axis=0), np.arange(5)]).numpy()
    assert len(np.unique(logits)) == 5


def test_classic_is_the_network_of_the_tutorial():
    generator, discriminator = DCGAN.classic().build(28, 1)
    assert generator.count_params() == 2_330_944 and discriminator.count_params() == 212_865
    shapes = [tuple(w.shape) for w in generator.trainable_variables if len(w.shape) > 1]
    assert shapes == [(100, 12544), (5, 5, 128, 256), (5, 5, 64, 128), (5, 5, 1, 64)]
    shapes = [tuple(w.shape) for w in discriminator.trainable_variables if len(w.shape) > 1]
    assert shapes == [(5, 5, 1, 64), (5, 5, 64, 128), (6272, 1)]
    strides = [x.strides for x in generator.layers if isinstance(x, keras.layers.Conv2DTranspose)]
    assert strides == [(1, 1), (2, 2), (2, 2)]


def test_images_do_not_depend_on_their_batch_mates():
    (generator, _), _ = build("DCGAN", 1, None)
    many = latents(5)
    np.testing.assert_allclose(generator(many)[:1].numpy(), generator(many[:1]).numpy(), atol=1e-6)


def test_float32_copy_computes_the_same_in_float32():
    (generator, _), _ = build("DCGAN", 1, 5, "mixed_bfloat16")
    copy = float32_copy(generator)
    assert {layer.compute_dtype for layer in copy.layers if layer.weights} == {"float32"}
    np.testing.assert_allclose(copy(inputs(latents(), 5)).numpy(), generator(inputs(latents(), 5)).numpy(), atol=0.05)


def test_wrong_specifications_are_refused():
    with pytest.raises(ConfigError, match="product that divides the image size 30. Received: .*product 4"):
        TINY_DCGAN.build(30, 1)
    with pytest.raises(ConfigError, match="same length.* Received: .8, 4. and .2."):
        DCGAN(8, (8, 4), (2,))


@pytest.mark.parametrize("size", [8, 28, 32, 64])
def test_classifier_halves_images_of_every_size_to_at_most_eight_pixels(size):
    model = small_cnn(size, 3, 7, width=4, units=5)
    assert model(np.zeros((2, size, size, 3), np.float32)).shape == (2, 7)
    assert model.get_layer("flatten").input.shape[1] in (4, 7, 8)
    assert model.get_layer("block1_relu").output.shape[1] == size
