"""Steps that two devices share: they must come to what one device comes to, whatever takes part in them.

`TESTS_HAVE_TWO_DEVICES=1 TESTS_OF_EVERY_PAIR=20 pytest -n0 tests/two_devices` takes 20 steps of every network
family and of every method on each, as graphs, and says how far apart they end (add `-rA`). Otherwise, a few of them
have one of each kind of term.
"""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import QUICK, TINY, adapted_gan, tiny_images
from test_transfer import CLASSES, METHODS, TAKEN, source_of

from tfgantl import replicas
from tfgantl.adaptive import AdaptiveAugment
from tfgantl.augment import POLICIES, DiffAugment
from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models import DCGAN
from tfgantl.models.adapters.base import Adapter
from tfgantl.optimizers import Adam
from tfgantl.path_length import PathLength
from tfgantl.private_step import PrivateGradients
from tfgantl.regularizers import AdaptivePseudoAugment, LeCam
from tfgantl.training.team import Team, current, form
from tfgantl.transfer.finetune import FineTune
from tfgantl.transfer.text_matching import TextMatching

EVERY_PAIR = "TESTS_OF_EVERY_PAIR"
STEPS = int(os.environ.get(EVERY_PAIR, "2"))  # R1 and path lengths are due in the first, and not in the second
ALONE = tf.distribute.get_strategy()
FAMILIES = ("MLP", "StyleGAN2")
PAIRS = [("DCGAN", "CDC"), ("MLP", "EWC"), ("MLP", "FeatureDistillation")]
if EVERY_PAIR in os.environ:
    FAMILIES, PAIRS = tuple(TINY), TAKEN
# They look at both batches as a whole, at single rows, and at random ones.
OPTIONS = {
    "DCGAN": {"regularizers": (LeCam, AdaptivePseudoAugment), "augment": ",".join(POLICIES), "gradient_penalty": 1.0},
    "MLP": {"regularizers": (LeCam, AdaptivePseudoAugment), "augment": "ada", "reuse_fakes": True},
    "StyleGAN2": {"regularizers": (PathLength,), "augment": "affine,color"},
}


@pytest.fixture(scope="module")
def data():
    return Examples.from_arrays(tiny_images(24), np.arange(24) % 3, num_classes=3)


@pytest.fixture
def quickly(request):
    """Of a few steps, most would be tracing."""
    if EVERY_PAIR not in os.environ:
        request.getfixturevalue("eagerly")


def train(gan, data, strategy, steps=STEPS):
    """What there is after some steps: the logs of the last one, and every variable."""

    def batches_from(start, **shares):
        return batches(data, 8, seed=0, start=start, mirror=True, **shares)

    if strategy is ALONE or not tf.config.functions_run_eagerly():
        shared = Team(strategy).shared(batches_from)(0)
        logs = gan.fit(shared, steps_per_epoch=steps, verbose=0, shuffle=False).history
        logs = {name: values[-1] for name, values in logs.items()}
    else:  # the iterators of several devices are made by functions, which must be traced
        parts = [list(batches_from(0, shares=2, mine=(i,)).take(steps)) for i in (0, 1)]
        gan.make_train_function()
        for step in range(steps):
            batch = tuple(_on_each(strategy, [part[step][i] for part in parts]) for i in (0, 1))
            logs = {name: float(value) for name, value in gan.train_function(iter([batch])).items()}
    layers = [gan, *gan.regularizers, *gan.g_adapters, *gan.d_adapters, gan.optimizer, gan.d_optimizer]
    state = {f"{i} {v.path}": v.numpy() for i, layer in enumerate(layers) for v in layer.variables}
    return logs, state


def _on_each(strategy, values):
    return strategy.experimental_distribute_values_from_function(lambda ctx: values[ctx.replica_id_in_sync_group])


