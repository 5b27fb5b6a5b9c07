import dataclasses

import keras
import numpy as np
import pytest
from conftest import TINY_DCGAN, TINY_MLP, tiny_images

from tfgantl import losses, network_pair
from tfgantl.augment import DiffAugment
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.images import to_unit
from tfgantl.random_streams import Stream

EVERY = [(networks, classes) for networks in (TINY_DCGAN, TINY_MLP) for classes in (None, 3)]


def snapshot(network):
    return {v.path: v.numpy().copy() for v in network.variables}


def changed(network, before):
    return {v.path for v in network.variables if not np.array_equal(v.numpy(), before[v.path])}


def fit(gan, examples, steps=2, start=None, batch_size=8):
    data = batches(examples, batch_size, seed=0, start=int(gan.step) if start is None else start)
    return gan.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False).history


@pytest.mark.parametrize(("networks", "classes"), EVERY)
@pytest.mark.parametrize("loss", losses.LOSSES)
def test_a_step_with_every_loss_and_network_moves_all_weights(
    make_gan, compiled, examples, networks, classes, loss, request
):
    if networks is not TINY_MLP or classes is None:  # one graph of each loss will do
        request.getfixturevalue("eagerly")
    gan = make_gan(networks, classes)
    pair = (gan.generator, gan.discriminator)
    before = [snapshot(network) for network in pair]
    history = fit(compiled(gan, loss=loss), examples)
    for network, old in zip(pair, before, strict=True):
        still = {v.path for v in network.trainable_variables} - changed(network, old)
        # Within the margin of hinge, and always for Wasserstein, real and fake pull a common bias equally.
        assert still <= ({"logits/bias"} if loss in ("hinge", "wasserstein") else set())
    assert set(history) == {"g_loss", "d_loss", "d_real", "d_fake"} and np.isfinite(list(history.values())).all()


@pytest.mark.parametrize(
    "options",
    [
        {"r1": 1.0, "r1_every": 2},
        {"loss": "wasserstein", "gradient_penalty": 10.0},
        {"augment": DiffAugment()},
        {"r1": 1.0, "r1_every": 1, "gradient_penalty": 1.0, "augment": DiffAugment("translation")},
    ],
    ids=str,
)
def test_penalties_and_augmentation_change_the_course(make_gan, compiled, examples, options):
    plain = compiled(make_gan(), loss=options.get("loss", "non_saturating"))
    other = compiled(make_gan(), **options)
    fit(plain, examples, 3), fit(other, examples, 3)
    assert changed(other.discriminator, snapshot(plain.discriminator))


def test_lazy_r1_acts_on_every_kth_step_only(make_gan, compiled, examples):
    plain, lazy = compiled(make_gan()), compiled(make_gan(), r1=5.0, r1_every=3)
    for gan in (plain, lazy):
        gan.step.assign(1)
    fit(plain, examples, 2), fit(lazy, examples, 2)  # steps 1 and 2
    assert not changed(lazy.discriminator, snapshot(plain.discriminator))
    fit(plain, examples, 1), fit(lazy, examples, 1)  # step 3
    assert changed(lazy.discriminator, snapshot(plain.discriminator))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_integer_seeds_reproduce_bit_for_bit(make_gan, compiled, examples, dtype):
    runs = []
    for seed in (1, 1, 2):
        gan = compiled(make_gan(seed=seed, dtype=dtype), augment=DiffAugment())
        fit(gan, examples, 4)
        runs.append(np.concatenate([w.ravel() for w in gan.get_weights()]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_freezing_after_tracing_takes_effect_weight_by_weight(compiled, examples):
    gan = compiled()
    fit(gan, examples)
    frozen = [layer for layer in gan.generator.layers + gan.discriminator.layers if layer.weights][::2]
    for layer in frozen:
        layer.trainable = False
    before = {network: snapshot(network) for network in (gan.generator, gan.discriminator)}
    fit(gan, examples)
    for network, old in before.items():
        still = {w.path for layer in network.layers if layer in frozen for w in layer.weights}
        assert changed(network, old) == set(old) - still
    for layer in frozen:  # and back again, on the first trace
        layer.trainable = True
    before = {network: snapshot(network) for network in before}
    fit(gan, examples)
    for network, old in before.items():
        assert changed(network, old) == set(old)
    assert len(gan.traces) == 2


@pytest.mark.usefixtures("eagerly")
def test_moments_survive_a_change_of_what_is_trained(compiled, examples):
    gan = compiled()
    fit(gan, examples)
    before = [v.numpy().copy() for v in gan.optimizer.variables[2:]]
    gan.generator.trainable = False
    fit(gan, examples)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, gan.optimizer.variables[2:], strict=True))
    assert any(np.abs(a).max() > 0 for a in before)


