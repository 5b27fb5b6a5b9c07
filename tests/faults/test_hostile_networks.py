"""Networks of a few kilobytes whose numbers stand for much, and layers that need gigabytes inside."""

import importlib
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import growth_below
from keras import layers as L
from modules import tf2_module

from tfgantl import keras_objects
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.errors import ArtifactError
from tfgantl.models.dcgan import DCGANDiscriminator, DCGANGenerator
from tfgantl.models.ensemble import EnsembleDiscriminator
from tfgantl.models.fastgan.discriminator import FastGANDiscriminator
from tfgantl.models.fastgan.generator import FastGANGenerator
from tfgantl.models.mined import MinedGenerator
from tfgantl.models.mlp import MLPDiscriminator, MLPGenerator
from tfgantl.models.projected import ProjectedDiscriminator
from tfgantl.models.sngan import SNGANDiscriminator, SNGANGenerator
from tfgantl.models.style_discriminator import StyleDiscriminator
from tfgantl.models.stylegan2.discriminator import StyleGAN2Discriminator
from tfgantl.models.stylegan2.generator import StyleGAN2Generator
from tfgantl.models.stylizer import Stylizer
from tfgantl.pretrained import ranges
from tfgantl.pretrained.wrap import WrappedGenerator
from tfgantl.training.class_names import class_names_behind
from tfgantl.untrusted import own_classes, tracing
from tfgantl.untrusted.networks import load_network
from tfgantl.untrusted.own_classes import layers_of


def saved_with(network, path, **options):
    """A file of a network, with other options in its configuration."""
    network.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"].update(options)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)
    return path


# --- Inside of layers ---


def separable(x):
    return L.SeparableConv2D(1, 1, depth_multiplier=10_000)(L.UpSampling2D(128)(x))


def all_pairs(x):
    places = L.Reshape((64 * 64, 4))(L.UpSampling2D(64)(x))
    return L.AdditiveAttention()([L.Dense(64)(places), L.Dense(64)(places)])


def padded_to_a_square(x):
    return L.Resizing(8, 8, pad_to_aspect_ratio=True)(L.Reshape((1, 40_000, 4))(L.UpSampling2D(200)(x)))


def wide_heads(x):
    places = L.Reshape((64 * 64, 4))(L.UpSampling2D(64)(x))
    return L.MultiHeadAttention(1, 20_000)(places, places)


def all_classes(x):
    return keras.ops.multi_hot(keras.ops.cast(L.Flatten()(L.UpSampling2D(16)(x)), "int32"), 1_000_000)


def wide_spectrum(x):
    signal = L.Flatten()(L.UpSampling2D(32)(x))
    return L.MelSpectrogram(fft_length=4096, num_mel_bins=1_000_000, sequence_stride=4096)(signal)


def branches(x):
    """Each is small enough, and all are there before the first one is reduced."""
    wide = [L.UpSampling2D(5000)(L.Conv2D(1, 1)(x)) for _ in range(11)]
    return L.Add()([L.GlobalAveragePooling2D()(one) for one in wide])


def for_each_step(x):
    return L.TimeDistributed(L.SeparableConv2D(1, 1, depth_multiplier=10_000))(L.UpSampling2D(128)(x)[:, None])


INSIDE = [separable, all_pairs, padded_to_a_square, wide_heads, all_classes, wide_spectrum, branches, for_each_step]


@pytest.mark.parametrize("make", INSIDE, ids=lambda make: make.__name__)
def test_what_a_layer_needs_inside_is_counted(tmp_path, make):
    latents = keras.Input((4,))
    keras.Model(latents, make(L.Reshape((1, 1, 4))(latents))).save(tmp_path / "generator.keras")
    with (
        growth_below(64),
        pytest.raises(ArtifactError, match="a network must need at most 1073741824 bytes of memory for one image"),
    ):
        load_network(tmp_path / "generator.keras")


