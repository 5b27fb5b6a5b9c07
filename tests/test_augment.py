import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgantl.augment import POLICIES, DiffAugment
from tfgantl.errors import ConfigError

ALL = ",".join(POLICIES)


def images(channels=3, count=6):
    return tf.random.stateless_uniform((count, 12, 12, channels), (3, 4), -1.0, 1.0)


@pytest.mark.parametrize("policy", [*POLICIES, ALL])
def test_equal_seeds_give_equal_changes_and_others_do_not(policy):
    augment = DiffAugment(policy)
    first, again, other = (augment(images(), seed=tf.constant(s)) for s in [(0, 1), (0, 1), (0, 2)])
    assert first.shape == images().shape
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01 and np.abs(first - images()).max() > 0.01


@pytest.mark.parametrize("policy", [*POLICIES, ALL])
def test_gradients_reach_the_images(policy):
    x = tf.Variable(images())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(DiffAugment(policy)(x, seed=tf.constant((0, 1)))))
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(gradient).all() and (np.abs(gradient).reshape(6, -1).max(1) > 0).all()


def test_gray_images_leave_color_out():
    np.testing.assert_array_equal(DiffAugment("color")(images(1), seed=tf.constant((0, 1))), images(1))


def test_each_image_is_changed_differently():
    same = tf.repeat(images(count=1), 8, axis=0)
    for policy in POLICIES:
        changed = DiffAugment(policy)(same, seed=tf.constant((0, 1))).numpy().reshape(8, -1)
        assert len(np.unique(changed.round(4), axis=0)) > 1, policy


def test_translation_moves_by_at_most_an_eighth_and_fills_with_black():
    point = np.full((200, 16, 16, 1), -1.0, np.float32)
    point[:, 8, 8] = 1.0
    moved = DiffAugment("translation")(tf.constant(point), seed=tf.constant((0, 1))).numpy()
    where = np.argwhere(moved[..., 0] == 1.0)
    assert len(where) == 200 and moved.min() == -1.0
    assert {int(v) for v in np.unique(where[:, 1] - 8)} == {-2, -1, 0, 1, 2}
    assert {int(v) for v in np.unique(where[:, 2] - 8)} == {-2, -1, 0, 1, 2}


def test_cutout_blanks_at_most_a_quarter():
    blank = (DiffAugment("cutout")(tf.ones((100, 16, 16, 1)), seed=tf.constant((0, 1))).numpy() == 0).mean((1, 2, 3))
    assert blank.max() == 0.25 and blank.min() > 0


def test_empty_policy_changes_nothing_and_unknown_names_are_refused():
    np.testing.assert_array_equal(DiffAugment("")(images(), seed=tf.constant((0, 1))), images())
    with pytest.raises(ConfigError, match="must name translation, cutout, color.* Received: blur"):
        DiffAugment("blur")


def test_the_settings_know_all_names():
    from tfgantl.training.optimization import AUGMENTATIONS

    assert tuple(POLICIES) == AUGMENTATIONS


def test_config_round_trip():
    config = keras.saving.serialize_keras_object(DiffAugment("cutout"))
    assert keras.saving.deserialize_keras_object(config).policy == "cutout"
