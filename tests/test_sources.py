import shutil
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY as FAMILIES
from conftest import TINY_DCGAN as TINY
from modules import save_exported, save_generator_h5, save_h5, save_npz, tf1_hub_module, tf2_module

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.export.manifest import read_manifest
from tfgantl.export.publish import publish
from tfgantl.gan import GAN
from tfgantl.models import DCGAN, MLP, Networks
from tfgantl.models.copies import float32_copy, fresh_copy
from tfgantl.models.families import family_names
from tfgantl.models.parts import everything
from tfgantl.pretrained import (
    WrappedGenerator,
    load_generator,
    load_source,
    open_source,
    rebuild_discriminator,
)
from tfgantl.pretrained import discriminators as discriminators_module
from tfgantl.training.stages import Stage


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(rebuild_discriminator, "__defaults__", (0, 2, 8))


def images_of(generator, count=6):
    inputs = [np.random.default_rng(0).standard_normal((count, generator.inputs[0].shape[-1]), np.float32)]
    if len(generator.inputs) == 2:
        inputs.append(np.arange(count) % generator.num_classes)
    return generator.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)


@pytest.mark.parametrize(
    ("save", "name", "needs"),
    [
        (save_npz, "pair.npz", True),
        (save_h5, "pair.weights.h5", True),
        (save_generator_h5, "generator.weights.h5", True),
        (save_exported, "exported", True),
        (save_exported, "exported", False),
        (lambda gan, path: gan.generator.save(path), "generator.keras", False),
        (lambda gan, path: gan.save(path), "gan.keras", False),
    ],
)
@pytest.mark.parametrize("networks", [TINY, MLP(latent_dim=4, units=8, label_dim=2)], ids=["dcgan", "mlp"])
def test_every_kind_of_handle_gives_the_images_of_the_source(make_gan, tmp_path, networks, save, name, needs):
    gan = make_gan(networks, seed=5)
    for variable in gan.generator.variables:  # statistics and shifts that differ from their initial values
        if variable.dtype == "float32":
            variable.assign(variable + 0.1 * np.random.default_rng(1).random(variable.shape, np.float32))
    save(gan, tmp_path / name)
    options = {"networks": networks} if needs else {}
    np.testing.assert_allclose(
        images_of(load_generator(str(tmp_path / name), **options)), images_of(gan.generator), atol=1e-5
    )
    source, report = open_source(str(tmp_path / name), **options)
    np.testing.assert_allclose(images_of(source.generator), images_of(gan.generator), atol=1e-5)
    assert source.num_classes == 3 and report.share == 1.0 and "100.0 %" in str(report)
    has_both = name.startswith(("pair", "gan"))
    same = all(np.array_equal(a, b) for a, b in zip(
        source.discriminator.get_weights(), gan.discriminator.get_weights(), strict=False))  # fmt: skip
    assert same == has_both and ("rebuilt" in str(report)) != has_both


# Families that cannot tell sizes from shapes take no bare weights, and say so below.
TELL_SIZES = [spec for spec in FAMILIES.values() if type(spec).possible_sizes is not Networks.possible_sizes]


@pytest.mark.parametrize("networks", TELL_SIZES, ids=lambda spec: type(spec).__name__)
def test_weights_of_keras_are_loaded_into_every_family(make_gan, tmp_path, networks):
    gan = make_gan(networks, seed=5)
    save_h5(gan, tmp_path / "pair.weights.h5")
    source, report = open_source(str(tmp_path / "pair.weights.h5"), networks=networks)
    assert report.share == 1.0
    for mine, wanted in ((source.generator, gan.generator), (source.discriminator, gan.discriminator)):
        for value, other in zip(mine.get_weights(), wanted.get_weights(), strict=True):
            np.testing.assert_array_equal(value, other)


