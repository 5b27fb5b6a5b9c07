import numpy as np
import pytest
import tensorflow as tf
from conftest import adapted_gan, live_images, numpy_weights, play

from tfgantl import transfer as methods
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError
from tfgantl.models.adapters.kernel_adapters import FilterStates, LowRank, Modulation, SingularValues
from tfgantl.penalties.fisher import Fisher
from tfgantl.pretrained import load_generator


def test_fisher_information_is_the_mean_of_squares(source):
    """Squares of each sample: never below 0, and not the square of the mean gradient."""
    variables = source.generator.trainable_variables
    fisher = Fisher()(source, variables, count=5, seed=0)
    assert all((f >= 0).all() and f.shape == tuple(v.shape) for f, v in zip(fisher, variables, strict=True))
    rng = np.random.default_rng([0, 41])
    latents, labels = rng.standard_normal((5, 1, 4), np.float32), rng.integers(0, 3, (5, 1), dtype=np.int32)
    expected = [np.zeros(v.shape) for v in variables]
    for z, y in zip(latents, labels, strict=True):
        with tf.GradientTape() as tape:
            images = source.generator([tf.constant(z), tf.constant(y)], training=False)
            loss = tf.nn.softplus(-source.discriminator([images, tf.constant(y)], training=False))
        for total, g in zip(expected, tape.gradient(loss, [v.value for v in variables]), strict=True):
            total += np.square(tf.convert_to_tensor(g).numpy()) / 5
    for f, e in zip(fisher, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-3, atol=1e-10)


ADAPTERS = {
    "low rank": lambda network: LowRank(network, 2, 0),
    "singular values": SingularValues,
    "modulation": lambda network: Modulation(network, 0),
    "filters": FilterStates,
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_kernels_become_matrices_with_a_filter_a_row_and_back(source, name):
    for network in (source.generator, source.discriminator):
        adapter = ADAPTERS[name](network)
        weights = {v.path: v for v in network.variables}
        for path, kernel in adapter.kernels.items():
            layer = next(x for x in network.layers if x.weights and x.weights[0].path == path)
            assert kernel.filters == (layer.filters if "conv" in layer.name else layer.units)
        for path, value in adapter.adapt(weights).items():
            np.testing.assert_allclose(value, weights[path].numpy(), atol=1e-5)


def test_modulation_has_rank_one_and_a_filter_depends_on_its_own_entry_only(source):
    """The published code builds the outer product the wrong way round: rank 6, and every filter depends on every v."""
    generator = source.generator
    adapter = Modulation(generator, 0)
    weights = {v.path: v for v in generator.variables}
    rng = np.random.default_rng(0)
    for name, kernel in adapter.kernels.items():
        u, v, _ = adapter.parts[name]
        v.assign(rng.standard_normal(v.shape))
        old = kernel.matrix(weights[name].numpy()).numpy()
        ratio = kernel.matrix(adapter.adapt(weights)[name]).numpy() / old - 1.0
        assert np.linalg.matrix_rank(ratio, tol=1e-2) == 1
        before = adapter.adapt(weights)[name].numpy()
        v.assign(v.numpy() * (np.arange(kernel.filters) != 1))
        changed = (adapter.adapt(weights)[name].numpy() != before).any(
            tuple(axis for axis in range(before.ndim) if axis != kernel.filter_axis)
        )
        assert changed.tolist() == [i == 1 for i in range(kernel.filters)]


def test_low_rank_and_singular_values_change_what_they_should(source):
    generator = source.generator
    weights = {v.path: v for v in generator.variables}
    low, singular = LowRank(generator, 2, 0), SingularValues(generator)
    rng = np.random.default_rng(0)
    for part in (low, singular):
        for v in part.trainable_variables:
            v.assign(rng.standard_normal(v.shape) * 0.3)
    for name, kernel in low.kernels.items():
        old = kernel.matrix(weights[name].numpy()).numpy()
        change = kernel.matrix(low.adapt(weights)[name]).numpy() - old
        assert np.linalg.matrix_rank(change, tol=1e-4) == min(2, *old.shape)
        left, right, _ = singular.parts[name]
        rotated = left.numpy().T @ kernel.matrix(singular.adapt(weights)[name]).numpy() @ right.numpy().T
        np.testing.assert_allclose(rotated, np.diag(np.diag(rotated)), atol=1e-4)


def test_a_shift_of_the_latents_is_what_it_says(source):
    gan = adapted_gan(methods.LatentAffine(), source)
    adapter = gan.g_adapters[0]
    scale, shift = np.array([0.5, 2.0, 1.0, -1.0], np.float32), np.array([1.0, 0.0, -2.0, 0.3], np.float32)
    adapter.scale.assign(scale)
    adapter.shift.assign(shift)
    latents, labels = gan.latents(6), np.arange(6) % 3
    expected = source.generator([latents * scale + shift, labels], training=False).numpy()
    np.testing.assert_allclose(live_images(gan), expected, atol=1e-5)


def test_rick_keeps_frozen_filters_bit_for_bit_and_pruned_ones_at_zero(source, compiled, examples):
    method = methods.RICK(every=12, freeze=0.5, prune=0.2, samples=4)
    gan = compiled(adapted_gan(method, source), transfer=method)
    states, seen = gan.g_adapters[0], []

    def values():
        weights = {v.path: v for v in gan.generator.variables}
        return {path: value.numpy() for path, value in states.adapt(weights).items()}

    for stage in method.schedule(60):
        stage.begin(gan)
        before = values()
        gan.fit(batches(examples, 8, 0, int(gan.step)), steps_per_epoch=stage.steps, verbose=0, shuffle=False)
        if stage.name == "warm up":
            continue
        for name, kernel in states.kernels.items():
            tuned, frozen, _ = (part.numpy() for part in states.parts[name])
            old, new = kernel.matrix(before[name]).numpy(), kernel.matrix(values()[name]).numpy()
            np.testing.assert_array_equal(new[frozen == 1], old[frozen == 1])
            assert (new[(tuned == 0) & (frozen == 0)] == 0).all()
            assert (new[tuned == 1] != old[tuned == 1]).any(1).all()
        seen.append(np.concatenate([np.stack([p.numpy() for p in states.parts[k][:2]]) for k in states.kernels], 1))
    pruned = [set(np.flatnonzero(state.sum(0) == 0)) for state in seen]
    assert pruned[0] and all(a <= b for a, b in zip(pruned, pruned[1:], strict=False))
    assert 0.4 < np.mean(seen[-1][1]) < 0.6 and 0 < len(pruned[-1]) <= 0.2 * seen[-1].shape[1]


def test_adam_modulates_the_chosen_filters_and_trains_the_others(source, compiled, examples):
    method = methods.AdAM(samples=4)
    gan = compiled(adapted_gan(method, source), transfer=method)
    at_source = numpy_weights(gan.generator)
    play(method, gan, examples)
    adapter = gan.g_adapters[0]
    shares = []
    for name, kernel in adapter.kernels.items():
        _, v, chosen = (part.numpy() for part in adapter.parts[name])
        shares.extend(chosen)
        own = kernel.matrix(next(x for x in gan.generator.variables if x.path == name).numpy()).numpy()
        old = kernel.matrix(at_source[name]).numpy()
        np.testing.assert_array_equal(own[chosen == 1], old[chosen == 1])
        assert (own[chosen == 0] != old[chosen == 0]).any(1).all()
        assert (v[chosen == 1] != 0).all()
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)


