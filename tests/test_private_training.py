"""DP-SGD for the discriminator: what is clipped, what is added, what it comes to, and what is refused."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_FASTGAN, moved, numpy_weights, tiny_images

from tfgantl import transfer
from tfgantl.augment import DiffAugment
from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError
from tfgantl.images import to_unit
from tfgantl.private_step import PrivateGradients, clipped_sum
from tfgantl.regularizers import LeCam
from tfgantl.training.optimization import ADAPTATION
from tfgantl.training.private import DifferentialPrivacy

PLAIN = replace(ADAPTATION, r1=0.0)


def test_each_example_is_clipped_by_itself(make_gan):
    gan, images, labels = make_gan(), to_unit(tiny_images(5)), np.array([0, 1, 2, 0, 1], np.int32)
    weights = gan.discriminator.trainable_variables

    def loss_of(image, label):
        return tf.reduce_mean(tf.nn.softplus(-gan.discriminate(image, label)))

    singles = []
    for image, label in zip(images, labels, strict=True):
        with tf.GradientTape() as tape:
            loss = loss_of(image[None], label[None])
        found = tape.gradient(loss, [weight.value for weight in weights])
        singles.append([tf.convert_to_tensor(gradient).numpy() for gradient in found])
    norms = [np.sqrt(sum(np.square(part).sum() for part in single)) for single in singles]
    clip = float(np.median(norms))  # some are clipped, and some are not
    wanted = [
        sum(single[i] * min(1.0, clip / norm) for single, norm in zip(singles, norms, strict=True))
        for i in range(len(weights))
    ]
    for part, expected in zip(clipped_sum(loss_of, (images, labels), weights, clip), wanted, strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-5)


def test_noise_is_as_large_as_it_says_and_its_own_in_every_step():
    weights = [tf.Variable(tf.zeros((300, 200))), tf.Variable(tf.zeros((300, 200)))]
    private = PrivateGradients(clip=0.5, noise=3.0, key=7)
    first, other = private(lambda image: 0.0 * tf.reduce_sum(image), (tf.ones((4, 2)),), weights, tf.constant(1))
    assert np.std(first) == pytest.approx(0.5 * 3.0 / 4, rel=0.02) and abs(np.mean(first)) < 0.01
    (again, _), (later, _), (elsewhere, _) = (
        PrivateGradients(0.5, 3.0, key)(lambda image: 0.0 * tf.reduce_sum(image), (tf.ones((4, 2)),), weights, step)
        for key, step in ((7, tf.constant(1)), (7, tf.constant(2)), (8, tf.constant(1)))
    )
    np.testing.assert_array_equal(again, first)
    for independent in (other, later, elsewhere):
        assert abs(np.corrcoef(np.ravel(first), np.ravel(independent))[0, 1]) < 0.02


def test_nothing_else_of_the_data_gets_through(compiled, make_gan):
    """With gradients of real images clipped to nothing, what is learnt does not depend on images and labels at all."""
    weights = []
    for seed, classes in ((1, [0, 1, 2]), (2, [2, 2, 2])):
        gan = compiled(make_gan(), augment=DiffAugment("translation"), private=PrivateGradients(1e-12, 1.0, key=3))
        before = numpy_weights(gan)
        gan.fit(to_unit(tiny_images(8, seed=seed)), np.resize(classes, 8), batch_size=4, epochs=2, verbose=0)
        weights.append([weight.numpy() for weight in gan.weights])
        assert int(gan.step) == 4 and moved(gan, before)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_without_noise_and_clipping_it_is_the_plain_step(compiled, make_gan):
    """Unconditional, as classes of generated images are random in a private step."""
    images, states = to_unit(tiny_images(8)), []
    for options in ({}, {"private": PrivateGradients(1e6, 0.0, key=0)}):
        gan = compiled(make_gan(num_classes=None), rate=1e-3, **options)
        gan.fit(images, batch_size=4, epochs=1, shuffle=False, verbose=0)
        states.append([weight.numpy() for weight in gan.weights])
    for one, other in zip(*states, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_privacy_is_not_dropped_by_a_file_or_by_what_stands_beside_it(make_gan, tmp_path):
    """A loaded pair trained on without clipping and noise."""
    gan = make_gan(num_classes=None)
    private = PrivateGradients(1.0, 1.0, key=7)
    gan.compile("adam", "adam", private=private)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    assert not again.compiled
    with pytest.raises(ConfigError, match="must be compiled before it is trained"):
        again.fit(to_unit(tiny_images(4)))
    for beside in ({"r1": 1.0}, {"regularizers": [LeCam(0.1)]}, {"gradient_penalty": 1.0}):
        with pytest.raises(ConfigError, match="must be left out with `private`"):
            gan.compile("adam", "adam", private=private, **beside)


def test_a_scaled_loss_of_float16_makes_no_difference_to_a_private_step(make_gan):
    moves = []
    for private in (None, PrivateGradients(1e6, 0.0, key=0)):
        gan = make_gan(num_classes=None, dtype="mixed_float16")
        gan.compile("sgd", keras.optimizers.SGD(0.1), private=private)
        before = numpy_weights(gan.discriminator)
        gan.fit(to_unit(tiny_images(8)), batch_size=8, epochs=1, shuffle=False, verbose=0)
        moves.append(np.concatenate([(w.numpy() - before[w.path]).ravel() for w in gan.discriminator.weights]))
    assert gan.d_optimizer.dynamic_scale > 1000
    assert np.linalg.norm(moves[0] - moves[1]) < 0.02 * np.linalg.norm(moves[0])


def test_batches_are_drawn_by_themselves():
    examples = Examples.from_arrays(
        np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8), None
    )
    drawn = [np.round((b[0].numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int)
             for b in batches(examples, 8, 5, stop=40, independent=True)]  # fmt: skip
    assert all(len(set(rows)) == 8 for rows in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=20)
    assert counts.min() > 4 and len(set(counts)) > 3  # epochs would give every image the same
    assert any(set(a) & set(b) for a, b in zip(drawn, drawn[1:], strict=False))


def test_delta_allows_for_giving_away_no_image_whole():
    private = DifferentialPrivacy(noise=4.0, delta=1e-2)
    with pytest.raises(ConfigError, match=r"`privacy.delta` must be below .* 1 / 100 = 0.01: .* Received: 0.01"):
        private.epsilon(100, 10, 5)


def test_epsilon_is_that_of_the_library():
    dp_accounting = pytest.importorskip("dp_accounting")
    from dp_accounting import rdp

    privacy = DifferentialPrivacy(noise=4.0, delta=1e-4)
    accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    step = dp_accounting.SampledWithoutReplacementDpEvent(1000, 50, dp_accounting.GaussianDpEvent(2.0))
    for _ in range(3):
        accountant.compose(step)
    assert privacy.epsilon(1000, 50, 3) == pytest.approx(accountant.get_epsilon(1e-4))
    assert privacy.epsilon(1000, 50, 100) < privacy.epsilon(100, 50, 100) < privacy.epsilon(100, 50, 400)
    # All images in each batch: one Gaussian mechanism with a sensitivity of 2 clips, whose RDP is known.
    orders = np.array([1.5, 2, 4, 8, 16, 32, 64, 128.0])
    by_hand = min(a * 25 / (2 * 2.0**2) + np.log(1e4) / (a - 1) for a in orders)
    assert 0.5 * by_hand < privacy.epsilon(50, 50, 25) <= by_hand


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"r1": 0.1}, "`optimization.r1` must be off"),
        ({"gradient_penalty": 1.0}, "`optimization.gradient_penalty` must be off"),
        ({"lecam": "auto"}, "`optimization.lecam` must be off"),
        ({"augment": "ada"}, "must not be ada"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_looks_past_the_noise_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        DifferentialPrivacy(noise=1.0).check(replace(PLAIN, **settings))
    DifferentialPrivacy().check(replace(PLAIN, **settings))


def test_methods_and_networks_that_look_past_it_are_refused(make_gan):
    private = DifferentialPrivacy(noise=1.0)
    private.check(PLAIN, transfer.FineTune(), make_gan())
    for method in (transfer.Perceptual(), transfer.FeatureDistillation()):
        with pytest.raises(
            ConfigError, match="must not add losses of real images .*Received: " + type(method).__name__
        ):
            private.check(PLAIN, method)
    with pytest.raises(ConfigError, match="which reconstructs them"):
        private.check(PLAIN, None, make_gan(TINY_FASTGAN))
    with pytest.raises(ConfigError, match="without batch normalisation"):
        private.check(PLAIN, None, make_gan(replace(TINY_DCGAN, discriminator_norm=True)))
    with pytest.raises(ConfigError, match=r"`delta` must be in \(0, 1\). Received: 1"):
        DifferentialPrivacy(delta=1)
    assert len({private.new_key() for _ in range(9)}) == 9