def assert_alike(make, data, two, steps=STEPS):
    """Makes and trains a pair on one device and on two, and compares; both copies must be the same bits."""
    logs, state = train(make(), data, ALONE, steps)
    with two.scope():
        gan = make()
    shared_logs, shared_state = train(gan, data, two, steps)
    assert logs.keys() == shared_logs.keys() and len(state) == len(shared_state)
    for name in logs:
        np.testing.assert_allclose(shared_logs[name], logs[name], atol=1e-5, err_msg=name)
    furthest = 0.0
    for (name, value), (_, other) in zip(state.items(), shared_state.items(), strict=True):
        if "singular_values" in name and value.size == 1:
            continue  # spectral normalisation divides a kernel's only one out: its gradients are rounding errors
        np.testing.assert_allclose(other, value, atol=1e-5, rtol=1e-5, err_msg=name)
        furthest = max(furthest, float(np.max(np.abs(other.astype(np.float64) - value), initial=0.0)))
    print(f"{steps} steps: at most {furthest:.1e} apart")
    for weight in gan.weights:
        first, second = two.experimental_local_results(weight.value)
        np.testing.assert_array_equal(first.numpy(), second.numpy(), err_msg=weight.path)
    return gan


def pair_of(family, networks=None, **options):
    keras.utils.set_random_seed(1)
    gan = GAN(*(networks or TINY[family]).build(8, 1, CLASSES.get(family, 3)), seed=1)
    changes = {**OPTIONS.get(family, {}), **options}
    kinds = changes.pop("regularizers", ())
    augment = changes.pop("augment", "translation,cutout")
    augment = AdaptiveAugment(horizon=40) if augment == "ada" else DiffAugment(augment)
    given = {LeCam: {"weight": 0.3, "start": 1}, AdaptivePseudoAugment: {"horizon": 40}, PathLength: {"every": 2}}
    regularizers = [kind(**given[kind]) for kind in kinds]
    gan.compile(Adam(1e-3), Adam(1e-3), augment=augment, regularizers=regularizers, r1=0.1, r1_every=2, **changes)
    return gan


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("family", FAMILIES)
def test_two_devices_come_to_what_one_comes_to_whatever_the_family(two, data, family):
    assert_alike(lambda: pair_of(family), data, two)


@pytest.mark.usefixtures("vgg_weights", "text_encoders", "quickly")
@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_two_devices_come_to_what_one_comes_to_whatever_the_method(two, data, family, name):
    method, source = METHODS[name](**QUICK.get(name, {})), source_of(family)

    def make():
        gan = adapted_gan(method, source)
        gan.compile(Adam(1e-3), Adam(1e-3), augment=DiffAugment("translation"), r1=0.1, r1_every=4, transfer=method)
        next(iter(method.schedule(20))).begin(gan)
        return gan

    assert_alike(make, data, two)


class Vector(Adapter):
    def __init__(self):
        super().__init__()
        self.vector = self.add_weight(shape=(2,), initializer="zeros", name="vector")
        self.built = True


class Sometimes(FineTune):
    """What it trains has something to do in every other step only, and moves by its moments in between."""

    def discriminator_penalty(self, gan, images, labels):
        weights = gan.d_adapters[-1].vector
        return gan.in_every(2, lambda: tf.reduce_sum(tf.square(weights - 1.0)), lambda: 0.0)


def test_what_is_done_in_some_steps_has_graphs_of_its_own(two, data):
    def make():
        gan = pair_of("MLP", regularizers=())
        gan.d_adapters.append(Vector())
        gan.compile(Adam(1e-3), Adam(1e-3), augment=DiffAugment("translation"), r1_every=2, transfer=Sometimes())
        return gan

    gan = assert_alike(make, data, two, steps=3)
    (step,) = gan.traces.values()
    assert len(step._graphs) == 2