def test_cdc_judges_whole_images_near_the_anchors_only(source, compiled):
    method = methods.CDC(anchors=3, anchor_spread=0.0)
    gan = compiled(adapted_gan(method, source), transfer=method)
    noise = tf.constant(gan.latents(8, seed=5))
    labels = tf.range(8) % 3
    images = tf.constant(gan.generate(noise.numpy(), labels.numpy()))
    for step in range(5):
        gan.step.assign(step)
        latents, logits = method.latents(gan, noise).numpy(), method.discriminator_logits(gan, images, labels)
        near = {tuple(z) for z in latents} <= {tuple(z) for z in gan.method_state.anchors.numpy()}
        assert near == (step % 4 == 0)
        assert logits.shape == ((8, 1, 1, 1) if near else (8, 2, 2, 1))


def test_r1_is_taken_of_whole_images_alone(source, compiled):
    """In a graph, second derivatives of logits of two shapes ended the process."""
    method = methods.CDC(anchors=3)
    gan = compiled(adapted_gan(method, source), transfer=method, r1=0.1, r1_every=6)
    with pytest.raises(ConfigError, match="`r1_every` must be a multiple of 4, .* for CDC. Received: 6"):
        method.discriminator_logits(gan, tf.zeros((8, 8, 8, 1)), tf.range(8) % 3)


def test_a_mined_generator_is_one_model_that_saves_and_loads(source, compiled, examples, tmp_path):
    method = methods.MineGAN(units=5)
    gan = compiled(adapted_gan(method, source), transfer=method)
    play(method, gan, examples, 8)
    gan.ema_generator.save(tmp_path / "generator.keras")
    again = load_generator(str(tmp_path / "generator.keras"))
    latents, labels = gan.latents(5), np.arange(5) % 3
    np.testing.assert_allclose(again.predict([latents, labels], verbose=0), gan.generate(latents, labels), atol=1e-6)
    assert again.num_classes == 3 and again.latent_dim == 4
