import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import QUICK, TINY, adapted_gan, directions, fixed, live_images, moved, numpy_weights, play

from tfgantl import transfer as methods
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models import FAMILIES
from tfgantl.models.adapters.kernel_adapters import FilterStates, Modulation
from tfgantl.models.parts import everything
from tfgantl.training.stages import Stage, StageMetrics, selected_layers
from tfgantl.training.trainable import trainable_parameters

# For the methods that look at images with them.
pytestmark = pytest.mark.usefixtures("vgg_weights", "text_encoders")
METHODS = {name: getattr(methods, name) for name in methods.__all__ if name not in ("Transfer", "Auto")}


# Every method on every family; the pairs of some families have no labels, so that both kinds are tried.
CLASSES = {"MLP": None, "StyleGAN2": None, "FastGAN": None}
# Methods that cannot work with a family, and say so.
REFUSED = {"MLP": {"ScaleShift", "Perceptual", "CDC", "RSSA"}}
TAKEN = [(family, name) for family in TINY for name in METHODS if name not in REFUSED.get(family, ())]
# Graphs of large families take seconds to trace; of methods that do the same with their layers, one is trained. On
# families that are not named here all are.
TRAINED_ON = {
    "StyleGAN2": ("LoRA", "AdAM", "ScaleShift", "LatentAffine", "CDC", "MineGAN"),
    "SNGAN": ("FreezeD", "SVD", "RICK", "LatentAffine"),
    "FastGAN": ("SVD", "AdAM", "ScaleShift", "CDC", "MineGAN"),
}
TRAINED = [(family, name) for family, name in TAKEN if name in TRAINED_ON.get(family, METHODS)]


@functools.cache
def source_of(family):
    """A source that methods leave as it is, once for all of them.

    No weight of it is all zeros, as after a training: behind a gate that is closed, nothing would get a gradient.
    """
    keras.utils.set_random_seed(9)
    networks = TINY[family].build(8, 1, CLASSES.get(family, 3))
    for variable in (v for network in networks for v in network.trainable_variables):
        if not variable.numpy().any():
            variable.assign(tf.fill(variable.shape, 0.1))
    return GAN(*networks, seed=9)


def labels_for(gan):
    return None if gan.num_classes is None else np.arange(6) % gan.num_classes


def test_every_family_is_tried():
    assert set(TINY) == {family.__name__ for family in FAMILIES}


@pytest.mark.parametrize(("family", "name"), [(family, name) for family in REFUSED for name in sorted(REFUSED[family])])
def test_methods_that_need_other_networks_say_so(family, name):
    with pytest.raises(ConfigError, match="must have .*Received") as error:
        METHODS[name]().networks(source_of(family), "float32")
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("eagerly")  # what is traced is traced below
@pytest.mark.parametrize(("family", "name"), TAKEN)
def test_every_method_is_the_source_until_it_is_trained(family, name):
    source, method = source_of(family), METHODS[name](**QUICK.get(name, {}))
    gan = adapted_gan(method, source)
    latents, labels = source.latents(6), labels_for(source)
    images = source.generate(latents, labels)
    for mine in (live_images(gan), gan.generate(latents, labels)):
        assert np.allclose(mine, images, atol=1e-6) == method.needs_source
    assert np.allclose(gan.score(images, labels), source.score(images, labels), atol=1e-6) == method.needs_source


