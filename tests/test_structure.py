"""What networks say they are made of: ours, those of users, and those of families that other packages bring."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
from conftest import QUICK, TINY, TINY_DCGAN, adapted_gan, live_images, moved, numpy_weights, play
from keras import layers
from modules import tf1_hub_module
from test_sources import images_of

import tfgantl
from tfgantl import transfer as methods
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models import DCGAN, FAMILIES, Networks, parts
from tfgantl.models.families import family_of
from tfgantl.models.kernels import Kernel
from tfgantl.models.mined import MinedGenerator
from tfgantl.models.registration import NETWORKS
from tfgantl.models.structure import Structure, structure_of
from tfgantl.pretrained import WrappedGenerator, load_generator
from tfgantl.pretrained.discriminators import networks_for
from tfgantl.training.stages import Stage, selected_layers
from tfgantl.training.trainable import trainable_parameters


def names(some):
    return [layer.name for layer in some if layer.weights]


def build(spec, classes=3):
    keras.utils.set_random_seed(0)
    return spec.build(8, 1, classes)


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("spec", TINY.values(), ids=TINY)
def test_every_weight_belongs_to_a_block_to_the_outputs_or_to_labels(spec, classes):
    for network in build(spec, classes):
        structure = structure_of(network)
        grouped = [*(layer for block in structure.blocks for layer in block.layers), *structure.outputs]
        in_groups = [v.path for layer in grouped for v in layer.weights]
        tables = {v.path for v in structure.label_tables}
        assert len(in_groups) == len(set(in_groups))
        assert set(in_groups) | tables == {v.path for v in network.weights}
        ends = {x.kernel.path for x in structure.outputs if hasattr(x, "kernel")}
        assert len(tables) == (0 if classes is None else 1)
        adapted, inner = ({k.variable.path for k in some} for some in (structure.kernels, structure.inner_kernels))
        assert adapted - inner == ends - {v.path for layer in structure.norms for v in layer.weights}
        assert structure.outputs[0].kernel.path in adapted - inner and structure.core is network
        mapping = set(structure.latent_mapping)
        assert all(block.feature is not None or mapping & set(block.layers) for block in structure.blocks)


def test_a_dcgan_is_read_as_it_was_meant():
    """Names of layers are those of checkpoints and files, and must stay."""
    generator, discriminator = build(DCGAN(**{**vars(TINY_DCGAN), "discriminator_norm": True, "dropout": 0.1}))
    made, judged = structure_of(generator), structure_of(discriminator)
    assert [names(block.layers) for block in made.blocks] == [
        ["block0_dense", "block0_bn"], ["block1_conv", "block1_bn"], ["block2_conv", "block2_bn"],
    ]  # fmt: skip
    assert [x.feature.shape[1:] for x in made.blocks] == [(2, 2, 8), (2, 2, 6), (4, 4, 4)]
    assert names(made.outputs) == ["to_images_conv"] and names(made.norms) == ["block0_bn", "block1_bn", "block2_bn"]
    assert [names(block.layers) for block in judged.blocks] == [["block1_conv"], ["block2_conv", "block2_bn"]]
    assert [block.feature is discriminator.get_layer(f"block{i}_relu").output
            for i, block in enumerate(judged.blocks, 1)] == [True, True]  # fmt: skip
    assert names(judged.outputs) == ["logits", "label_projection"]
    assert judged.last_features is discriminator.get_layer("features").output
    (place,) = made.latent_inputs
    assert (place.kernel.path, place.shift.path, place.factor) == (
        "block0_dense/kernel", "block0_bn/moving_mean", -1.0,
    )  # fmt: skip
    per_channel = build(DCGAN(**{**vars(TINY_DCGAN), "norm_per_channel": True}))[0]
    assert structure_of(per_channel).latent_inputs == ()  # one mean a channel cannot take up what differs by place


@pytest.mark.parametrize("spec", TINY.values(), ids=TINY)
def test_parts_are_layers_and_what_is_left_is_trained(spec):
    generator, discriminator = build(spec)
    for network in (generator, discriminator):
        structure = structure_of(network)
        for part, free in [
            (parts.everything, []),
            (parts.all_but_norms, structure.norms),
            (parts.all_but_outputs, structure.outputs),
            (parts.all_but_latent_mapping, structure.latent_mapping),
        ]:
            frozen = {v.path for layer in selected_layers(network, part) for v in layer.variables}
            assert {v.path for v in network.variables} - frozen == {v.path for layer in free for v in layer.variables}
        assert parts.all_blocks(structure) == parts.first_blocks(len(structure.blocks))(structure)


def users_pair():
    """A pair as a user writes one: no names, a Sequential generator, activations inside of layers."""
    generator = keras.Sequential([
        keras.Input((4,)), layers.Dense(32, activation="relu"), layers.Reshape((2, 2, 8)),
        layers.Conv2DTranspose(6, 3, 2, padding="same"), layers.BatchNormalization(), layers.ReLU(),
        layers.Conv2DTranspose(1, 3, 2, padding="same", activation="tanh"),
    ])  # fmt: skip
    images = keras.Input((8, 8, 1))
    x = layers.LeakyReLU()(layers.Conv2D(6, 3, 2, padding="same")(images))
    x = layers.Dropout(0.1)(layers.LeakyReLU()(layers.Conv2D(8, 3, 2, padding="same")(x)))
    return generator, keras.Model(images, layers.Dense(1)(layers.Flatten()(x)))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", sorted(set(methods.__all__) - {"Transfer", "Auto", "Perceptual", "TextDirection"}))
def test_methods_take_networks_of_users(compiled, examples, name):
    keras.utils.set_random_seed(0)
    method, source = getattr(methods, name)(**QUICK.get(name, {})), GAN(*users_pair(), seed=0)
    gan = compiled(adapted_gan(method, source), transfer=method)
    if method.needs_source:
        np.testing.assert_allclose(live_images(gan), live_images(source), atol=1e-6)
    if name in ("LoRA", "CDC"):  # the others are trained on networks of ours
        play(method, gan, examples, 4)
        assert np.abs(live_images(gan) - live_images(source)).max() > 1e-4
    else:
        next(method.schedule(4)).apply(gan)
        assert trainable_parameters(gan).total
    method.finish(gan)
    assert np.isfinite(gan.generate(gan.latents(3))).all()


def test_a_network_that_hides_its_layers_is_refused():
    class Hidden(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ConfigError, match="must be a functional or sequential model, .* Received: Hidden"):
        structure_of(Hidden())


ADAPT_KERNELS = ("LoRA", "SVD", "KernelModulation", "AdAM", "RICK")


@pytest.mark.parametrize("name", [*ADAPT_KERNELS, "ScaleShift", "LatentAffine", "CDC", "RSSA"])
def test_a_method_that_would_do_nothing_to_a_wrapped_module_says_so(tmp_path, name):
    keras.utils.set_random_seed(0)
    generator = WrappedGenerator(tf1_hub_module(tmp_path / "module"))
    source = GAN(generator, DCGAN(4, (8, 6), (2, 2), 3, 2, 0.0).build(4, 3, 3)[1], seed=0)
    with pytest.raises(ConfigError, match="must .* Received: ") as error:
        adapted_gan(getattr(methods, name)(), source)
    assert "\n" not in str(error.value)


def test_a_mined_generator_is_known_by_the_one_behind_the_miner(make_gan):
    gan = adapted_gan(methods.MineGAN(units=5), make_gan(seed=9))
    structure = structure_of(gan.generator)
    assert names(structure.norms) == ["block0_bn", "block1_bn", "block2_bn"] and len(structure.blocks) == 3
    assert names(structure.latent_mapping) == ["miner_hidden", "miner_change"]
    assert structure.core is gan.generator.mined and networks_for(gan.generator).filters == TINY_DCGAN.filters
    next(methods.MineGAN().schedule(10)).apply(gan)
    free = {v.path.rpartition("/")[0].rpartition("/")[2] for v in gan.generator.trainable_variables}
    assert free == {"miner_hidden", "miner_change"}
    Stage("x", 1, freeze_generator=("mined",)).apply(gan)  # a pattern does the same
    assert {v.path.rpartition("/")[0].rpartition("/")[2] for v in gan.generator.trainable_variables} == free
    Stage("x", 1, freeze_generator=parts.all_but_norms).apply(gan)
    trained = {v.path.rpartition("/")[2] for v in gan.generator.trainable_variables}
    assert trained == {"gamma", "beta"}


def test_what_a_stage_trains_is_counted(make_gan):
    gan = adapted_gan(methods.LoRA(rank=1), make_gan(seed=9))
    next(methods.LoRA(rank=1).schedule(10)).apply(gan)
    counts = trainable_parameters(gan)
    assert counts.generator == 2 * (32 + 6 + 4)  # gamma and beta
    kernels = gan.g_adapters[0].kernels.values()
    assert counts.g_adapters == sum(kernel.filters + kernel.inputs for kernel in kernels) and counts.d_adapters == 0
    assert counts.discriminator == gan.discriminator.count_params()
    assert f"generator and {counts.g_adapters:,} of adapters" in str(counts)


# --- Families ---


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_family_builds_its_classes_and_is_known_by_them(family):
    spec = TINY[family.__name__]
    pair = build(spec)
    assert tuple(type(network) for network in pair) == family.keras_classes()
    assert all(family_of(network) is family and type(network) in NETWORKS for network in pair)
    assert networks_for(pair[0]) == family.from_generator(pair[0])
    again = networks_for(pair[0]).build(8, 1, 3)
    assert [v.shape for v in again[0].weights] == [v.shape for v in pair[0].weights]
    shapes = [tuple(v.shape) for v in pair[0].weights]
    possible = spec.possible_sizes(shapes)
    assert possible is None or (8, 1, 3) in set(possible)  # None: sizes cannot be told, and bare weights are refused


@keras.saving.register_keras_serializable(package="tests")
class Scaled(layers.Layer):
    """A dense layer whose stored kernel is multiplied by a gain when it runs."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.gain = shape[-1] ** -0.5
        self.weight = self.add_weight(name="weight", shape=(shape[-1], self.units), initializer="random_normal")

    def call(self, x):
        return keras.ops.matmul(x, self.weight * self.gain)


