import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_MLP
from test_gan import changed, fit, snapshot

from tfgantl.adaptive import AdaptiveAugment, resample
from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import LabelRamp
from tfgantl.regularizers import LECAM_WEIGHTS, AdaptivePseudoAugment, LeCam
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.optimization import Loss, Optimization

CONTROLLED = {"ada": AdaptiveAugment, "apa": AdaptivePseudoAugment}
EVERY = {**CONTROLLED, "lecam": lambda **options: LeCam(0.5, start=0, **options)}
SEED = tf.constant((0, 1))


def images(channels=3, count=6, size=12):
    return tf.random.stateless_uniform((count, size, size, channels), (3, 4), -1.0, 1.0)


def logits(value, count=8):
    return tf.fill((count, 1), float(value))


def ada(p, **options):
    augment = AdaptiveAugment(**options)
    augment.p.assign(p)
    return augment


def compiled_with(compiled, gan, name):
    regularizer = EVERY[name]()
    options = {"augment": regularizer} if name == "ada" else {"regularizers": [regularizer]}
    return compiled(gan, **options), regularizer


@pytest.mark.parametrize("name", EVERY)
def test_steps_move_a_weight_of_each_and_checkpoints_hold_it(compiled, make_gan, examples, name, tmp_path):
    gan, regularizer = compiled_with(compiled, make_gan(TINY_MLP), name)
    assert {id(w) for w in regularizer.weights} <= {id(w) for w in gan.weights}
    before = snapshot(regularizer)
    history = fit(gan, examples, 3)
    assert changed(regularizer, before) and np.isfinite([v for values in history.values() for v in values]).all()
    checkpoints, state = Checkpoints(gan, tmp_path), snapshot(regularizer)
    checkpoints.save(3)
    for weight in regularizer.weights:
        weight.assign(tf.zeros_like(weight))
    checkpoints.restore_last()
    assert not changed(regularizer, state)


@pytest.mark.parametrize("name", EVERY)
def test_configs_make_the_same_regularizer_again(name):
    regularizer = EVERY[name]()
    config = keras.saving.serialize_keras_object(regularizer)
    assert keras.saving.deserialize_keras_object(config).get_config() == regularizer.get_config()


@pytest.mark.parametrize("name", EVERY)
def test_runs_repeat_bit_for_bit(compiled, make_gan, examples, name):
    runs = []
    for _ in range(2):
        gan, regularizer = compiled_with(compiled, make_gan(TINY_MLP), name)
        if name in CONTROLLED:
            regularizer.p.assign(0.5)
        fit(gan, examples, 3)
        runs.append(np.concatenate([w.ravel() for w in gan.get_weights()]))
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("name", CONTROLLED)
@pytest.mark.parametrize("value", [-1e9, 0.0, 1e9])
def test_p_stays_in_bounds_whatever_the_logits(name, value):
    controller = CONTROLLED[name](horizon=20)
    seen = [float(controller.update(logits(value), logits(-value))[controller.logged_as]) for _ in range(30)]
    assert min(seen) >= 0.0 and max(seen) <= 0.85 + 1e-6
    assert seen[-1] == pytest.approx(0.85 if value > 0 else 0.0)


@pytest.mark.parametrize("name", CONTROLLED)
def test_p_moves_by_a_batch_over_the_horizon_towards_the_target(name):
    controller = CONTROLLED[name](horizon=800)
    for _ in range(20):
        told = controller.update(logits(1), logits(-1))
    assert set(told) == {controller.logged_as, "r_t"} and float(told["r_t"]) == pytest.approx(1.0, abs=0.01)
    high = float(controller.p)
    controller.update(logits(1), logits(-1))
    assert float(controller.p) - high == pytest.approx(8 / 800, rel=1e-4)
    for _ in range(3):
        controller.update(logits(-1), logits(-1))
    assert float(controller.p) < high  # down as soon as it guesses


def test_the_centre_of_least_squares_logits_is_one_half():
    controller = AdaptivePseudoAugment(centre=0.5)
    controller.update(logits(0.4), logits(0.0))
    assert float(controller.r_t) < 0