@pytest.mark.usefixtures("eagerly")
def test_dropout_and_batch_normalisation_are_of_the_whole_batch(two, data):
    """Also in the gradient penalty, which is between both batches."""
    networks = DCGAN(latent_dim=4, filters=(8, 6, 4), strides=(1, 2, 2), kernel_size=3, label_dim=2, dropout=0.4)
    assert_alike(lambda: pair_of("DCGAN", networks, augment="color", regularizers=()), data, two)


@pytest.mark.usefixtures("eagerly")
def test_noise_of_differential_privacy_is_added_once(two, data):
    def make():
        keras.utils.set_random_seed(1)
        gan = GAN(*TINY["MLP"].build(8, 1, 3), seed=1)
        gan.compile(Adam(1e-3), Adam(1e-3), private=PrivateGradients(clip=1.0, noise=2.0, key=5))
        return gan

    assert_alike(make, data, two)


def test_rows_of_a_batch_are_dealt_out_and_gathered(two, data):
    whole = next(iter(batches(data, 8, seed=3, mirror=True)))
    for share in (0, 1):
        part = next(iter(batches(data, 8, seed=3, mirror=True, shares=2, mine=(share,))))
        for mine, all_of_them in zip(part, whole, strict=True):
            np.testing.assert_array_equal(mine, all_of_them[share::2])
    both = list(batches(data, 8, seed=3, shares=2, mine=(0, 1)).take(4))
    np.testing.assert_array_equal(both[3][1], list(batches(data, 8, seed=3).take(2))[1][1][1::2])

    def of_replica():
        mine = replicas.rows(tf.range(6.0)[:, None])
        with tf.GradientTape() as tape:
            tape.watch(mine)
            loss = tf.reduce_sum(replicas.gathered(mine) * tf.range(6.0)[:, None]) / 2
        drawn = replicas.drawn(tf.random.stateless_normal, (3, 2), (1, 2))
        with replicas.whole_batch():
            assert replicas.number() == 1
        return replicas.gathered(mine), replicas.rolled(mine), replicas.gathered(drawn), tape.gradient(loss, mine)

    gathered, rolled, drawn, slope = (two.experimental_local_results(x) for x in two.run(tf.function(of_replica)))
    for i in (0, 1):
        np.testing.assert_array_equal(gathered[i][:, 0], range(6))
        np.testing.assert_array_equal(rolled[i][:, 0], [(j - 1) % 6 for j in range(i, 6, 2)])
        np.testing.assert_array_equal(drawn[i], tf.random.stateless_normal((6, 2), (1, 2)))
        np.testing.assert_allclose(slope[i][:, 0], range(i, 6, 2))  # of the mean over replicas, times their number
    assert replicas.number() == 1


@pytest.mark.usefixtures("eagerly")
def test_captions_of_other_pictures_are_those_of_the_whole_batch(two, data, monkeypatch):
    """Wrong captions are of the picture before, which is on the other device."""
    from tfgantl.transfer import text_matching

    vectors = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    monkeypatch.setattr(text_matching, "_table", lambda network: lambda labels: tf.gather(tf.constant(vectors), labels))

    def make():
        keras.utils.set_random_seed(1)
        gan = GAN(*TINY["MLP"].build(8, 1, 3), seed=1)
        method = TextMatching(FineTune(), mismatch=1.0, blending=0.0)
        gan.compile(Adam(1e-3), Adam(1e-3), transfer=method, augment=DiffAugment("cutout"))
        return gan

    assert_alike(make, data, two)


def test_batches_that_devices_cannot_share_are_refused(two):
    with pytest.raises(ConfigError, match="multiple of 2 images.*Received: 7"):
        Team(two).check_batch(7)


def test_teams_are_of_the_devices_that_are_asked_for():
    try:
        assert form("auto", 64).replicas == form("all", 64).replicas == form(1).replicas == 1
        assert form(2, 64).replicas == 2 and current().local == range(2) and current().is_chief
        assert form(2, 64).strategy is current().strategy
        with pytest.raises(ConfigError, match="must be set before TensorFlow.*Received: 3"):
            form(3)
    finally:
        form("auto")
