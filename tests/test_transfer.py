import keras
import numpy as np
import pytest

from tfgantl import transfer as methods
from tfgantl.data.pipeline import batches
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.gan import GAN
from tfgantl.models import DCGAN
from tfgantl.models.presets import load_preset, save_preset
from tfgantl.training.stages import Outcome, Stage
from tfgantl.transfer.weights import copy_weights, load_generator, load_source

METHODS = {name: getattr(methods, name) for name in methods.__all__ if name != "Transfer"}


def numpy_weights(network):
    return {v.path: v.numpy().copy() for v in network.variables}


def moved(network, before):
    return {v.path for v in network.variables if not np.array_equal(v.numpy(), before[v.path])}


@pytest.fixture
def source(make_gan):
    return make_gan(seed=9)


@pytest.mark.parametrize("name", METHODS)
def test_prepare_starts_from_the_source_if_the_method_uses_one(make_gan, source, name):
    gan, method = make_gan(), METHODS[name]()
    fresh = numpy_weights(gan.generator)
    method.prepare(gan, source)
    for mine, theirs in ((gan.generator, source.generator), (gan.discriminator, source.discriminator)):
        same = not moved(mine, numpy_weights(theirs))
        assert same == method.needs_source
    assert bool(moved(gan.generator, fresh)) == method.needs_source
    assert not moved(gan.ema_generator, numpy_weights(gan.generator))


@pytest.mark.parametrize("name", METHODS)
def test_frozen_weights_stay_bit_identical_over_twenty_steps_and_all_others_move(
    make_gan, source, compiled, examples, name
):
    gan, method = make_gan(), METHODS[name]()
    method.prepare(gan, source)
    compiled(gan, transfer=method)
    schedule, outcome, trained = method.schedule(40), None, 0
    while True:
        try:
            stage = schedule.send(outcome)
        except StopIteration:
            break
        stage.apply(gan)
        before = [numpy_weights(network) for network in (gan.generator, gan.discriminator)]
        data = batches(examples, 8, seed=0, start=int(gan.step))
        gan.fit(data, steps_per_epoch=max(1, stage.steps // 2), verbose=0, shuffle=False)
        for network, old in zip((gan.generator, gan.discriminator), before, strict=True):
            frozen = {w.path for layer in network.layers if not layer.trainable for w in layer.weights}
            assert moved(network, old) == set(old) - frozen, stage.name
        trained += stage.steps
        outcome = Outcome(ckid=1.0 / trained, best_ckid=1.0 / trained, d_real=1.0, d_fake=1.0)
    assert trained == 40
    method.finish(gan)


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


@pytest.mark.parametrize("damage", [damage_truncate, damage_text])
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
