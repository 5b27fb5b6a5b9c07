"""Discriminators on frozen features: what is trained, what is saved, and who can work with them."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import QUICK, TINY, TINY_DCGAN, adapted_gan, moved, numpy_weights, play, tiny_images

from tfgantl import losses
from tfgantl import transfer as methods
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.gan import GAN
from tfgantl.images import to_unit
from tfgantl.models import Ensemble, Own, Projected
from tfgantl.models.copies import constant_layers, float32_copy, fresh_copy
from tfgantl.models.ensemble import EnsembleDiscriminator
from tfgantl.models.layers import LinearResizing
from tfgantl.models.projected import MAPS, ProjectedDiscriminator
from tfgantl.models.structure import structure_of
from tfgantl.models.vgg import FILE, VARIABLE, imagenet_is_here, vgg16
from tfgantl.optimizers import Adam
from tfgantl.pipelines.adapt.discriminator import choose_discriminator, with_discriminator
from tfgantl.regularizers import LeCam
from tfgantl.training.checkpoint import Checkpoints
from tfgantl.training.optimization import Optimization
from tfgantl.training.private import DifferentialPrivacy
from tfgantl.untrusted.networks import check_network, load_network

SMALL = {"resolution": 32, "width": 4}
IMAGES = to_unit(tiny_images(8))
LABELS = np.arange(8) % 3
KINDS = {"Projected": Projected, "Ensemble": Ensemble}


@pytest.fixture(params=KINDS)
def spec(request, narrow):
    return KINDS[request.param](weights=narrow, **SMALL)


@pytest.fixture
def pair(make_gan, spec):
    """Builds a tiny pair with such a discriminator."""

    def make(networks=TINY_DCGAN, num_classes=3, dtype="float32"):
        own = make_gan(networks, num_classes, dtype=dtype)
        return GAN(own.generator, spec.build(own.discriminator, num_classes, dtype), seed=0)

    return make


def constants(network):
    return {v.path: v.numpy() for layer in constant_layers(network) for v in layer.weights}


def test_resizing_is_that_of_tensorflow_and_has_second_gradients():
    images = np.random.default_rng(0).random((2, 12, 8, 3), np.float32)
    for size in ((12, 8), (24, 16), (6, 4), (5, 11), (1, 1)):
        wanted = tf.image.resize(images, size, antialias=True)
        np.testing.assert_allclose(LinearResizing(*size)(images), wanted, atol=1e-5)
    with tf.GradientTape() as outer:
        x = tf.constant(images)
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            total = tf.reduce_sum(LinearResizing(6, 4)(x) ** 3)
        norm = tf.reduce_sum(inner.gradient(total, x) ** 2)
    assert np.abs(outer.gradient(norm, x)).max() > 0


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("networks", TINY.values(), ids=TINY)
@pytest.mark.parametrize("classes", [None, 3])
def test_any_generator_is_trained_against_it(pair, spec, networks, classes):
    gan = pair(networks, classes)
    assert gan.discriminator.output_shape[1] == 16 * (1 + isinstance(spec, Ensemble))  # 4 heads of 2 x 2 places
    before = [numpy_weights(network) for network in (gan.generator, gan.discriminator)]
    penalties = {"r1": 0.1, "r1_every": 1, "regularizers": [LeCam(0.3, start=0)]} if networks is TINY_DCGAN else {}
    gan.compile(Adam(1e-2), Adam(1e-2), **penalties)  # with hinge, gradients of biases may cancel
    logs = gan.fit(IMAGES, None if classes is None else LABELS, batch_size=4, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    changed = moved(gan.discriminator, before[1])
    assert moved(gan.generator, before[0])
    assert not changed & set(constants(gan.discriminator))
    heads = {v.path for layer in structure_of(gan.discriminator).outputs for v in layer.trainable_variables}
    assert heads - changed <= {path for path in heads if "label" in path}
    assert gan.score(IMAGES, None if classes is None else LABELS).shape == (8,)


def test_constants_are_neither_thawed_nor_kept_by_optimizers_checkpoints_and_states(pair, tmp_path):
    gan = pair()
    discriminator = gan.discriminator
    fixed = constants(discriminator)
    assert len(fixed) == 2 * (
        13 + 4 + 3
    )  # kernels and biases of VGG16, and of the random ones across channels and depths
    for layer in discriminator._flatten_layers():
        layer.trainable = True
    assert not set(fixed) & {v.path for v in discriminator.trainable_variables}
    gan.compile(Adam(1e-2), Adam(1e-2))
    small = sum(v.numpy().nbytes for v in discriminator.trainable_variables)
    assert sum(v.numpy().nbytes for v in gan.d_optimizer.variables) < 2.1 * small + 100
    Checkpoints(gan, tmp_path).save(1)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1e6
    assert sum(v.shape.num_elements() for v in gan.changing_weights) < 1e5
    value = structure_of(discriminator).outputs[-1].weights[0]
    kept = value.numpy()
    value.assign(kept + 1)
    Checkpoints(gan, tmp_path).restore_last()
    np.testing.assert_array_equal(value.numpy(), kept)


def test_copies_begin_anew_but_keep_what_never_changes(pair):
    discriminator = pair().discriminator
    other = fresh_copy(discriminator)
    for path, value in constants(discriminator).items():
        np.testing.assert_array_equal(constants(other)[path], value)
    assert moved(other, numpy_weights(discriminator))
    half = fresh_copy(discriminator, "mixed_bfloat16")
    half.set_weights(discriminator.get_weights())
    both = [network([IMAGES, LABELS]).numpy() for network in (discriminator, half)]
    assert both[1].dtype == np.float32
    np.testing.assert_allclose(both[0], both[1], atol=0.1 * np.abs(both[0]).max())
    np.testing.assert_allclose(float32_copy(half)([IMAGES, LABELS]), both[0], atol=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_files_hold_all_of_it(pair, tmp_path):
    gan = pair()
    gan.compile(Adam(1e-2), Adam(1e-2), loss="hinge")
    gan.fit(IMAGES, LABELS, batch_size=4, verbose=0)
    gan.discriminator.save(tmp_path / "discriminator.keras")
    wanted = gan.discriminator([IMAGES, LABELS]).numpy()
    np.testing.assert_array_equal(load_network(tmp_path / "discriminator.keras")([IMAGES, LABELS]), wanted)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(again.discriminator([IMAGES, LABELS]), wanted)
    for one in (gan, again):
        one.fit(IMAGES, LABELS, batch_size=4, verbose=0, shuffle=False)
    np.testing.assert_array_equal(*(one.discriminator([IMAGES, LABELS]) for one in (gan, again)))
    load_network(tmp_path / "gan.keras")


@pytest.mark.usefixtures("narrow")
def test_heads_weigh_alike_and_see_places_as_far_as_their_depth():
    keras.utils.set_random_seed(0)
    for size, resolution, places in ((28, 64, 4), (64, 64, 4), (64, 32, 2), (96, 96, 3), (64, 128, 4)):
        discriminator = ProjectedDiscriminator(size, 1, resolution=None if size == resolution else resolution, width=2)
        assert discriminator.resolution == resolution
        shapes = [discriminator.get_layer(f"head{i}_logits").output.shape[1:] for i in (1, 2, 3, 4)]
        assert shapes == [(places, places, 1)] * 4
    assert ProjectedDiscriminator(28, 1, width=2).resolution == 64
    sides = [discriminator.get_layer(f"scaled{i}").output.shape[1] for i in (1, 2, 3, 4)]
    assert sides == [64, 32, 16, 8]


def test_features_of_photographs_have_the_size_of_one(all_of_vgg):
    """Random convolutions keep the mean square of what they see."""
    discriminator = Projected(str(all_of_vgg), 32, 256).build(ProjectedDiscriminator(32, 3))
    rng = np.random.default_rng(0)
    mix = discriminator.get_layer("channels2")
    x = np.abs(rng.standard_normal((4, 8, 8, mix.kernel.shape[2])).astype("f"))
    assert np.mean(mix(x).numpy() ** 2) == pytest.approx(np.mean(x**2), rel=0.3)
    other = Projected(str(all_of_vgg), 32, 256, seed=1).build(ProjectedDiscriminator(32, 3))
    assert np.abs(other.get_layer("channels2").kernel - mix.kernel).max() > 0.1
    features = discriminator.get_layer("vgg16")
    images = rng.uniform(-1, 1, (2, 32, 32, 3)).astype("f")
    for mine, wanted in zip(features(images), vgg16(tuple(MAPS), str(all_of_vgg))(images), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-4 * wanted.numpy().max())


def test_both_of_an_ensemble_have_the_same_weight(make_gan, narrow):
    source = make_gan()
    discriminator = Ensemble(narrow, **SMALL).build(source.discriminator, 3)
    logits = discriminator([IMAGES, LABELS]).numpy()
    own = source.discriminator([IMAGES, LABELS]).numpy()
    np.testing.assert_allclose(logits[:, :16], np.repeat(own, 16, 1), atol=1e-6)
    np.testing.assert_allclose(logits[:, 16:], discriminator.projected([IMAGES, LABELS]), atol=1e-6)
    loss = losses.get("hinge").discriminator
    halves = [loss(logits[:, part], -logits[:, part]) for part in (slice(0, 16), slice(16, 32))]
    np.testing.assert_allclose(loss(logits, -logits), np.mean(halves), rtol=1e-5)
    again = Ensemble(narrow, **SMALL).build(discriminator, 3)
    np.testing.assert_allclose(again([IMAGES, LABELS])[:, 0], own[:, 0], atol=1e-6)


# What differs from a FastGAN that is fine-tuned on 100 pictures in colour, and what is chosen then.
CHOICES = {
    "nothing": ({}, Ensemble()),
    "its own": ({"discriminator": Own()}, Own()),
    "another": ({"discriminator": Projected(width=8)}, Projected(width=8)),
    "a run that goes on": ({"resume": "runs/x"}, None),
    "a run that goes on with it": ({"resume": "runs/x", "discriminator": Ensemble()}, Ensemble()),
    "another method": ({"transfer": methods.L2SP()}, None),
    "privacy": ({"privacy": DifferentialPrivacy(noise=1.0)}, None),
    "many pictures": ({"count": 501}, None),
    "gray": ({"channels": 1}, None),
    "large": ({"size": 256}, None),
    "another family": ({"family": "DCGAN"}, None),
    "no weights": ({"here": False}, Own()),
}


@pytest.mark.parametrize("what", CHOICES)
def test_the_discriminator_is_chosen_where_it_was_measured(what, make_gan, monkeypatch, tmp_path, capsys):
    given, wanted = CHOICES[what]
    (tmp_path / "vgg16.h5").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / ("vgg16.h5" if given.get("here", True) else "none.h5")))
    source = make_gan(TINY[given.get("family", "FastGAN")], None)
    side, channels = given.get("size", 64), given.get("channels", 3)
    part = SimpleNamespace(size=given.get("count", 100), image_size=side, channels=channels)
    own = {name: value for name, value in given.items() if name in ("discriminator", "resume", "transfer", "privacy")}
    config = SimpleNamespace(**{"discriminator": None, "resume": None, "privacy": DifferentialPrivacy(), **own})
    assert choose_discriminator(config, source, part, own.get("transfer", methods.FineTune())) == wanted
    told = capsys.readouterr().err
    assert ("chosen for few pictures" in told) == (what == "nothing")
    assert ("come out better" in told) == (what == "no weights")


def test_weights_are_looked_for_where_keras_puts_them(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not imagenet_is_here()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE).touch()
    assert imagenet_is_here()


REFUSED = {
    "Projected": {
        "EWC": "`discriminator` must be left out for EWC", "SVD": "`discriminator` must be left out for SVD",
        "FreezeD": "must have 1 blocks to freeze. Received: 0", "CDC": "must have convolution blocks",
        "FeatureDistillation": "must have blocks with feature maps", "AdAM": "`transfer` must be a method that adapts",
        "RICK": "`transfer` must be a method that adapts",
    },
    "Ensemble": {"EWC": "`discriminator` must be left out for EWC", "SVD": "`discriminator` must be left out for SVD"},
}  # fmt: skip


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", sorted(set(methods.__all__) - {"Transfer", "Auto", "Perceptual", "TextDirection"}))
def test_methods_train_with_it_or_say_why_not(source, spec, examples, name):
    method = getattr(methods, name)(**QUICK.get(name, {}))
    refusal = REFUSED[type(spec).__name__].get(name)

    def begin():
        changed = with_discriminator(source, spec, method, 0)
        gan = adapted_gan(method, changed)
        gan.compile(Adam(1e-2), Adam(1e-2), loss="hinge", transfer=method)
        next(method.schedule(4)).apply(gan)
        return changed, gan

    if refusal is not None:
        with pytest.raises(ConfigError, match=refusal) as error:
            begin()
        assert "\n" not in str(error.value)
        return
    changed, gan = begin()
    before = constants(gan.discriminator)
    if method.needs_source:
        np.testing.assert_allclose(gan.generate(gan.latents(3), [0, 1, 2]), source.generate(gan.latents(3), [0, 1, 2]))
    if name in ("FineTune", "FreezeD", "Alternating", "CDC"):
        play(method, gan, examples, 4)
    for path, value in before.items():
        np.testing.assert_array_equal(constants(gan.discriminator)[path], value)
    method.finish(gan)
    assert np.isfinite(gan.score(IMAGES, LABELS)).all()


def test_mistakes_are_told(tmp_path, monkeypatch, make_gan, narrow):
    own = make_gan(num_classes=None).discriminator
    for value in (16, 40, 1040):
        with pytest.raises(ConfigError, match=f"`resolution` must be a multiple of 16 .* Received: {value}"):
            Projected(resolution=value)
    monkeypatch.setenv("TFGANTL_VGG16_WEIGHTS", str(tmp_path / "none.h5"))
    with pytest.raises(ArtifactError, match="`weights` of VGG16 must be .*, which is not there"):
        Projected().features_hash()
    projected = Projected(narrow, **SMALL).build(own)
    with pytest.raises(ConfigError, match="`discriminator` Ensemble must have a discriminator of the pair's own"):
        Ensemble(narrow, **SMALL).build(projected)
    network = EnsembleDiscriminator(own, **SMALL)
    config = keras.saving.serialize_keras_object(network)
    config["config"]["own"] = keras.saving.serialize_keras_object(network)
    with pytest.raises(ArtifactError, match="a EnsembleDiscriminator must not hold another one"):
        check_network(config, 2**30, tmp_path)


def test_settings_are_those_of_its_authors():
    settings = Optimization().settled(Projected(), 64, 16)
    assert (settings.loss, settings.r1, settings.beta_1) == ("hinge", 0.0, 0.0)