LOOPS = {
    "power_iterations": lambda n: L.SpectralNormalization(L.Conv2D(2, 1), power_iterations=n),
    "num_chains": lambda n: L.AugMix((0, 1), num_chains=n),
    "chain_depth": lambda n: L.AugMix((0, 1), chain_depth=n),
    "num_ops": lambda n: L.RandAugment((0, 1), num_ops=n),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_layers_have_an_end(tmp_path, name):
    """Some are only there in training, and what a network does then was not looked at."""
    images = keras.Input((4, 4, 3))
    keras.Model(images, L.Flatten()(LOOPS[name](10**7)(images))).save(tmp_path / "d.keras")
    with pytest.raises(ArtifactError, match=f"`{name}` must be at most 100. Received: 10000000"):
        load_network(tmp_path / "d.keras")


def test_what_is_only_there_in_training_is_counted(tmp_path, monkeypatch):
    images = keras.Input((4, 4, 3))
    keras.Model(images, L.Flatten()(L.AugMix((0, 1))(images))).save(tmp_path / "d.keras")
    monkeypatch.setattr(tracing, "MAX_OPERATIONS", 20)
    with pytest.raises(ArtifactError, match="a network must have at most 20 operations. Received: more"):
        load_network(tmp_path / "d.keras")


def test_what_is_inside_of_a_loop_is_counted(tmp_path):
    with tracing.CountingGraph().as_default() as graph:
        graph.traced = []
        tf.while_loop(lambda x: x < 3.0, lambda x: x + tf.reduce_max(tf.random.normal((2**15, 2**15))), [0.0])
    assert 2**32 <= tracing._peak(graph.traced, {}, tmp_path) < 2**34


def test_a_network_has_an_end(tmp_path, monkeypatch):
    """An unrolled layer is made of operations for each step."""
    inputs = keras.Input((50, 1))
    keras.Model(inputs, L.SimpleRNN(1, unroll=True)(inputs)).save(tmp_path / "unrolled.keras")
    load_network(tmp_path / "unrolled.keras")
    monkeypatch.setattr(tracing, "MAX_OPERATIONS", 200)
    with pytest.raises(ArtifactError, match="a network must have at most 200 operations. Received: more"):
        load_network(tmp_path / "unrolled.keras")


def test_layers_with_loops_and_choices_load(tmp_path):
    images = keras.Input((None, None, 3))
    x = L.Resizing(8, 8, pad_to_aspect_ratio=True)(images)
    x = L.LSTM(3)(L.Dropout(0.5)(L.Reshape((16, 12))(x)))
    x = L.Bidirectional(L.GRU(2))(L.Reshape((3, 1))(L.LayerNormalization()(x)))
    network = keras.Model(images, x)
    network.save(tmp_path / "network.keras")
    given = np.random.default_rng(0).normal(size=(2, 20, 24, 3)).astype("f4")
    np.testing.assert_allclose(load_network(tmp_path / "network.keras")(given), network(given), atol=1e-6)


def test_the_range_of_a_generator_is_measured_one_image_at_a_time(monkeypatch):
    """Limits are for one image, and it is measured on 64."""
    latents, rows = keras.Input((2,)), []

    def watched(network, given, batch_size):
        rows.append(batch_size)
        return np.zeros((len(given), 4, 4, 1))

    monkeypatch.setattr(ranges, "predict", watched)
    generator = keras.Model(latents, L.Reshape((4, 4, 1))(L.Dense(16)(latents)))
    ranges.in_network_range(generator, "here")
    assert rows == [1]


# --- Numbers ---

NUMBERS = {
    "styles": (lambda: Stylizer(1, 1, 0), {"num_styles": 10**9, "styles": None}, "`num_styles` of a Stylizer must be"),
    "blocks": (lambda: Stylizer(1, 1, 0), {"blocks": 10**4}, "layers must be called at most 3000 times"),
    "filters": (
        lambda: DCGANDiscriminator(8, 1, (2,)), {"filters": [1] * 10**5}, "layers must be called at most 3000 times",
    ),
    "name": (lambda: DCGANDiscriminator(8, 1, (2,)), {"name": "a" * 10**4}, "`name` must have at most 4096 characters"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_stand_for_layers_or_rows_are_compared_with_the_weights(tmp_path, kind):
    make, options, message = NUMBERS[kind]
    path = saved_with(make(), tmp_path / "network.keras", **options)
    with growth_below(32), pytest.raises(ArtifactError, match=message):
        load_network(path)


NETWORKS = [
    lambda n: DCGANGenerator(8, 1, 2, (2,) * n, (1,) * n, num_classes=2),
    lambda n: DCGANDiscriminator(2 ** (n + 2), 1, (2,) * n, num_classes=2, batch_norm=True),
    lambda n: MLPGenerator(8, 1, 2, num_classes=2),
    lambda n: MLPDiscriminator(8, 1, num_classes=2),
    lambda n: ProjectedDiscriminator(16 * n, 1, 2, width=2),
    lambda n: EnsembleDiscriminator(MLPDiscriminator(8, 1), width=2),
    lambda n: StyleDiscriminator(2, 1),
    lambda n: StyleGAN2Generator(16 * 4**n, 1, 2, 2, mapping_layers=n, base=16, most=2, num_classes=2),
    lambda n: StyleGAN2Discriminator(16 * 4**n, 1, base=16, most=2, num_classes=2, label_layers=n),
    lambda n: SNGANGenerator(2 * 8**n, 1, 2, 1, 2, num_classes=2),
    lambda n: SNGANDiscriminator(2 * 8**n, 1, 1, 2, num_classes=2),
    lambda n: FastGANGenerator(2 * 8**n, 1, 2, 1, 2, num_classes=2),
    lambda n: FastGANDiscriminator(2 * 8**n, 1, 1, 2, num_classes=2),
    lambda n: Stylizer(2, 1, n),
    lambda n: MinedGenerator(MLPGenerator(8, 1, 2), 2),
    lambda n: TextEncoder([f"word{i}" for i in range(9**n)], 2, 2),
]


@pytest.mark.parametrize("make", NETWORKS)
def test_networks_of_this_package_have_no_more_layers_than_are_counted(make):
    for depth in (1, 3):
        network = make(depth)
        assert len(list(network._flatten_layers())) <= layers_of(keras.saving.serialize_keras_object(network))


def test_every_class_of_this_package_is_known_as_a_layer_or_a_network():
    classes = [getattr(importlib.import_module(module), name) for module, name in keras_objects.classes()]
    layers = {kind.__name__ for kind in classes if issubclass(kind, L.Layer) and not issubclass(kind, keras.Model)}
    assert layers == own_classes.LAYERS
    counted = {type(make(1)).__name__ for make in NETWORKS} | {
        "DomainClassifier",
        "GAN",
        "WrappedGenerator",
        "WrappedTextEncoder",
    }
    assert {kind.__name__ for kind in classes if issubclass(kind, keras.Model)} == counted


def test_miners_are_not_behind_miners(tmp_path):
    """Each builds what it holds, and a copy of it."""
    mined = MinedGenerator(MLPGenerator(8, 1, 2, units=2), units=2)
    mined.save(tmp_path / "mined.keras")
    load_network(tmp_path / "mined.keras")
    latents = keras.Input((2,))
    for inner in (mined, keras.Model(latents, mined(latents))):
        MinedGenerator(inner, units=2).save(tmp_path / "twice.keras")
        with pytest.raises(ArtifactError, match="a MinedGenerator must not hold another one"):
            load_network(tmp_path / "twice.keras")


def test_a_miner_ahead_of_a_module_is_as_large_as_its_weights(tmp_path):
    generator = MinedGenerator(WrappedGenerator(tf2_module(tmp_path / "module")), units=2)
    load_network(saved_with(generator, tmp_path / "mined.keras"))
    for units, message in ((10**9, "`units` of a MinedGenerator must be at most"), (60_000, "weights must be in the")):
        saved_with(generator, tmp_path / "large.keras", units=units)
        with growth_below(32), pytest.raises(ArtifactError, match=message):
            load_network(tmp_path / "large.keras")


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "b"]])
def test_names_are_those_of_as_many_classes_or_left_out(tmp_path, names):
    """The first names stood for the classes, or none could be found for the last, which ended in a traceback."""
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"run": "result", "class_names": names}) + "\n")
    assert class_names_behind(str(tmp_path), 3) is None
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"run": "result", "class_names": ["a", "b", "c"]}) + "\n")
    assert class_names_behind(str(tmp_path), 3) == ["a", "b", "c"]