@pytest.mark.parametrize(("family", "name"), TRAINED)
def test_frozen_weights_stay_bit_identical_and_adapters_merge_away(compiled, examples, family, name):
    method, source = METHODS[name](**QUICK.get(name, {})), source_of(family)
    untouched = [numpy_weights(network) for network in (source.generator, source.discriminator)]
    gan = compiled(adapted_gan(method, source), transfer=method)
    start = {v.path: v.numpy().copy() for part in (*gan.g_adapters, *gan.d_adapters) for v in part.trainable_variables}

    def check(stage, before):
        selections = stage.freeze_generator, stage.freeze_discriminator
        counts = trainable_parameters(gan)
        assert counts.generator + counts.g_adapters + counts.discriminator + counts.d_adapters > 0
        for network, selection, old in zip((gan.generator, gan.discriminator), selections, before, strict=True):
            frozen = {w.path for layer in selected_layers(network, selection) for w in layer.variables}
            free = {w.path for w in network.weights} - frozen - fixed(network)
            may_move = directions(network) - frozen
            assert moved(network, old) - may_move == free - may_move - merged_away(network), stage.name

    def merged_away(network):
        """Kernels all of whose filters are modulated or frozen by an adapter."""
        adapters = gan.g_adapters if network is gan.generator else gan.d_adapters
        return {
            name
            for part in adapters
            if isinstance(part, (Modulation, FilterStates))
            for name in part.kernels
            if (part.parts[name][2] if isinstance(part, Modulation) else part.parts[name][1]).numpy().all()
        }

    play(method, gan, examples, 40, check)
    assert not moved(source.generator, untouched[0]) and not moved(source.discriminator, untouched[1])
    for part in (*gan.g_adapters, *gan.d_adapters):
        assert all(not np.array_equal(v.numpy(), start[v.path]) for v in part.trainable_variables)
    images, labels = live_images(gan), labels_for(gan)
    logits = gan.score(images, labels)
    method.finish(gan)
    assert not gan.g_adapters and not gan.d_adapters
    np.testing.assert_allclose(live_images(gan), images, atol=1e-5)
    np.testing.assert_allclose(gan.score(images, labels), logits, atol=1e-5)
    assert [v.shape for v in gan.ema_generator.variables] == [v.shape for v in gan.generator.variables]
    latents = gan.latents(6)
    together = gan.generate(latents, labels)
    one = [(latents[i : i + 1], None if labels is None else labels[i : i + 1]) for i in range(6)]
    np.testing.assert_allclose(together, np.concatenate([gan.generate(*row) for row in one]), atol=1e-5)


# Penalties that are 0 at the source; what else a method adds to a loss is tested on its own.
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


