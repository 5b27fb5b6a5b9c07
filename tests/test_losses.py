from typing import get_args

import numpy as np
import pytest
import tensorflow as tf

from tfgantl import losses
from tfgantl.errors import ConfigError
from tfgantl.training.optimization import Loss

REAL, FAKE = np.array([[2.0], [-0.5], [0.3]], np.float32), np.array([[-1.0], [0.7], [1.5]], np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


BCE = -np.mean(np.log(sigmoid(REAL))) - np.mean(np.log(1 - sigmoid(FAKE)))
EXPECTED = {
    "minimax": (np.mean(np.log(1 - sigmoid(FAKE))), BCE),
    "non_saturating": (-np.mean(np.log(sigmoid(FAKE))), BCE),
    "hinge": (-FAKE.mean(), np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean()),
    "least_squares": (0.5 * ((FAKE - 1) ** 2).mean(), 0.5 * (((REAL - 1) ** 2).mean() + (FAKE**2).mean())),
    "wasserstein": (-FAKE.mean(), FAKE.mean() - REAL.mean()),
}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_values_are_those_of_the_papers(name):
    generator, discriminator = EXPECTED[name]
    pair = losses.get(name)
    np.testing.assert_allclose(pair.generator(FAKE), generator, rtol=1e-5)
    np.testing.assert_allclose(pair.discriminator(REAL, FAKE), discriminator, rtol=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("shape", [(4, 1), (4, 3, 3, 1)])
def test_each_side_pulls_the_right_way_on_logits_and_on_patches(name, shape):
    logits = tf.Variable(tf.random.stateless_normal(shape, (1, 2)) * 0.2)
    pair = losses.get(name)
    with tf.GradientTape(persistent=True) as tape:
        generator = pair.generator(logits)
        on_real = pair.discriminator(logits, tf.zeros(shape))
        on_fake = pair.discriminator(tf.zeros(shape), logits)
    assert generator.shape == () and on_real.shape == ()
    assert np.all(tape.gradient(generator, logits) < 0), "the generator wants higher fake logits"
    assert np.mean(tape.gradient(on_real, logits)) < 0, "the discriminator wants higher real logits"
    assert np.mean(tape.gradient(on_fake, logits)) > 0, "the discriminator wants lower fake logits"


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_losses_stay_finite_on_extreme_logits(name):
    extreme = tf.constant([[1e4], [-1e4]])
    assert np.isfinite(losses.get(name).generator(extreme)) and np.isfinite(
        losses.get(name).discriminator(extreme, extreme)
    )


def test_penalties_of_a_linear_critic_have_a_closed_form():
    weight = tf.constant(np.random.default_rng(0).normal(size=(4 * 4 * 1, 1)).astype(np.float32))
    images = tf.random.stateless_uniform((5, 4, 4, 1), (0, 1))
    norm = float(tf.norm(weight))

    def critic(x):
        return tf.reshape(x, (-1, 16)) @ weight

    np.testing.assert_allclose(losses.r1_penalty(critic, images), 0.5 * norm**2, rtol=1e-5)
    mix = tf.fill((5, 1, 1, 1), 0.3)
    np.testing.assert_allclose(losses.gradient_penalty(critic, images, -images, mix), (norm - 1) ** 2, rtol=1e-4)


def test_gradient_penalty_is_taken_between_real_and_fake():
    real, fake = tf.ones((2, 2, 2, 1)), tf.zeros((2, 2, 2, 1))
    seen = []

    def critic(x):
        seen.append(x.numpy())
        return tf.reduce_sum(x, axis=[1, 2, 3])

    losses.gradient_penalty(critic, real, fake, tf.reshape([0.25, 1.0], (2, 1, 1, 1)))
    np.testing.assert_allclose(seen[0][:, 0, 0, 0], [0.25, 1.0])


def test_the_settings_know_all_losses():
    assert get_args(Loss) == tuple(losses.LOSSES)


def test_unknown_loss_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match="must be one of minimax, .* Received: mse"):
        losses.get("mse")