@pytest.mark.parametrize("channels", [1, 3])
def test_ada_is_the_identity_at_p_0_even_where_it_resamples(channels):
    np.testing.assert_array_equal(ada(0.0)(images(channels), seed=SEED), images(channels))
    np.testing.assert_array_equal(ada(0.0).change(images(channels, size=9), SEED), images(channels, size=9))


@pytest.mark.parametrize(("channels", "color"), [(1, None), (1, True), (3, None), (3, False)])
def test_ada_keeps_shapes_and_repeats_by_seed(channels, color):
    augment = ada(0.8, color=color)
    first, again, other = (augment(images(channels), seed=tf.constant(s)).numpy() for s in [(0, 1), (0, 1), (0, 2)])
    assert first.shape == images(channels).shape and np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_ada_geometry_keeps_the_range_and_fills_with_black():
    bright = ada(0.85, color=False)(tf.ones((64, 12, 12, 3)), seed=SEED).numpy()
    assert bright.min() >= -1.0 and bright.max() <= 1.0 + 1e-6 and (bright == -1.0).any()
    gray = ada(0.85)(-tf.ones((64, 12, 12, 1)), seed=SEED).numpy()
    np.testing.assert_allclose(gray, -1.0, atol=1e-6)  # the background of drawings stays


def test_ada_changes_each_image_differently_and_about_a_share_of_p_by_one_change():
    same = tf.repeat(images(1, count=1), 400, axis=0)
    moved = ada(0.1)(same, seed=SEED).numpy().reshape(400, -1)
    assert len(np.unique(moved.round(4), axis=0)) > 100
    # Of six changes and two rotations, flips do nothing half of the time, quarter turns one in four.
    expected = 1 - (1 - 0.05) * (1 - 0.075) * 0.9**4 * (1 - 0.1)
    assert (np.abs(moved - same[0].numpy().ravel()).max(1) > 1e-6).mean() == pytest.approx(expected, abs=0.1)


def test_ada_has_the_exact_gradient():
    """A resampled gradient, as TensorFlow's projective transform has it, is wrong wherever the map scales."""
    x, augment = tf.Variable(images(3, count=8)), ada(0.8)
    direction = tf.random.stateless_normal(x.shape, (5, 6))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(augment(x, seed=SEED) * tf.cos(direction))
    slope = float(tf.reduce_sum(tape.gradient(loss, x) * direction))
    ahead, behind = (float(tf.reduce_sum(augment(x + h * direction, seed=SEED) * tf.cos(direction))) for h in (1, -1))
    assert slope == pytest.approx((ahead - behind) / 2, rel=1e-3)  # it is linear in the image, apart from black


def test_resampling_by_known_maps():
    x = images(1, count=2, size=5)
    shift = tf.constant([[[1.0, 0, 1], [0, 1, 0]]] * 2)
    np.testing.assert_allclose(resample(x, shift)[:, :, :4], x[:, :, 1:])
    assert (resample(x, shift)[:, :, 4].numpy() == -1).all()
    turn = tf.constant([[[0.0, -1, 0], [1, 0, 0]]] * 2)
    np.testing.assert_allclose(resample(x, turn), np.rot90(x.numpy(), 1, axes=(1, 2)))
    half = tf.constant([[[1.0, 0, 0.5], [0, 1, 0]]] * 2)
    np.testing.assert_allclose(resample(x, half)[:, :, :4], (x[:, :, 1:] + x[:, :, :4]) / 2, atol=1e-6)


def test_apa_shows_a_share_of_p_generated_images_row_by_row():
    real, fake = tf.ones((2000, 1, 1, 1)), -tf.range(2000, dtype=tf.float32)[:, None, None, None] - 1
    augment = AdaptivePseudoAugment()
    np.testing.assert_array_equal(augment.mix(real, fake, SEED), real)
    augment.p.assign(0.3)
    mixed = augment.mix(real, fake, SEED).numpy().ravel()
    replaced = mixed < 0
    assert replaced.mean() == pytest.approx(0.3, abs=0.04)
    np.testing.assert_array_equal(mixed[replaced], fake.numpy().ravel()[replaced])  # the row, and so the label, stays
    np.testing.assert_array_equal(mixed, augment.mix(real, fake, SEED).numpy().ravel())