# An option out of range for each check of `__post_init__`.
IMPOSSIBLE = [
    ("TextDirection", {"strength": 0.0}), ("TextDirection", {"keep": -1.0}), ("TextDirection", {"amount": 0.0}),
    ("LoRA", {"rank": 0}), ("L2SP", {"strength": 0.0}), ("EWC", {"strength": -1.0}), ("EWC", {"samples": 0}),
    ("MineGAN", {"units": 0}), ("MineGAN", {"miner_share": 0.0}), ("CDC", {"strength": 0.0}), ("CDC", {"samples": 2}),
    ("CDC", {"anchors": 0}), ("CDC", {"anchor_every": 0}), ("CDC", {"anchor_spread": -1.0}), ("RSSA", {"samples": 0}),
    ("RSSA", {"strength": 0.0}), ("RSSA", {"largest_map": 0}), ("AdAM", {"probe_share": 1.0}),
    ("AdAM", {"quantile": 1.5}), ("AdAM", {"samples": 0}), ("RICK", {"prune": 0.9}), ("RICK", {"every": 0}),
    ("RICK", {"warm_up_share": 0.0}), ("RICK", {"samples": 0}), ("FeatureDistillation", {"strength": 0.0}),
    ("Perceptual", {"strength": 0.0}), ("Perceptual", {"pixel": -1.0}), ("Perceptual", {"g_lr_multiplier": 0.0}),
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
    with pytest.raises(ConfigError, match="the discriminator must have 3 blocks to freeze. Received: 2"):
        next(methods.FreezeD(layers=3).schedule(10)).apply(gan)


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
    second = stages.send(StageMetrics(0.5, 0.5, 0.9, 0.9))
    assert first.freeze_generator is everything and second.freeze_generator == ("block0_.*",)
    assert (first.steps, second.steps) == (10, 40)


def test_alternating_stops_when_balanced_or_when_it_no_longer_improves():
    worse = [StageMetrics(0.5, 0.1, 0.9, 0.9)] * 20
    assert len(run_schedule(methods.Alternating(rounds=8, patience=2).schedule(800), worse)) == 6
    better = [StageMetrics(1 / i, 1 / i, 0.9, 0.9) for i in range(1, 21)]
    assert len(run_schedule(methods.Alternating(rounds=8, patience=2).schedule(800), better)) == 16
    balanced = [*better[:2], StageMetrics(0.3, 0.3, 0.52, 0.45), *better[3:]]
    assert len(run_schedule(methods.Alternating(rounds=8).schedule(800), balanced)) == 3
    memorised = [*better[:2], StageMetrics(0.3, 0.3, 0.0, 1.0), *better[3:]]  # half right on average, but not balanced
    assert len(run_schedule(methods.Alternating(rounds=8).schedule(800), memorised)) == 16


@pytest.mark.parametrize("steps", [2, 3, 7, 16, 17, 100])
def test_alternating_takes_exactly_its_steps(steps):
    schedule, outcome, taken = methods.Alternating().schedule(steps), None, 0
    while True:
        try:
            taken += schedule.send(outcome).steps
        except StopIteration:
            break
        outcome = StageMetrics(1 / taken, 1 / taken, 0.9, 0.9)
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


def test_each_real_image_pulls_the_nearest_generated_one_of_its_class():
    from tfgantl.penalties.nearest_images import NearestImages

    nearest = NearestImages((8, 8, 1), None, 0.1)
    first, second = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 1)).astype("f")
    reals, labels = tf.constant(np.stack([first, second])), tf.constant([0, 1])
    swapped = tf.constant(np.stack([second, first]))
    assert float(nearest.loss(reals, None, swapped)) == pytest.approx(0, abs=1e-4)
    assert 0.01 < float(nearest.loss(reals, labels, swapped)) < 10
    fakes = tf.Variable(np.stack([first * 0.9, second * 0.3]))
    with tf.GradientTape() as tape:
        loss = nearest.loss(reals[:1], None, fakes)
    gradient = np.abs(tape.gradient(loss, fakes).numpy()).sum((1, 2, 3))
    assert gradient[0] > 0 and gradient[1] == 0


def test_scale_shift_trains_styles_biases_and_noise_of_a_stylegan2():
    gan = adapted_gan(methods.ScaleShift(), source_of("StyleGAN2"))
    next(methods.ScaleShift().schedule(10)).apply(gan)
    trained = {v.path.partition("/")[2] for v in gan.generator.trainable_variables}
    kernels = {v.path for v in gan.generator.trainable_variables if v.path.endswith("kernel")}
    assert trained == {"kernel", "bias", "strength"} and all(path.endswith("_style/kernel") for path in kernels)


def test_both_networks_of_a_comparison_draw_the_same_noise(make_gan):
    gan = make_gan(TINY["StyleGAN2"], num_classes=None)
    for v in gan.generator.trainable_variables:
        v.assign(v + 0.3)  # strengths of noise among them
    method = methods.CDC()
    source, gan = gan, adapted_gan(method, gan)
    for _ in range(2):
        source.generator(gan.latents(8), training=True)  # other random states
        assert abs(float(method.generator_penalty(gan, tf.constant(gan.latents(8)), None, None))) < 1e-6


def test_kernels_of_a_stylegan2_are_adapted_as_they_compute(make_gan):
    generator = make_gan(TINY["StyleGAN2"]).generator
    for name, kernel in Modulation(generator, 0).kernels.items():
        rate = 0.01 if name.startswith("mapping_") else 1.0
        np.testing.assert_allclose(kernel.gain, rate * kernel.inputs**-0.5)
        assert 0.3 < np.std(kernel.matrix(kernel.variable.numpy())) * kernel.inputs**0.5 < 2
