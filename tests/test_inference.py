"""Networks applied to many inputs: the numbers of Keras, one trace a network, and no warning of retracing."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_MLP, tiny_images
from tensorflow.python.eager.polymorphic_function import polymorphic_function

from tfgantl.data import Examples
from tfgantl.images import to_unit
from tfgantl.metrics.extractors import Extractor
from tfgantl.models import inference
from tfgantl.models.classifier import small_cnn
from tfgantl.models.inference import predict
from tfgantl.training.optimization import Optimization
from tfgantl.training.run import TrainingData, train
from tfgantl.training.settings import TrainingSettings
from tfgantl.transfer import FineTune, Scratch


@pytest.fixture
def tensorflow_log(caplog, monkeypatch):
    """What TensorFlow logs, which does not always reach the root logger; it counts traces, and warnings, from 0 on."""
    manager = polymorphic_function._FrequentTracingDetectorManager()
    monkeypatch.setattr(polymorphic_function, "_frequent_tracing_detector_manager", manager)
    logger = logging.getLogger("tensorflow")
    caplog.set_level(logging.WARNING, "tensorflow")  # whatever a test before has set
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_large_images_are_made_a_few_at_a_time(monkeypatch):
    """A network of 130 kB took 90 MB an image, and 256 of them at one time."""
    latents, seen = keras.Input((2,)), []
    wide = keras.layers.UpSampling2D((512, 512))(keras.layers.Reshape((1, 1, 2))(latents))
    network = keras.Model(latents, wide)
    concatenate = np.concatenate
    monkeypatch.setattr(inference.np, "concatenate", lambda parts: seen.extend(map(len, parts)) or concatenate(parts))
    assert predict(network, np.zeros((20, 2), np.float32)).shape == (20, 512, 512, 2)
    assert seen == [16, 4]


def test_numbers_are_those_of_keras_whatever_the_batch_size(make_gan):
    gan = make_gan()
    inputs = [gan.latents(11), np.arange(11) % 3]
    expected = gan.ema_generator.predict(inputs, verbose=0)
    for batch_size in (1, 4, 11, 256):
        np.testing.assert_allclose(predict(gan.ema_generator, inputs, batch_size), expected, atol=1e-6)


def test_structures_of_outputs_and_no_rows():
    x = keras.Input((3,))
    both = keras.Model(x, [keras.layers.Dense(2)(x), keras.layers.Dense(4)(x)])
    two, four = predict(both, np.ones((5, 3)), batch_size=2)
    assert two.shape == (5, 2) and four.shape == (5, 4) and two.dtype == np.float32
    assert predict(both, np.ones((0, 3)))[1].shape == (0, 4)


def test_no_images_have_no_outputs_whatever_convolutions_make_of_them():
    """By oneDNN they give no rows the shape of their inputs, so that the next layer failed."""
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, padding="same")])
    assert predict(network, np.zeros((0, 8, 8, 3), np.float32)).shape == (0, 8, 8, 4)


def test_a_network_is_traced_once_and_sees_its_new_weights():
    calls = []

    class Counted(keras.layers.Dense):
        def call(self, x, training=None):
            calls.append(training)
            return super().call(x)

    network = keras.Sequential([keras.Input((3,)), Counted(2)])
    calls.clear()
    first = predict(network, np.ones((300, 3)))
    network.set_weights([2 * w for w in network.get_weights()])
    np.testing.assert_allclose(predict(network, np.ones((7, 3))), 2 * first[:7])
    assert calls == [False]


def test_whoever_runs_functions_eagerly_gets_no_graph(eagerly):
    seen = []

    class Watched(keras.layers.Dense):
        def call(self, x):
            seen.append(x)
            return super().call(x)

    network = keras.Sequential([keras.Input((3,)), Watched(2)])
    seen.clear()
    first = predict(network, np.ones((3, 3)), batch_size=2)
    assert [x.numpy().shape for x in seen] == [(2, 3), (1, 3)]  # tensors that have values
    tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(predict(network, np.ones((3, 3))), first, atol=1e-6)
    assert len(seen) == 3 and not hasattr(seen[2], "numpy")


def test_keras_would_warn_where_this_does_not(tensorflow_log):
    def networks():
        return [keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]) for _ in range(9)]

    for number, network in enumerate(networks()):
        predict(network, np.ones((300 + number, 3)))
    assert "retracing" not in tensorflow_log.text
    for network in networks():
        network.predict(np.ones((3, 3)), verbose=0)
    assert "retracing" in tensorflow_log.text, "this test would not notice a warning"


@pytest.mark.usefixtures("short_validation")
def test_pretraining_and_adapting_on_any_number_of_images_warn_of_no_retracing(make_gan, tensorflow_log):
    """Extractors and classifiers are made anew for each target, and each number of images has another last batch."""
    for count, method, source in ((13, Scratch(), None), (27, FineTune(), make_gan(TINY_MLP, seed=9))):
        for number in range(count, count + 5):
            extractor = Extractor(small_cnn(8, 1, 3, width=4, units=6), "tiny", 1.0, predicts_labels=True)
            extractor(tiny_images(number))
        labels = np.arange(count) % 3
        shots, validation = (Examples.from_arrays(tiny_images(count, seed=s), labels, 3) for s in (1, 2))
        settings = TrainingSettings(steps=2, batch_size=8, validate_every=1, optimization=Optimization(augment=""))
        train(make_gan(TINY_MLP), method, source, TrainingData(shots, validation, extractor), settings)
    assert "retracing" not in tensorflow_log.text


def test_wide_networks_are_given_few_rows(monkeypatch):
    """A network of 34 kB that enlarges inside, or StyleGAN2 of 128 px, took 11 GB for images that are small."""
    inputs = keras.Input((8, 8, 1))
    inside = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.UpSampling2D(64), keras.layers.AveragePooling2D(64)]
    )
    network = keras.Model(inputs, inside(inputs))
    assert inference.rows_at_a_time(network) == 256
    monkeypatch.setattr(inference, "MAX_ACTIVATION", 5 * 512**2)
    wide = keras.Model(inputs, inside(inputs))
    assert inference.rows_at_a_time(wide) == 5
    seen, concatenate = [], np.concatenate
    monkeypatch.setattr(
        inference.np, "concatenate", lambda parts: seen.append([*map(len, parts)]) or concatenate(parts)
    )
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)
    found = inference.predict_pixels(wide, images)
    np.testing.assert_allclose(found, to_unit(images), atol=1e-3)  # means of thousands
    assert seen[-1] == [5, 5, 2] and predict(wide, to_unit(images), batch_size=256).shape == found.shape
    assert seen[-1] == [5, 5, 2]  # a size of batches that is given is the most
