import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgantl import transfer as methods
from tfgantl.data.pipeline import batches
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.gan import GAN
from tfgantl.models import DCGAN
from tfgantl.models.adapters import run
from tfgantl.models.presets import load_preset, save_preset
from tfgantl.training.stages import Outcome, Stage
from tfgantl.transfer.fisher import Fisher
from tfgantl.transfer.kernel_adapters import FilterStates, LowRank, Modulation, SingularValues
from tfgantl.transfer.weights import copy_weights, load_generator, load_source

METHODS = {name: getattr(methods, name) for name in methods.__all__ if name != "Transfer"}


def numpy_weights(network):
    return {v.path: v.numpy().copy() for v in network.variables}


def moved(network, before):
    return {v.path for v in network.variables if not np.array_equal(v.numpy(), before[v.path])}


@pytest.fixture
def source(make_gan):
    return make_gan(seed=9)


def adapted_gan(method, source, seed=0):
    keras.utils.set_random_seed(seed)
    gan = GAN(*method.networks(source, "float32"), seed=seed)
    method.prepare(gan, source)
    return gan


def play(method, gan, examples, steps=40, after=None):
    """Follows the whole schedule at half the steps; `after` is called with each stage."""
    schedule, outcome, taken = method.schedule(steps), None, 0
    while True:
        try:
            stage = schedule.send(outcome)
        except StopIteration:
            break
        stage.apply(gan)
        if stage.before is not None:
            stage.before(gan)
        before = [numpy_weights(network) for network in (gan.generator, gan.discriminator)]
        data = batches(examples, 8, seed=0, start=int(gan.step))
        gan.fit(data, steps_per_epoch=max(1, stage.steps // 2), verbose=0, shuffle=False)
        if after is not None:
            after(stage, before)
        taken += stage.steps
        outcome = Outcome(1.0 / taken, 1.0 / taken, 1.0, 1.0) if stage.measured else None
    assert taken == steps


def live_images(gan):
    """What the generator makes with its adapters, outside of training."""
    return run(gan.generator, [gan.latents(6), np.arange(6) % 3], gan.g_adapters, training=False).numpy()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_the_source_until_it_is_trained(source, name):
    method = METHODS[name]()
    gan = adapted_gan(method, source)
    latents, labels = source.latents(6), np.arange(6) % 3
    images = source.generate(latents, labels)
    for mine in (live_images(gan), gan.generate(latents, labels)):
        assert np.allclose(mine, images, atol=1e-6) == method.needs_source
    assert np.allclose(gan.score(images, labels), source.score(images, labels), atol=1e-6) == method.needs_source


@pytest.mark.parametrize("name", METHODS)
def test_frozen_weights_stay_bit_identical_and_adapters_merge_away(source, compiled, examples, name):
    method = METHODS[name]()
    gan = compiled(adapted_gan(method, source), transfer=method)
    start = {v.path: v.numpy().copy() for part in (*gan.g_adapters, *gan.d_adapters) for v in part.trainable_variables}

    def check(stage, before):
        patterns = stage.freeze_generator, stage.freeze_discriminator
        for network, frozen, old in zip((gan.generator, gan.discriminator), patterns, before, strict=True):
            free = [x for x in network.layers if not any(re.fullmatch(pattern, x.name) for pattern in frozen)]
            assert moved(network, old) == {w.path for x in free for w in x.weights} - merged_away(network), stage.name

    def merged_away(network):
        """Kernels all of whose filters are modulated or frozen by an adapter."""
        adapters = gan.g_adapters if network is gan.generator else gan.d_adapters
        return {
            kernel.path
            for part in adapters
            if isinstance(part, (Modulation, FilterStates))
            for kernel in part.kernels
            if (part.parts[kernel.path][2] if isinstance(part, Modulation) else part.parts[kernel.path][1])
            .numpy()
            .all()
        }

    play(method, gan, examples, 40, check)
    for part in (*gan.g_adapters, *gan.d_adapters):
        assert all(not np.array_equal(v.numpy(), start[v.path]) for v in part.trainable_variables)
    images, labels = live_images(gan), np.arange(6) % 3
    logits = gan.score(images, labels)
    method.finish(gan)
    assert not gan.g_adapters and not gan.d_adapters
    np.testing.assert_allclose(live_images(gan), images, atol=1e-5)
    np.testing.assert_allclose(gan.score(images, labels), logits, atol=1e-5)
    assert [v.shape for v in gan.ema_generator.variables] == [v.shape for v in gan.generator.variables]
    latents = gan.latents(6)
    together = gan.generate(latents, labels)
    alone = np.concatenate([gan.generate(latents[i : i + 1], labels[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


PENALISED = {
    "EWC": lambda gan, method, x, y, z: method.generator_penalty(gan, z, y, None),
    "L2SP": lambda gan, method, x, y, z: method.generator_penalty(gan, z, y, None),
    "CDC": lambda gan, method, x, y, z: method.generator_penalty(gan, z, y, None),
    "RSSA": lambda gan, method, x, y, z: method.generator_penalty(gan, z, y, None),
    "FeatureDistillation": lambda gan, method, x, y, z: method.discriminator_penalty(gan, x, y),
}


@pytest.mark.parametrize("name", PENALISED)
def test_penalties_are_zero_at_the_source_and_grow_with_the_distance(source, examples, name):
    method = METHODS[name]()
    gan = adapted_gan(method, source)
    images, labels = next(iter(batches(examples, 8, seed=0)))
    latents = tf.constant(gan.latents(8))

    def penalty():
        return float(PENALISED[name](gan, method, images, labels, latents))

    assert abs(penalty()) < 1e-6
    values = []
    for _ in range(3):
        for network in (gan.generator, gan.discriminator):
            for v in network.trainable_variables:
                v.assign(v + 0.05 * np.random.default_rng(0).standard_normal(v.shape))
        values.append(penalty())
    assert 0 < values[0] < values[1] < values[2]
    stronger = type(method)(**{**vars(method), "strength": 2 * method.strength})
    np.testing.assert_allclose(PENALISED[name](gan, stronger, images, labels, latents), 2 * values[-1], rtol=1e-5)


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
        for kernel in adapter.kernels:
            layer = next(x for x in network.layers if x.weights and x.weights[0].path == kernel.path)
            assert kernel.filters == (layer.filters if "conv" in layer.name else layer.units)
        for path, value in adapter.adapt(weights).items():
            np.testing.assert_allclose(value, weights[path].numpy(), atol=1e-5)


def test_modulation_has_rank_one_and_a_filter_depends_on_its_own_entry_only(source):
    """The published code builds the outer product the wrong way round: rank 6, and every filter depends on every v."""
    generator = source.generator
    adapter = Modulation(generator, 0)
    weights = {v.path: v for v in generator.variables}
    rng = np.random.default_rng(0)
    for kernel in adapter.kernels:
        u, v, _ = adapter.parts[kernel.path]
        v.assign(rng.standard_normal(v.shape))
        old = kernel.matrix(weights[kernel.path].numpy()).numpy()
        ratio = kernel.matrix(adapter.adapt(weights)[kernel.path]).numpy() / old - 1.0
        assert np.linalg.matrix_rank(ratio, tol=1e-2) == 1
        before = adapter.adapt(weights)[kernel.path].numpy()
        v.assign(v.numpy() * (np.arange(kernel.filters) != 1))
        changed = (adapter.adapt(weights)[kernel.path].numpy() != before).any(
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
    for kernel in low.kernels:
        old = kernel.matrix(weights[kernel.path].numpy()).numpy()
        change = kernel.matrix(low.adapt(weights)[kernel.path]).numpy() - old
        assert np.linalg.matrix_rank(change, tol=1e-4) == min(2, *old.shape)
        left, right, _ = singular.parts[kernel.path]
        rotated = left.numpy().T @ kernel.matrix(singular.adapt(weights)[kernel.path]).numpy() @ right.numpy().T
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
        stage.apply(gan)
        if stage.before is not None:
            stage.before(gan)
        before = values()
        gan.fit(batches(examples, 8, 0, int(gan.step)), steps_per_epoch=stage.steps, verbose=0, shuffle=False)
        if stage.name == "warm up":
            continue
        for kernel in states.kernels:
            tuned, frozen, _ = (part.numpy() for part in states.parts[kernel.path])
            old, new = kernel.matrix(before[kernel.path]).numpy(), kernel.matrix(values()[kernel.path]).numpy()
            np.testing.assert_array_equal(new[frozen == 1], old[frozen == 1])
            assert (new[(tuned == 0) & (frozen == 0)] == 0).all()
            assert (new[tuned == 1] != old[tuned == 1]).any(1).all()
        seen.append(
            np.concatenate([np.stack([p.numpy() for p in states.parts[k.path][:2]]) for k in states.kernels], 1)
        )
    pruned = [set(np.flatnonzero(state.sum(0) == 0)) for state in seen]
    assert pruned[0] and all(a <= b for a, b in zip(pruned, pruned[1:], strict=False))
    assert 0.2 < np.mean(seen[-1][1]) < 0.6 and len(pruned[-1]) <= 0.3 * seen[-1].shape[1]


def test_adam_modulates_the_chosen_filters_and_trains_the_others(source, compiled, examples):
    method = methods.AdAM(samples=4)
    gan = compiled(adapted_gan(method, source), transfer=method)
    at_source = numpy_weights(gan.generator)
    play(method, gan, examples)
    adapter = gan.g_adapters[0]
    shares = []
    for kernel in adapter.kernels:
        _, v, chosen = (part.numpy() for part in adapter.parts[kernel.path])
        shares.extend(chosen)
        own = kernel.matrix(next(x for x in gan.generator.variables if x.path == kernel.path).numpy()).numpy()
        old = kernel.matrix(at_source[kernel.path]).numpy()
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
        latents, logits = method.latents(gan, noise).numpy(), method.judge(gan, images, labels)
        near = {tuple(z) for z in latents} <= {tuple(z) for z in gan.memory.anchors.numpy()}
        assert near == (step % 4 == 0)
        assert logits.shape == ((8, 1) if near else (8, 2, 2, 1))


def test_a_mined_generator_is_one_model_that_saves_and_loads(source, compiled, examples, tmp_path):
    method = methods.MineGAN(units=5)
    gan = compiled(adapted_gan(method, source), transfer=method)
    play(method, gan, examples, 8)
    gan.ema_generator.save(tmp_path / "generator.keras")
    again = load_generator(str(tmp_path / "generator.keras"))
    latents, labels = gan.latents(5), np.arange(5) % 3
    np.testing.assert_allclose(again.predict([latents, labels], verbose=0), gan.generate(latents, labels), atol=1e-6)
    assert again.num_classes == 3 and again.latent_dim == 4


@pytest.mark.parametrize("name", ["ScaleShift", "CDC", "RSSA"])
def test_methods_that_need_other_networks_say_so(make_gan, name):
    from conftest import TINY_MLP

    with pytest.raises(ConfigError, match="must have .*Received"):
        METHODS[name]().networks(make_gan(TINY_MLP), "float32")


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"ScaleShift", "CDC", "RSSA"}))
def test_all_other_methods_take_dense_networks_without_labels(make_gan, compiled, examples, name):
    from conftest import TINY_MLP

    method = METHODS[name]()
    gan = compiled(adapted_gan(method, make_gan(TINY_MLP, num_classes=None)), transfer=method)
    play(method, gan, examples, 4)
    method.finish(gan)
    assert np.isfinite(gan.generate(gan.latents(3))).all()


IMPOSSIBLE = [
    ("LoRA", {"rank": 0}), ("L2SP", {"strength": 0.0}), ("EWC", {"strength": -1.0}), ("EWC", {"samples": 0}),
    ("MineGAN", {"units": 0}), ("MineGAN", {"miner_share": 0.0}), ("CDC", {"strength": 0.0}), ("CDC", {"samples": 2}),
    ("CDC", {"anchors": 0}), ("CDC", {"anchor_every": 0}), ("CDC", {"anchor_spread": -1.0}), ("RSSA", {"samples": 0}),
    ("RSSA", {"strength": 0.0}), ("RSSA", {"largest_map": 0}), ("AdAM", {"probe_share": 1.0}),
    ("AdAM", {"quantile": 1.5}), ("AdAM", {"samples": 0}), ("RICK", {"prune": 0.9}), ("RICK", {"every": 0}),
    ("RICK", {"warm_up_share": 0.0}), ("RICK", {"samples": 0}), ("FeatureDistillation", {"strength": 0.0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), IMPOSSIBLE, ids=str)
def test_impossible_options_are_named(name, options):
    with pytest.raises(ConfigError, match=f"`.*{next(iter(options))}`? .*must be .* Received: "):
        METHODS[name](**options)


def test_freeze_d_freezes_the_blocks_next_to_the_image(make_gan):
    gan = make_gan()
    next(methods.FreezeD(layers=2).schedule(10)).apply(gan)
    frozen = {layer.name for layer in gan.discriminator.layers if layer.weights and not layer.trainable}
    assert frozen == {"block1_conv", "block2_conv"}
    assert all(layer.trainable for layer in gan.generator.layers)


def run_schedule(schedule, outcomes):
    """Plays outcomes to a schedule; returns the names of its stages."""
    names, outcome = [], None
    for outcome_of_stage in [*outcomes, None]:
        try:
            names.append(schedule.send(outcome).name)
        except StopIteration:
            return names
        outcome = outcome_of_stage
    return names


def test_alternating_trains_d_alone_then_both():
    stages = methods.Alternating(rounds=2, freeze_generator=("block0_.*",)).schedule(100)
    first = next(stages)
    second = stages.send(Outcome(0.5, 0.5, 0.9, 0.9))
    assert first.freeze_generator == (".*",) and second.freeze_generator == ("block0_.*",)
    assert (first.steps, second.steps) == (10, 40)


def test_alternating_stops_when_balanced_or_when_it_no_longer_improves():
    worse = [Outcome(0.5, 0.1, 0.9, 0.9)] * 20
    assert len(run_schedule(methods.Alternating(rounds=8, patience=2).schedule(800), worse)) == 6
    better = [Outcome(1 / i, 1 / i, 0.9, 0.9) for i in range(1, 21)]
    assert len(run_schedule(methods.Alternating(rounds=8, patience=2).schedule(800), better)) == 16
    balanced = [*better[:2], Outcome(0.3, 0.3, 0.52, 0.45), *better[3:]]
    assert len(run_schedule(methods.Alternating(rounds=8).schedule(800), balanced)) == 3
    memorised = [*better[:2], Outcome(0.3, 0.3, 0.0, 1.0), *better[3:]]  # half right on average, but not balanced
    assert len(run_schedule(methods.Alternating(rounds=8).schedule(800), memorised)) == 16


@pytest.mark.parametrize("steps", [2, 3, 7, 16, 17, 100])
def test_alternating_takes_exactly_its_steps(steps):
    schedule, outcome, taken = methods.Alternating().schedule(steps), None, 0
    while True:
        try:
            taken += schedule.send(outcome).steps
        except StopIteration:
            break
        outcome = Outcome(1 / taken, 1 / taken, 0.9, 0.9)
    assert taken == steps


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discriminator_share": 1.0}, r"`discriminator_share` must be in \(0, 1\). Received: 1.0"),
        ({"rounds": 0}, "`rounds` must be at least 1. Received: 0"),
        ({"patience": 0}, "`patience` must be at least 1. Received: 0"),
        ({"tolerance": 0.6}, r"`tolerance` must be in \[0, 0.5\]. Received: 0.6"),
    ],
)
def test_alternating_refuses_impossible_settings(options, message):
    with pytest.raises(ConfigError, match=message):
        methods.Alternating(**options)


def test_a_pattern_that_matches_no_layer_is_an_error(make_gan):
    with pytest.raises(ConfigError, match="must match one of .*block0_dense.* Received: block9"):
        Stage("x", 1, freeze_generator=("block9",)).apply(make_gan())


def test_impossible_stages_and_settings_are_refused():
    with pytest.raises(ConfigError, match="stage `x` must have at least 1 step. Received: 0"):
        Stage("x", 0)
    with pytest.raises(ConfigError, match="`layers` must be at least 1. Received: 0"):
        methods.FreezeD(layers=0)


def test_copying_weights_needs_equal_names_and_shapes(make_gan):
    narrow = make_gan(DCGAN(4, (8, 6, 5), (1, 2, 2), 3, 2, 0.0))
    with pytest.raises(ArtifactError, match=r"must have the shape \(3, 3, 4, 6\). Received: \(3, 3, 5, 6\)"):
        copy_weights(narrow.generator, make_gan().generator)
    unconditional = make_gan(num_classes=None)
    with pytest.raises(ArtifactError, match="only in the target .*label_embedding"):
        copy_weights(unconditional.generator, make_gan().generator)


def test_nothing_is_copied_if_anything_does_not_fit(make_gan):
    target, narrow = make_gan(), make_gan(DCGAN(4, (8, 6, 5), (1, 2, 2), 3, 2, 0.0), seed=4)
    before = numpy_weights(target.generator)
    with pytest.raises(ArtifactError):
        copy_weights(narrow.generator, target.generator)
    assert not moved(target.generator, before)


def test_presets_keep_half_precision_weights_by_name(make_gan, tmp_path):
    gan = make_gan()
    save_preset(tmp_path / "tiny", gan.generator, gan.discriminator, {})
    for network, again in zip((gan.generator, gan.discriminator), load_preset(tmp_path / "tiny"), strict=True):
        for old, new in zip(network.variables, again.variables, strict=True):
            np.testing.assert_allclose(new.numpy(), old.numpy(), rtol=1e-3, atol=1e-6)
    arrays = dict(np.load(tmp_path / "tiny" / "weights.npz"))
    arrays.pop("generator/block0_dense/kernel")
    np.savez(tmp_path / "tiny" / "weights.npz", **arrays)
    with pytest.raises(ArtifactError, match="missing .'generator/block0_dense/kernel'"):
        load_preset(tmp_path / "tiny")


def test_the_shipped_preset_is_small_and_loads():
    source = GAN.from_preset("rendered-digits")
    assert source.generator.output_shape == (None, 28, 28, 1) and source.num_classes == 10
    from tfgantl.models.presets import PRESETS

    assert sum(f.stat().st_size for f in (PRESETS / "rendered-digits").iterdir()) <= 2 * 2**20
    images = source.generate(source.latents(10), np.arange(10))
    assert images.min() < -0.9 and images.max() > 0.9


def save_run(gan, path):
    for network in (gan.generator, gan.discriminator):
        network.save(path / f"{network.name}.keras")


def test_run_directories_and_keras_files_are_sources(make_gan, tmp_path):
    gan = make_gan()
    save_run(gan, tmp_path)
    assert not moved(load_source(str(tmp_path)).generator, numpy_weights(gan.generator))
    for handle in (tmp_path, tmp_path / "generator.keras"):
        assert not moved(load_generator(str(handle)), numpy_weights(gan.generator))


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:500])


def damage_text(path):
    path.write_text("no model")


@pytest.mark.parametrize("name", ["weights.npz", "config.json"])
@pytest.mark.parametrize("keep", [0, 100])
def test_damaged_presets_are_named(make_gan, tmp_path, name, keep):
    gan = make_gan()
    save_preset(tmp_path / "tiny", gan.generator, gan.discriminator, {})
    file = tmp_path / "tiny" / name
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match="tiny: must hold config.json and weights.npz of a preset"):
        load_preset(tmp_path / "tiny")