class OtherGenerator(keras.Model):
    """A generator with layers of its own, which says what they are."""

    def __init__(self, size, name="generator"):
        latents = keras.Input((4,))
        x = keras.ops.relu(Scaled(8, name="first")(latents))
        x = keras.ops.tanh(Scaled(size * size, name="last")(x))
        super().__init__(latents, layers.Reshape((size, size, 1))(x), name=name)
        self.size = size

    def structure(self):
        kernels = [Kernel(x.weight, 1, x.gain) for x in (self.get_layer(n) for n in FIRST_LAST)]
        return Structure(
            network=self, blocks=(), norms=(), outputs=(self.get_layer("last"),), kernels=tuple(kernels), core=self
        )

    def get_config(self):
        return {"size": self.size, "name": self.name}


FIRST_LAST = ("first", "last")


class OtherFamily(Networks):
    """A family that another package brings: one subclass, and no line of ours."""

    latent_dim = 4

    def build(self, image_size, channels, num_classes=None, dtype="float32"):
        return OtherGenerator(image_size), TINY_DCGAN.build(image_size, channels)[1]

    @classmethod
    def keras_classes(cls):
        return (OtherGenerator,)

    @classmethod
    def from_generator(cls, generator):
        return cls()


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", ["LoRA", "SVD", "AdAM", "RICK"])
def test_a_family_of_another_package_is_adapted_by_its_effective_kernels(compiled, examples, name):
    keras.utils.set_random_seed(0)
    method, source = getattr(methods, name)(**QUICK.get(name, {})), GAN(*OtherFamily().build(8, 1), seed=0)
    assert family_of(source.generator) is OtherFamily and isinstance(networks_for(source.generator), OtherFamily)
    gan = compiled(adapted_gan(method, source), transfer=method)
    adapter = gan.g_adapters[0]
    assert len(adapter.kernels) == (1 if name in ("AdAM", "RICK") else 2)
    np.testing.assert_allclose(live_images(gan), live_images(source), atol=1e-6)
    weight = gan.generator.get_layer("first").weight
    matrix = adapter.kernels["first/weight"].matrix(weight.value).numpy()
    np.testing.assert_allclose(matrix, weight.numpy().T * 0.5, atol=1e-7)  # after the gain of 4 ** -0.5
    before = numpy_weights(gan.generator)
    play(method, gan, examples, 4)
    made = live_images(gan)
    method.finish(gan)
    assert moved(gan.generator, before)
    np.testing.assert_allclose(live_images(gan), made, atol=1e-5)