@pytest.mark.usefixtures("eagerly")
def test_a_frozen_generator_uses_its_moving_statistics(compiled, examples):
    gan = compiled()
    gan.generator.trainable = False
    old = snapshot(gan.generator)
    fit(gan, examples)
    assert not changed(gan.generator, old)


@pytest.mark.usefixtures("eagerly")
def test_average_follows_the_weights_and_the_statistics(make_gan, compiled, examples):
    gan = compiled(make_gan(ema_decay=0.9))
    start = snapshot(gan.ema_generator)
    assert not changed(gan.generator, start)
    gan.step.assign(1000)  # past the warm-up
    fit(gan, examples, 1, start=0)
    for average, live in zip(gan.ema_generator.variables, gan.generator.variables, strict=True):
        np.testing.assert_allclose(
            average.numpy(), 0.9 * start[average.path] + 0.1 * live.numpy(), rtol=1e-4, atol=1e-6
        )


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("classes, seen", [(3, [0, 1, 2] * 10), (50, list(range(50)) + list(range(10)))])
def test_statistics_of_batches_are_those_of_all_classes(make_gan, monkeypatch, classes, seen):
    """Of many classes, those beyond the size of a batch were never among them."""
    inputs = []
    monkeypatch.setattr(network_pair, "recalibrate_batch_norm", lambda ema, own, some: inputs.extend(some))
    make_gan(num_classes=classes).recalibrate_batch_norm(batches=2, batch_size=30)
    labels = np.concatenate([own.numpy() for _, own in inputs]).tolist()
    assert labels == (seen * 2 if classes == 3 else seen)


def test_recalibrated_statistics_are_those_of_the_averaged_weights(compiled, examples):
    gan = compiled()
    fit(gan, examples, 3)
    weights = snapshot(gan.ema_generator)
    statistics = {path for path in weights if "moving" in path}
    gan.recalibrate_batch_norm(batches=2, batch_size=30)
    assert not changed(gan.ema_generator, weights) - statistics
    latents = gan.latents(60, gan.seed, Stream.CALIBRATION).reshape(2, 30, -1)
    norm = gan.ema_generator.get_layer("block0_bn")
    probe = keras.Model(gan.ema_generator.inputs, norm.input)
    seen = [probe([x, np.arange(30) % 3]).numpy() for x in latents]
    np.testing.assert_allclose(norm.moving_mean.numpy(), np.mean([x.mean(0) for x in seen], 0), atol=1e-4)
    np.testing.assert_allclose(norm.moving_variance.numpy(), np.mean([x.var(0) for x in seen], 0), rtol=1e-3, atol=1e-5)
    assert norm.momentum == 0.99 and not gan.ema_generator.trainable


@pytest.mark.usefixtures("eagerly")
def test_images_do_not_depend_on_their_batch_mates(compiled, examples):
    gan = compiled()
    fit(gan, examples)
    latents, labels = gan.latents(10), np.arange(10) % 3
    many = gan.generate(latents, labels, batch_size=10)
    one_by_one = np.concatenate([gan.generate(latents[i : i + 1], labels[i : i + 1]) for i in range(10)])
    np.testing.assert_allclose(many, one_by_one, atol=1e-5)


def test_latents_of_a_row_depend_on_seed_and_row_only(make_gan):
    gan = make_gan()
    np.testing.assert_array_equal(gan.latents(20)[:5], gan.latents(5))
    assert not np.array_equal(gan.latents(5, seed=1), gan.latents(5))


