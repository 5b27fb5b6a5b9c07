from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images

from tfgantl import random_streams
from tfgantl.random_streams import StepStream, Stream, latents, latents_of_seeds, step_seeds
from tfgantl.training.validation import Validate


@pytest.mark.parametrize("seed", range(10))
def test_no_two_streams_of_a_run_overlap(seed):
    rows = {stream: latents(500, 4, seed, stream) for stream in Stream}
    for step in (0, 1, seed):
        for stream in StepStream:
            rows[stream, step] = tf.random.stateless_normal((50, 4), step_seeds(seed, stream, step)).numpy()
    sets = {stream: set(map(bytes, values)) for stream, values in rows.items()}
    for one, other in combinations(sets, 2):
        assert not sets[one] & sets[other], (one, other)


def test_the_step_streams_of_neighbouring_seeds_do_not_overlap():
    seeds = [tuple(step_seeds(seed, stream, 3).numpy()) for seed in range(10) for stream in StepStream]
    assert len(set(seeds)) == len(seeds)


def test_published_numbers_can_be_repeated():
    np.testing.assert_array_equal(latents(3, 2, 5), np.random.default_rng([5, 11]).standard_normal((3, 2), np.float32))
    evaluated = np.random.default_rng([1005, 11]).standard_normal((3, 2), np.float32)
    np.testing.assert_array_equal(latents(3, 2, 5, Stream.EVALUATION), evaluated)


def test_seeds_of_a_served_generator_give_the_numbers_of_published_models():
    """Philox 4x32-10 in TensorFlow's graph. These were written down by the version that published the first model."""
    expected = [
        [-1.6970340013504028, -0.4813767075538635, -0.6622369289398193],
        [0.12665030360221863, -0.4930165708065033, 0.6311907172203064],
        [-0.9643073678016663, -0.7467485666275024, -0.6654829382896423],
    ]
    np.testing.assert_allclose(latents_of_seeds(tf.constant([0, 1, 2**62], tf.int64), 3), expected, rtol=1e-6)
    alone = latents_of_seeds(np.array([1]), 3)
    np.testing.assert_array_equal(alone[0], latents_of_seeds(tf.constant([0, 1], tf.int64), 3)[1])


def test_validation_draws_other_latents_than_the_calibration_before_it(make_gan, tiny_extractor, monkeypatch):
    drawn = []

    def record(count, dim, seed, stream=Stream.SAMPLES):
        drawn.append((stream, latents(count, dim, seed, stream)))
        return drawn[-1][1]

    monkeypatch.setattr(random_streams, "latents", record)
    validate = Validate(None, tiny_extractor, (tiny_images(), np.arange(24) % 3), 1, count=300)
    validate.set_model(make_gan())
    validate.measure()
    validate.discriminator_accuracy()
    assert [stream for stream, _ in drawn] == [Stream.CALIBRATION, Stream.VALIDATION, Stream.DISCRIMINATOR_ACCURACY]
    for (_, one), (_, other) in combinations(drawn, 2):
        assert not set(map(bytes, one)) & set(map(bytes, other))
