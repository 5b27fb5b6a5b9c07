"""What VGG16 says of images: a distance, and features for metrics and for servers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images

from tfgantl.data import Examples
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.export.image_signatures import feature_signatures
from tfgantl.export.publish import publish
from tfgantl.images import to_unit
from tfgantl.metrics.extractor_choice import choose_extractor
from tfgantl.metrics.perceptual import LAYERS, perceptual_distance
from tfgantl.models.vgg import vgg16


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "random.npz"
    np.savez(path, **{w.path: w.numpy() for w in vgg16(LAYERS, None).weights})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFGANTL_VGG16_WEIGHTS", str(path))
        yield path


def test_the_distance_is_zero_for_the_same_symmetric_and_grows_with_noise():
    network = vgg16(("block1_conv2", "block2_conv1"), None)
    images = tf.constant(to_unit(tiny_images(4, 16, 3)))
    noise = np.random.default_rng(1).normal(size=images.shape).astype("f")
    distances = [perceptual_distance(network, images, images + share * noise).numpy() for share in (0, 0.1, 0.5)]
    np.testing.assert_allclose(distances[0], 0, atol=1e-6)
    assert (distances[0] < distances[1]).all() and (distances[1] < distances[2]).all() and (distances[2] < 2).all()
    back = perceptual_distance(network, images + 0.5 * noise, images)
    np.testing.assert_allclose(back, distances[2], rtol=1e-4)


def test_features_for_metrics_count_all_layers_alike_and_only_take_color(weights):
    examples = Examples.from_arrays(tiny_images(6, 16, 3), None)
    extractor = choose_extractor("vgg16", None, examples)
    features, _ = extractor(tiny_images(6, 16, 3))
    assert features.shape == (6, 64 + 128 + 256 + 512 + 512) and not extractor.predicts_labels
    assert extractor.id.startswith("vgg16@") and extractor.id == choose_extractor("vgg16", None, examples).id
    parts = np.split(features, np.cumsum([64, 128, 256, 512]), axis=1)
    assert all(0.1 < np.sqrt(np.mean(np.square(part))) < 10 for part in parts)
    with pytest.raises(ArtifactError, match="takes images of"):
        extractor(tiny_images(2, 20, 3))
    for images in (tiny_images(6, 16, 1), tiny_images(6, 8, 3)):
        with pytest.raises(ConfigError, match="`extractor` vgg16 must have color images of at least 16 pixels"):
            choose_extractor("vgg16", None, Examples.from_arrays(images, None))


def test_features_are_served(tmp_path):
    network = vgg16(("block1_conv2",), None, (16, 16, 3), pooling="avg")
    version = publish(network, tmp_path / "vgg16", feature_signatures)
    loaded = tf.saved_model.load(str(version)).signatures
    images = to_unit(tiny_images(2, 16, 3))
    served = loaded["serving_default"](images=tf.constant(images))["features"]
    np.testing.assert_allclose(served, network(images), rtol=1e-5, atol=1e-4)
    assert set(loaded) == {"serving_default", "features"}