def test_discriminator_learns_to_tell_a_simple_target(make_gan, compiled):
    """With the generator frozen, bright images are soon told from what it makes."""
    from tfgantl.data import Examples

    bright = Examples.from_arrays(np.full((16, 8, 8, 1), 250, np.uint8), np.arange(16) % 3, num_classes=3)
    gan = compiled(make_gan(), rate=3e-3)
    gan.generator.trainable = False
    history = fit(gan, bright, 60)
    assert history["d_real"][-1] > 0.7 and history["d_fake"][-1] > 0.7


def test_gan_config_round_trip(make_gan):
    gan = make_gan(ema_decay=0.8, seed=5)
    again = GAN.from_config(gan.get_config())
    assert again.ema_decay == 0.8 and again.seed == 5
    assert again.generator.get_config() == gan.generator.get_config()


@pytest.mark.usefixtures("eagerly")
def test_gradients_of_each_side_stop_at_its_own_network(make_gan, compiled, examples):
    gan = compiled(make_gan())
    gan.discriminator.trainable = False
    old = snapshot(gan.discriminator)
    generator = snapshot(gan.generator)
    fit(gan, examples)
    assert not changed(gan.discriminator, old)
    assert changed(gan.generator, generator)
    assert int(gan.step) == 2
    gan.discriminator.trainable, gan.generator.trainable = True, False
    generator = snapshot(gan.generator)
    fit(gan, examples)
    assert changed(gan.discriminator, old) and not changed(gan.generator, generator)


@pytest.mark.usefixtures("eagerly")
def test_an_unconditional_pair_leaves_labels_alone(make_gan, compiled, examples):
    unlabelled = dataclasses.replace(examples, num_classes=None, read=lambda i: (examples.read(i)[0], None))
    pair = [compiled(make_gan(num_classes=None)) for _ in range(2)]
    fit(pair[0], examples), fit(pair[1], unlabelled)
    assert not changed(pair[0].generator, snapshot(pair[1].generator))


@pytest.mark.usefixtures("eagerly")
def test_the_largest_seed_works(make_gan, compiled, examples):
    fit(compiled(make_gan(seed=2**32 - 1)), examples)


@pytest.mark.usefixtures("eagerly")
def test_simultaneous_updates_see_nothing_of_each_other(make_gan, examples):
    """The discriminator's is that of a step in turns, the generator's that against the discriminator as it was."""
    both, turns, still = (make_gan(TINY_MLP) for _ in range(3))
    for gan, rate, kind in ((both, 0.1, "simultaneous"), (turns, 0.1, "reuse_fakes"), (still, 0.0, "reuse_fakes")):
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(rate), **{kind: True})
        fit(gan, examples, steps=1)
    for one, other in ((both.discriminator, turns.discriminator), (both.generator, still.generator)):
        for weight, wanted in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(weight, wanted, atol=1e-6)
    assert changed(both.generator, snapshot(turns.generator))


@pytest.mark.parametrize("kind", ["fresh", "reuse_fakes", "simultaneous"])
def test_the_generator_may_learn_from_what_the_discriminator_has_seen(make_gan, compiled, monkeypatch, kind):
    gan = compiled(make_gan(TINY_MLP, None), **({} if kind == "fresh" else {kind: True}))
    made, seen = [], []
    run_generator, discriminate = gan.run_generator, gan.discriminate
    monkeypatch.setattr(gan, "run_generator", lambda *a: made.append(run_generator(*a)) or made[-1])
    monkeypatch.setattr(gan, "discriminate", lambda x, *a, **k: seen.append(x) or discriminate(x, *a, **k))
    before = gan.generator.get_weights()
    gan.train_step(keras.ops.convert_to_tensor(to_unit(tiny_images(8))))
    assert (len(made), len(seen)) == {"fresh": (2, 3), "reuse_fakes": (1, 3), "simultaneous": (1, 2)}[kind]
    assert np.array_equal(seen[1], seen[-1]) == (kind != "fresh")
    assert all(not np.array_equal(x, y) for x, y in zip(before, gan.generator.get_weights(), strict=True))