def test_a_discriminator_is_no_generator(make_gan, tmp_path):
    save_run(make_gan(), tmp_path)
    with pytest.raises(ArtifactError, match="must map latents, or latents and labels, to images"):
        load_generator(str(tmp_path / "discriminator.keras"))


def damage_missing(path):
    path.unlink()


@pytest.mark.parametrize("damage", [damage_truncate, damage_text, damage_missing])
def test_damaged_files_are_named(make_gan, tmp_path, damage):
    save_run(make_gan(), tmp_path)
    damage(tmp_path / "discriminator.keras")
    with pytest.raises(ArtifactError, match="discriminator.keras: must be"):
        load_source(str(tmp_path))


def test_weights_that_are_not_finite_are_refused(make_gan, tmp_path):
    gan = make_gan()
    gan.generator.weights[0].assign(np.full(gan.generator.weights[0].shape, np.nan))
    save_run(gan, tmp_path)
    with pytest.raises(ArtifactError, match="weights must be finite. Received: NaN or infinity in"):
        load_source(str(tmp_path))


def test_models_that_hold_code_are_refused(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(tmp_path / "generator.keras")
    with pytest.raises(ArtifactError, match="must be an intact .keras file of this package"):
        load_generator(str(tmp_path / "generator.keras"))


def test_unknown_handles_list_what_there_is():
    with pytest.raises(ArtifactError, match=r"must be a preset \(.*rendered-digits.* Received: nowhere"):
        load_source("nowhere")
    with pytest.raises(ArtifactError, match="must be one of .*rendered-digits.* Received: nowhere"):
        GAN.from_preset("nowhere")
