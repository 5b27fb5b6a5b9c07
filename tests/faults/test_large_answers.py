"""Requests for many large images: a small one must not take the memory of the machine."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN
from test_hostile_pictures import png

from tfgantl.export import parts
from tfgantl.export import publish as publishing
from tfgantl.export.check import check
from tfgantl.export.examples import read_examples
from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.export.publish import publish, write_saved_model
from tfgantl.export.signatures import generator_signatures
from tfgantl.export.warmup import BATCHES, batches_of, read_warmup
from tfgantl.gan import GAN
from tfgantl.models import inference
from tfgantl.models.classifier import small_cnn
from tfgantl.serving.request_error import InvalidArgument
from tfgantl.serving.servable import Servable

AT_A_TIME = 3


@pytest.fixture
def few_at_a_time(monkeypatch):
    """Bounds that images of 8 px reach."""
    monkeypatch.setattr(inference, "MAX_PIXELS", AT_A_TIME * 8 * 8)
    seen = []
    monkeypatch.setattr(keras.Model, "__call__", _watched(keras.Model.__call__, seen))
    return seen


def _watched(call, seen):
    def watched(self, inputs, *arguments, **named):
        rows = tf.shape(tf.nest.flatten(inputs)[0])[0]
        with tf.control_dependencies([tf.py_function(lambda n: seen.append(int(n)), [rows], [])]):
            inputs = tf.nest.map_structure(tf.identity, inputs)
        return call(self, inputs, *arguments, **named)

    return watched


@pytest.mark.parametrize("kind", ["serving_default", "generate", "generate_png", "classify", "features", "images"])
def test_large_images_are_made_and_looked_at_some_at_a_time_in_the_graph(kind, request):
    """256 of 512 px took 13 GB, whoever asked."""
    rng = np.random.default_rng(0)
    if kind in ("classify", "features", "images"):
        network, signatures = small_cnn(8, 1, 3, width=4, units=6), classifier_signatures
        images = rng.uniform(-1, 1, (8, 8, 8, 1)).astype(np.float32)
        inputs = [images] if kind == "images" else [[png(8 + i, 9) for i in range(8)]]
        kind = "serving_default" if kind == "images" else kind
    else:
        network = GAN(*TINY_DCGAN.build(8, 1, 3), seed=0).ema_generator
        latents = rng.normal(size=(8, network.inputs[0].shape[-1])).astype(np.float32)
        signatures = generator_signatures
        inputs = [latents if kind == "serving_default" else np.arange(8), np.arange(8, dtype=np.int32) % 3]
    whole = signatures(network)[kind](*map(tf.constant, inputs))
    seen = request.getfixturevalue("few_at_a_time")
    del network.__dict__["_inference"]  # which knows how many there may be
    endpoint = signatures(network)[kind]
    found = endpoint(*map(tf.constant, inputs))
    assert seen == [3, 3, 2]
    for name, value in whole.items():
        assert found[name].shape[1:] == endpoint.get_concrete_function().structured_outputs[name].shape[1:]
        if value.dtype == tf.string:
            assert [tf.io.decode_png(x).shape for x in found[name]] == [tf.io.decode_png(x).shape for x in value]
        else:
            np.testing.assert_allclose(found[name], value, atol=1 if value.dtype == tf.uint8 else 1e-6)


def test_answers_have_no_more_numbers_than_clients_take(tmp_path, monkeypatch):
    """256 images of 512 px are gigabytes of JSON; as files they are few."""
    monkeypatch.setattr(inference, "MAX_PIXELS", AT_A_TIME * 8 * 8)
    monkeypatch.setattr(parts, "MAX_ANSWER", 5 * 8 * 8)
    generator = GAN(*TINY_DCGAN.build(8, 1), seed=0).ema_generator
    endpoints = generator_signatures(generator)
    assert batches_of(endpoints) == [1, 4] == list(BATCHES[:2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request must have at most 5 rows"):
        endpoints["generate"](tf.range(6, dtype=tf.int64))
    write_saved_model(generator, endpoints, tmp_path)
    servable = Servable(tmp_path)
    with pytest.raises(InvalidArgument, match="a request of generate must have at most 5 rows. Received: 6"):
        servable.predict("generate", {"seed": np.arange(6)})
    assert len(servable.predict("generate", {"seed": np.arange(5)}).result()["images"]) == 5
    assert len(servable.predict("generate_png", {"seed": np.arange(40)}).result()["png_bytes"]) == 40
    assert len(servable.predict("generate_png", {"seed": np.arange(0)}).result()["png_bytes"]) == 0
    servable.close()


def test_a_model_of_which_a_request_may_ask_for_few_images_is_published(tmp_path, monkeypatch, capsys):
    """Its examples were eight, and it answers five: no generator of 1,024 px could be published."""
    monkeypatch.setattr(parts, "MAX_ANSWER", 5 * 8 * 8)
    monkeypatch.setattr(publishing, "check_in_fresh_process", check)
    generator = GAN(*TINY_DCGAN.build(8, 1), seed=0).ema_generator
    version = publish(generator, tmp_path / "model")
    assert {len(next(iter(inputs.values()))) for _, inputs in read_warmup(version)} == {1, 4}
    assert {len(inputs) for sides in read_examples(version).values() for inputs in sides[0].values()} == {5, 8}
    batching = tmp_path / "model" / "deploy" / "batching.config"
    assert "max_batch_size { value: 4 }" in batching.read_text() and not capsys.readouterr().err
    batching.write_text("max_batch_size { value: 64 }")  # of a version with smaller images
    publish(generator, tmp_path / "model")
    assert "puts up to 64 rows together, and the model answers 4" in capsys.readouterr().err