def test_lecam_is_the_textbook_sum_and_its_averages_move():
    lecam = LeCam(0.5, start=2)
    real, fake = tf.constant([[3.0], [1.0]]), tf.constant([[-1.0], [0.0]])
    lecam.update(real, fake)
    assert float(lecam.real) == 2.0 and float(lecam.fake) == -0.5  # not held back by the value at the start
    assert float(lecam.penalty(real, fake)) == 0.0  # before `start`
    lecam.update(real, fake)
    expected = 0.5 * ((3.5**2 + 1.5**2) / 2 + (3.0**2 + 2.0**2) / 2)
    assert float(lecam.penalty(real, fake)) == pytest.approx(expected)
    assert float(lecam.penalty(tf.constant([[-9.0]]), tf.constant([[9.0]]))) == 0.0  # the other side is no harm
    lecam.seen.assign(10_000)
    lecam.update(real + 10, fake)
    assert float(lecam.real) == pytest.approx(0.99 * 2 + 0.01 * 12, rel=1e-5)


def test_lecam_changes_the_discriminator_if_asked_for_and_not_otherwise(compiled, make_gan, examples):
    ends = []
    for weight in (None, 0.0, 5.0):
        lecam = [] if weight is None else [LeCam(weight, start=1)]
        gan = compiled(make_gan(), regularizers=lecam)
        fit(gan, examples, 4)
        ends.append(snapshot(gan.discriminator))
    for path in ends[0]:
        np.testing.assert_allclose(ends[1][path], ends[0][path], atol=1e-4)
    assert max(np.abs(ends[2][path] - ends[0][path]).max() for path in ends[0]) > 1e-2
    gan = make_gan()
    Optimization(augment="").compile(gan, 20)
    assert not gan.regularizers and gan.augment is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeCam(-1.0), "`weight` must be at least 0. Received: -1.0"),
        (lambda: LeCam(1.0, decay=1.0), r"`decay` must be in \[0, 1\). Received: 1.0"),
        (lambda: AdaptiveAugment(horizon=0), "`horizon` must be above 0. Received: 0"),
        (lambda: AdaptivePseudoAugment(most=2.0), r"`most` must be in \[0, 1\]. Received: 2.0"),
        (lambda: Optimization(augment="ada,cutout"), "`augment` must name .* or be ada alone. Received: ada,cutout"),
        (lambda: Optimization(loss="wasserstein", augment="ada"), "`loss` must .* any but wasserstein"),
        (lambda: Optimization(loss="wasserstein", apa=True), "`loss` must .* any but wasserstein"),
        (lambda: Optimization(lecam=-1.0), "`lecam` must be auto, or a number of at least 0. Received: -1.0"),
        (lambda: Optimization(lecam="some"), "`lecam` must be auto, or a number of at least 0. Received: some"),
        (lambda: Optimization(label_ramp=(5, 5)), "`label_ramp` must be a start .* later end. Received: 5, 5"),
        (lambda: Optimization(label_ramp=(2, 9)).check(9), "`label_ramp` must end before step 9, the last. Received"),
        (lambda: Optimization(label_ramp=(2, 9)).check(10, None), "`label_ramp` must be left out for a pair without"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_settings_reach_the_step(make_gan, examples):
    gan = make_gan()
    Optimization(augment="ada", apa=True, horizon=100, lecam="auto", loss="hinge", label_ramp=(0, 2)).compile(gan, 30)
    assert gan.augment in gan.regularizers and gan.augment.horizon == 100
    assert {type(r) for r in gan.regularizers} == {LeCam, AdaptivePseudoAugment, AdaptiveAugment}
    lecam = next(r for r in gan.regularizers if isinstance(r, LeCam))
    assert lecam.weight == 0.3 and lecam.start == 3
    assert [type(a) for a in (*gan.g_adapters, *gan.d_adapters)] == [LabelRamp, LabelRamp]
    history = fit(gan, examples, 4)
    assert {"p", "r_t", "apa", "gap"} <= set(history)


def test_every_loss_has_a_strength_of_lecam():
    from typing import get_args

    assert set(LECAM_WEIGHTS) == set(get_args(Loss))
