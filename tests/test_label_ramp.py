"""The label ramp, alone and together with other adapters."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_MLP
from test_gan import fit

from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import Adapter, LabelRamp, effective_weights, run
from tfgantl.models.adapters.patches import PatchHead
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.optimization import Optimization


def with_ramp(make_gan, start, end):
    gan = make_gan(TINY_MLP)
    projection = gan.discriminator.get_layer("label_projection").embeddings
    projection.assign(np.random.default_rng(0).normal(size=projection.shape))  # zeros make labels irrelevant anyway
    step = gan.step
    for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
        adapters.append(LabelRamp(network, lambda: step, start, end))
    return gan


def by_label(gan):
    """What both networks make of the same input for each label."""
    labels = tf.range(3)
    made = gan.run_generator(tf.repeat(gan.latents(1), 3, axis=0), labels).numpy()
    judged = gan.discriminate(tf.repeat(tf.ones((1, 8, 8, 1)), 3, axis=0), labels, training=False).numpy()
    return made, judged


def test_labels_make_no_difference_before_the_ramp_some_within_and_all_after_it(make_gan):
    gan = with_ramp(make_gan, 2, 6)
    spread = {}
    for step in (0, 2, 4, 6, 9):
        gan.step.assign(step)
        spread[step] = [np.abs(x - x[:1]).max() for x in by_label(gan)]
    np.testing.assert_allclose([*spread[0], *spread[2]], 0.0, atol=1e-6)
    assert all(0 < some < all_ for some, all_ in zip(spread[4], spread[6], strict=True))
    gan.step.assign(6)
    for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
        plain = {v.path: v.numpy() for v in network.variables}
        for path, value in effective_weights(network, adapters).items():
            np.testing.assert_array_equal(value, plain[path])  # bit for bit


def test_patches_are_judged_by_a_part_without_labels_during_a_ramp(compiled, make_gan):
    gan = compiled(make_gan(TINY_DCGAN))
    gan.d_adapters.append(LabelRamp(gan.discriminator, lambda: gan.step, 2, 6))
    head = PatchHead(gan.discriminator)
    gan.d_adapters.append(head)
    images, labels = tf.ones((2, 8, 8, 1)), tf.constant([0, 1])
    gan.step.assign(1)
    patches = head.discriminator_logits(gan, images, labels, whole_every=2)
    np.testing.assert_allclose(patches[0], patches[1], atol=1e-6)
    assert patches.shape[1] > 1


def test_the_ramp_adds_no_weights_and_does_not_hold_the_gan(make_gan, compiled, examples):
    plain, gan = make_gan(TINY_MLP), with_ramp(make_gan, 2, 6)
    assert len(gan.weights) == len(plain.weights)
    assert not gan.g_adapters[0].variables
    fit(compiled(gan), examples, 1)
    alive = weakref.ref(gan)
    adapter = gan.g_adapters[0]
    del gan
    gc.collect()
    assert alive() is None and int(adapter.step()) == 1  # it holds the counter, not the GAN


def test_the_average_sees_interpolated_rows(make_gan, compiled, examples):
    gan = compiled(with_ramp(make_gan, 50, 60))
    gan.ema_decay = 0.0
    fit(gan, examples, 2)
    rows = gan.ema_generator.get_layer("label_embedding").embeddings.numpy()
    np.testing.assert_allclose(rows - rows.mean(0), 0.0, atol=1e-6)
    assert np.abs(gan.generator.get_layer("label_embedding").embeddings.numpy() - rows).max() > 1e-3


class Shifted(Adapter):
    """An adapter with a weight that is trained."""

    def __init__(self, path, shape):
        super().__init__()
        self.path_of, self.offset = path, self.add_weight(name="offset", shape=shape, initializer="zeros")

    def adapt(self, weights):
        return {self.path_of: weights[self.path_of] + self.offset}


def test_checkpoints_hold_the_weights_of_adapters(make_gan, compiled, examples, tmp_path):
    gan = make_gan(TINY_MLP)
    for network, adapters in ((gan.generator, gan.g_adapters), (gan.discriminator, gan.d_adapters)):
        kernel = next(v for v in network.variables if v.path.endswith("kernel"))
        adapters.append(Shifted(kernel.path, kernel.shape))
    fit(compiled(gan), examples, 2)
    trained = [gan.g_adapters[0].offset.numpy(), gan.d_adapters[0].offset.numpy()]
    checkpoints = Checkpoints(gan, tmp_path)
    checkpoints.save(2)
    fit(gan, examples, 2)
    checkpoints.restore_last()
    for value, adapters in zip(trained, (gan.g_adapters, gan.d_adapters), strict=True):
        assert np.abs(value).max() > 0
        np.testing.assert_array_equal(adapters[0].offset.numpy(), value)


class Doubled(Adapter):
    """An adapter as transfer methods have them: doubles what it finds."""

    def adapt(self, weights):
        return {path: 2.0 * weights[path] for path in weights if path.endswith("embeddings")}


def test_the_ramp_comes_first_and_other_adapters_act_on_its_rows(make_gan):
    gan = make_gan(TINY_MLP)
    gan.g_adapters.append(Doubled())
    Optimization(label_ramp=(5, 9)).compile(gan, 20)
    assert [type(a) for a in gan.g_adapters] == [LabelRamp, Doubled]
    path = gan.generator.get_layer("label_embedding").embeddings.path
    rows = gan.generator.get_layer("label_embedding").embeddings.numpy()
    changed = effective_weights(gan.generator, gan.g_adapters)[path]
    np.testing.assert_allclose(changed, np.repeat(2 * rows.mean(0, keepdims=True), 3, axis=0), rtol=1e-5)
    assert run(gan.generator, [gan.latents(2), np.arange(2)], gan.g_adapters).shape == (2, 8, 8, 1)


def test_a_ramp_on_an_unconditional_pair_is_an_error(make_gan):
    with pytest.raises(ConfigError, match="`label_ramp` must be left out for a pair without labels"):
        Optimization(label_ramp=(2, 6)).compile(make_gan(TINY_MLP, num_classes=None), 20)