def test_a_family_of_another_package_is_named_on_the_command_line(tmp_path):
    (tmp_path / "their_package.py").write_text(
        "from dataclasses import dataclass\nfrom tfgantl.models import Networks\n\n\n"
        "@dataclass(frozen=True)\nclass Theirs(Networks):\n    latent_dim: int = 7\n\n"
        "    def build(self, image_size, channels, num_classes=None, dtype='float32'):\n"
        "        raise NotImplementedError\n"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tfgantl import cli; from tfgantl.pipelines import pretrain\n"
        "arguments = ['--networks', 'their_package.Theirs', '--networks.latent_dim', '9']\n"
        "config = cli.parse(pretrain.PretrainConfig, 'pretrain', pretrain.DEFAULTS, arguments)\n"
        "assert type(config.networks).__name__ == 'Theirs' and config.networks.latent_dim == 9, config\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- No method knows names ---

NAMES = re.compile(
    r"_(bn|norm|relu|conv|dense|dropout|reshape)\b|block\d|block\{|to_images|logits\$|label_(emb|pro)|mined"
)
CLASSES = {network.__name__ for network in NETWORKS} | {WrappedGenerator.__name__}
PACKAGE = Path(tfgantl.__file__).parent
ASKING = sorted(
    path for folder in ("transfer", "penalties", "models/adapters") for path in (PACKAGE / folder).glob("*.py")
)


@pytest.mark.parametrize("path", ASKING, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_methods_ask_networks_and_know_no_names_or_classes(path):
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            if path.stem != "nearest_images":  # which names layers of VGG16
                assert not NAMES.search(node.value), f"line {node.lineno}: {node.value}"
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            known = {getattr(x, "id", getattr(x, "attr", "")) for x in ast.walk(node.args[1])}
            assert not known & CLASSES, f"line {node.lineno}"
        assert getattr(node, "attr", "") not in ("get_layer", "hidden_dtype"), f"line {node.lineno}"


def test_old_files_that_name_old_modules_load(make_gan, tmp_path):
    """Modules have moved; what counts in a `.keras` file is the registered name."""
    networks = [
        (WrappedGenerator(tf1_hub_module(tmp_path / "module")), "pretrained.wrap", "transfer.weights.wrap"),
        (MinedGenerator(make_gan().generator, units=5), "models.mined", "models.elsewhere"),
    ]
    for network, now, before in networks:
        network.save(tmp_path / "now.keras")
        with ZipFile(tmp_path / "now.keras") as new, ZipFile(tmp_path / "before.keras", "w") as old:
            for member in new.namelist():
                data = new.read(member)
                if member == "config.json":
                    assert f'"tfgantl.{now}"'.encode() in data
                    data = data.replace(f'"tfgantl.{now}"'.encode(), f'"tfgantl.{before}"'.encode())
                old.writestr(member, data)
        again = load_generator(str(tmp_path / "before.keras"))
        assert type(again) is type(network)
        np.testing.assert_allclose(images_of(again), images_of(network), atol=1e-6)


def test_a_residual_block_is_one_block_with_its_shortcut():
    layers = keras.layers
    x = images = keras.Input((8, 8, 3))
    for block in (1, 2):
        inner = layers.ReLU(name=f"block{block}_relu")(layers.Conv2D(4, 3, 2, "same", name=f"block{block}_first")(x))
        inner = layers.Conv2D(4, 3, padding="same", name=f"block{block}_second")(inner)
        shortcut = layers.Conv2D(4, 1, 2, name=f"block{block}_shortcut")(x)
        x = layers.Add(name=f"block{block}_sum")([inner, shortcut])
    logits = layers.Dense(1, name="logits")(layers.Flatten()(x))
    network = keras.Model(images, logits)
    blocks = structure_of(network).blocks
    assert [{layer.name for layer in block.layers} - {network.layers[-2].name} for block in blocks] == [
        {f"block{block}_{part}" for part in ("first", "relu", "second", "shortcut", "sum")} for block in (1, 2)
    ]
    assert [block.feature._keras_history.operation.name for block in blocks] == ["block1_sum", "block2_sum"]
    assert [layer.name for layer in structure_of(network).outputs] == ["logits"]