def test_parts_that_share_a_number_are_the_same(tmp_path):
    """Keras takes the first of a number for all; what was looked at was another network than the one that was built."""
    x = L.Reshape((1, 1, 3))(L.Dense(3)(latents := keras.Input((4,))))
    x, plain = L.UpSampling2D(2, name="up")(x), L.Identity(name="plain")
    for _ in range(6):
        x = plain(x)
    path = saved_with(keras.Model(latents, x), tmp_path / "shared.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    ups, plains = (next(one for one in config["config"]["layers"] if one["name"] == name) for name in ("up", "plain"))
    ups["shared_object_id"] = plains["shared_object_id"] = 7
    plains["inbound_nodes"][0], ups["inbound_nodes"] = ups["inbound_nodes"][0], []
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)
    with pytest.raises(ArtifactError, match="parts of one `shared_object_id` must be the same. Received: others for 7"):
        load_network(path)


def test_layers_that_are_shared_load(tmp_path):
    start, dense = keras.initializers.GlorotUniform(seed=1), L.Dense(4)
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, kernel_initializer=start), L.ReLU()])
    x = inner(dense(latents := keras.Input((4,))))
    network = keras.Model(latents, L.Add()([inner(x), dense(x), L.Dense(4, kernel_initializer=start)(x)]))
    network.save(tmp_path / "shared.keras")
    rows = np.ones((2, 4), np.float32)
    found = load_network(tmp_path / "shared.keras")
    np.testing.assert_allclose(found(rows), network(rows), atol=1e-6)