def test_a_discriminator_is_rebuilt_once_for_a_source(make_gan, tmp_path, capsys, monkeypatch):
    make_gan(TINY, seed=5).generator.save(tmp_path / "generator.keras")
    first, _ = open_source(str(tmp_path / "generator.keras"))
    assert "the source has no discriminator: one is built in 300 steps" in capsys.readouterr().err
    again, report = open_source(str(tmp_path / "generator.keras"))
    assert "no discriminator" not in capsys.readouterr().err and "rebuilt" in str(report)
    for a, b in zip(first.discriminator.get_weights(), again.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    (kept,) = (tmp_path / "own-cache" / "discriminators").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    open_source(str(tmp_path / "generator.keras"))
    assert "one is built" in capsys.readouterr().err
    make_gan(TINY, seed=6).generator.save(tmp_path / "generator.keras")
    open_source(str(tmp_path / "generator.keras"))
    assert "one is built" in capsys.readouterr().err and len(list(kept.parent.iterdir())) == 2


def test_bare_weights_need_an_architecture_that_fits_them(make_gan, tmp_path):
    save_npz(make_gan(), tmp_path / "pair.npz")
    with pytest.raises(ConfigError, match="`networks` must say which architecture .* Received: none"):
        load_source(str(tmp_path / "pair.npz"))
    with pytest.raises(ConfigError, match="`networks` must be the architecture of .*fits 0 ways"):
        load_source(str(tmp_path / "pair.npz"), networks=DCGAN(latent_dim=5, filters=(8, 6), strides=(2, 2)))

    class Other(Networks):
        pass

    Other.__abstractmethods__ = frozenset()
    with pytest.raises(ConfigError, match=f"must be {family_names(type(spec) for spec in TELL_SIZES)} to take"):
        load_source(str(tmp_path / "pair.npz"), networks=Other())


@pytest.mark.parametrize("options", [{"networks": TINY}, {"allow_ops": ("ReadFile",)}])
def test_options_that_nothing_needs_are_errors(make_gan, tmp_path, options):
    gan = make_gan()
    for network in (gan.generator, gan.discriminator):
        network.save(tmp_path / f"{network.name}.keras")
    for handle in ("rendered-digits", str(tmp_path)):
        with pytest.raises(ConfigError, match="must not be given|must only be given"):
            load_source(handle, **options)
    module = tf2_module(tmp_path / "module")
    with pytest.raises(ConfigError, match="`allow_ops` must name operations .*none.* Received: ReadFile"):
        load_source(str(module), allow_ops=("ReadFile",))


def test_a_run_without_a_discriminator_gets_a_new_one(make_gan, tmp_path):
    make_gan().generator.save(tmp_path / "generator.keras")
    source = load_source(str(tmp_path), networks=TINY)
    assert source.discriminator.output_shape == (None, 1)
    assert source.discriminator.get_layer("block1_conv").kernel.shape == (3, 3, 1, 4)


def test_a_rebuilt_discriminator_tells_samples_from_noise_and_leaves_the_generator_alone(make_gan):
    keras.utils.set_random_seed(0)
    generator = MLP(latent_dim=4, units=8).build(8, 1)[0]
    generator.get_layer("to_images_dense").bias.assign(np.linspace(-2, 2, 64))
    before = generator.get_weights()
    discriminator = discriminators_module.rebuild_discriminator(generator, TINY, seed=0, steps=60, batch_size=32)
    for old, new in zip(before, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    real = discriminator.predict(images_of(generator, 64), verbose=0)
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype("f")
    assert (real > np.median(discriminator.predict(noise, verbose=0))).mean() > 0.95


# --- Hub ---


@pytest.mark.parametrize(("make", "classes"), [(tf1_hub_module, 3), (tf2_module, None)])
def test_cached_hub_modules_are_sources_without_a_network(cached, compiled, make, classes):
    handle = cached("https://tfhub.dev/someone/gan/1", make)
    source = load_source(handle)
    assert source.num_classes == classes and source.generator.output_shape[1:3] == (4, 4)
    assert images_of(source.generator).shape == images_of(load_generator(handle)).shape
    assert "wrapped" not in handle and isinstance(source.generator, WrappedGenerator)


def test_kaggle_handles_go_through_kagglehub(tmp_path, monkeypatch):
    module, asked = tf2_module(tmp_path / "module"), []
    fake = types.SimpleNamespace(model_download=lambda name: asked.append(name) or str(module))
    monkeypatch.setitem(sys.modules, "kagglehub", fake)
    assert load_generator("kaggle://google/progan/tensorFlow1/128/1").output_shape == (None, 4, 4, 1)
    assert asked == ["google/progan/tensorFlow1/128/1"]
    with pytest.raises(ArtifactError, match="must be kaggle://owner/model"):
        load_generator("kaggle://google")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ArtifactError, match=r"kagglehub must be installed: pip install 'tfgantl\[hub\]'"):
        load_generator("kaggle://google/progan/tensorFlow1/128/1")


# --- Wrap ---


@pytest.mark.parametrize("trainable", [True, False])
def test_a_wrapped_module_trains_its_generator_and_nothing_else(tmp_path, compiled, trainable):
    """Modules that were published as not fine-tunable have no trainable variables, and train all the same."""
    generator = WrappedGenerator(tf1_hub_module(tmp_path / "module", trainable))
    assert generator.num_classes == 3 and generator.module_config["output_range"] == [0.0, 1.0]
    assert {v.path for v in generator.variables} == {
        "generator/fc/kernel", "generator/emb/kernel", "generator/bn/moving_mean",
    }  # fmt: skip
    assert generator.set_trainable(r"generator/fc/.*") == ["generator/fc/kernel"]
    keras.utils.set_random_seed(0)
    gan = compiled(GAN(generator, TINY.build(4, 3, 3)[1]))
    Stage("freezes", 1, freeze_generator=everything).apply(gan)
    assert not generator.trainable_variables
    Stage("thaws", 1).apply(gan)
    before = {v.path: v.numpy() for v in generator.variables}
    images = images_of(generator)
    data = tf.data.Dataset.from_tensors((tf.zeros((8, 4, 4, 3)), tf.zeros((8,), tf.int32))).repeat()
    gan.fit(data, steps_per_epoch=2, verbose=0, shuffle=False)
    moved = {v.path for v in generator.variables if not np.array_equal(v.numpy(), before[v.path])}
    assert moved == {"generator/fc/kernel"}
    assert np.abs(images_of(generator) - images).max() > 1e-3  # the signature reads what the optimizer wrote


def test_a_file_of_a_wrapped_generator_names_what_is_trained(tmp_path):
    generator = WrappedGenerator(tf1_hub_module(tmp_path / "module"), trainable=".*fc/.*")
    config = generator.get_config()
    again = WrappedGenerator.from_config(config)
    assert [v.path for v in again.trainable_variables] == ["generator/fc/kernel"] == config["trainable"]
    with pytest.raises(ArtifactError, match="`trainable` of a file must be a list of names. Received: a pattern"):
        WrappedGenerator.from_config({**config, "trainable": "(a|aa)+"})


@pytest.mark.parametrize("make", [tf1_hub_module, tf2_module])
def test_a_wrapped_generator_survives_files_copies_and_export(tmp_path, make):
    generator = WrappedGenerator(make(tmp_path / "module"))
    generator.trainable_variables[0].assign(generator.trainable_variables[0] * 0.5)
    images = images_of(generator)
    assert images.min() >= -1.001 and images.max() <= 1.001
    np.testing.assert_allclose(images_of(float32_copy(generator)), images, atol=1e-6)
    assert np.abs(images_of(fresh_copy(generator, "mixed_bfloat16")) - images).max() > 0.1  # nothing learnt is left
    generator.save(tmp_path / "generator.keras")
    np.testing.assert_allclose(images_of(load_generator(str(tmp_path / "generator.keras"))), images, atol=1e-6)
    checkpoint = tf.train.Checkpoint(model=generator).save(str(tmp_path / "checkpoint"))
    other = WrappedGenerator(tmp_path / "module")
    tf.train.Checkpoint(model=other).restore(checkpoint).expect_partial()
    np.testing.assert_allclose(images_of(other), images, atol=1e-6)
    exported = publish(generator, tmp_path / "exported")
    assert read_manifest(exported)["independent_rows"] is False  # the server must not put requests together
    shutil.rmtree(tmp_path / "module")
    np.testing.assert_allclose(images_of(load_generator(str(exported))), images, atol=1e-5)
    with pytest.raises(ArtifactError, match="must be the module that the model was made from"):
        load_generator(str(tmp_path / "generator.keras"))


def test_uniform_latents_come_from_normal_ones(tmp_path):
    module = tf2_module(tmp_path / "module")
    plain, uniform = WrappedGenerator(module), WrappedGenerator(module, latents="uniform")
    from scipy.stats import norm

    noise = np.random.default_rng(0).standard_normal((5, 4), np.float32)
    expected = plain.predict((2 * norm.cdf(noise) - 1).astype("f"), verbose=0)
    np.testing.assert_allclose(uniform.predict(noise, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signature": "nothing"}, "must have the signature nothing. Received: discriminator, generator"),
        ({"signature": "discriminator"}, "one output must be images"),
        ({"trainable": "nothing"}, "`trainable` must match .*generator/fc/kernel.* Received: nothing"),
        ({"latents": "cauchy"}, "`latents` must be normal or uniform. Received: cauchy"),
    ],
)
def test_what_cannot_be_wrapped_is_told_in_one_line(tmp_path, options, message):
    with pytest.raises(ArtifactError, match=message) as error:
        WrappedGenerator(tf1_hub_module(tmp_path / "module"), **options)
    assert "\n" not in str(error.value)


def test_modules_with_a_fixed_batch_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="must have the shape .any batch, fixed length"):
        WrappedGenerator(tf1_hub_module(tmp_path / "module", fixed_batch=64))