@pytest.mark.parametrize("layer", [L.SimpleRNN(3), L.Bidirectional(L.GRU(2))], ids=["simple", "bidirectional"])
def test_loops_of_a_network_have_an_end(tmp_path, layer):
    """What a step takes was counted, and not how many there are: 23 kB took hours."""
    x = layer(L.RepeatVector(5000)(latents := keras.Input((4,))))
    keras.Model(latents, x).save(tmp_path / "long.keras")
    with pytest.raises(ArtifactError, match="a recurrent layer must take at most 4096 steps. Received: 5000"):
        load_network(tmp_path / "long.keras")


@pytest.mark.parametrize("dtype", ["S1000000000", "<U300000000", "V2000000000", "object", None])
def test_arrays_among_the_arguments_of_a_call_are_of_numbers(tmp_path, dtype):
    """Three letters of a type of a gigabyte each were made into an array before anything was refused."""
    latents = keras.Input((3,))
    path = saved_with(keras.Model(latents, keras.ops.add(latents, np.ones(3, np.float32))), tmp_path / "array.keras")
    assert load_network(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    arguments = next(one for one in config["config"]["layers"] if one["class_name"] == "Add")["inbound_nodes"][0]
    assert "__numpy__" in json.dumps(arguments) or "__tensor__" in json.dumps(arguments)
    value = {"class_name": "__numpy__", "config": {"value": ["a", "a", "a"], "dtype": dtype}}
    arguments["args"][1] = value
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)
    with (
        growth_below(64),
        pytest.raises(ArtifactError, match="must hold layers that only compute. Received: .*__numpy__"),
    ):
        load_network(path)


def test_operations_have_few_outputs(tmp_path):
    latents = keras.Input((4,))
    network = keras.Model(latents, keras.ops.split(latents, 2, axis=1)[0])
    path = saved_with(network, tmp_path / "cut.keras")
    assert load_network(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = members["config.json"].decode()
    assert '"indices_or_sections": 2' in content
    content = content.replace('"indices_or_sections": 2', '"indices_or_sections": 1000000')
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in (members | {"config.json": content.encode()}).items():
            archive.writestr(name, part)
    with pytest.raises(ArtifactError, match="`indices_or_sections` must be at most 3000. Received: 1000000"):
        load_network(path)


def test_maps_of_types_are_no_parts(tmp_path):
    """Their names are patterns, and one of eighteen letters took years."""
    types = keras.dtype_policies.DTypePolicyMap(default_policy="float32")
    types["(a+)+$"] = keras.dtype_policies.DTypePolicy("float32")
    latents = keras.Input((4,))
    keras.Model(latents, L.Dense(2, name="a" * 12, dtype=types)(latents)).save(tmp_path / "types.keras")
    with pytest.raises(ArtifactError, match="must hold layers that only compute. Received: .*DTypePolicyMap"):
        load_network(tmp_path / "types.keras")
