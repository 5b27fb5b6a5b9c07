"""Networks inside of networks, whose layers have one name: no weight is taken for another, or lost."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import adapted_gan, live_images
from keras import layers

import tfgantl
from tfgantl import transfer as methods
from tfgantl.averaging import update_average
from tfgantl.errors import ArtifactError
from tfgantl.gan import GAN
from tfgantl.models.presets import load_preset, save_preset
from tfgantl.models.variable_names import named_variables, named_weights, unique
from tfgantl.penalties.fisher import Fisher
from tfgantl.pretrained import copy_weights, load_source
from tfgantl.training.checkpoint import Checkpoints


def stage(kind, name, strides):
    maps = keras.Input((None, None, 3))
    return keras.Model(maps, kind(3, 3, strides, "same", activation="leaky_relu", name="conv")(maps), name=name)


def nested_pair():
    """A pair as users write it: a model for each stage, and in each a layer called `conv`."""
    latents, images = keras.Input((4,)), keras.Input((8, 8, 1))
    x = layers.Reshape((2, 2, 3))(layers.Dense(12, name="dense")(latents))
    for name in ("up1", "up2"):
        x = stage(layers.Conv2DTranspose, name, 2)(x)
    x = layers.Conv2D(1, 3, padding="same", activation="tanh", name="to_pixels")(x)
    y = layers.Conv2D(3, 1, name="from_pixels")(images)
    for name in ("down1", "down2"):
        y = stage(layers.Conv2D, name, 2)(y)
    y = layers.Dense(1, name="judge")(layers.Flatten()(y))
    return keras.Model(latents, x, name="generator"), keras.Model(images, y, name="discriminator")


def parts(gan):
    return gan.generator, gan.ema_generator, gan.discriminator


def shuffle(gan, seed):
    rng = np.random.default_rng(seed)
    for network in parts(gan):
        network.set_weights([rng.normal(0, 0.5, w.shape).astype(np.float32) for w in network.get_weights()])


def weights(gan):
    return [network.get_weights() for network in parts(gan)]


def assert_same(found, expected, tolerance=0.0):
    for some, others in zip(found, expected, strict=True):
        for one, other in zip(some, others, strict=True):
            np.testing.assert_allclose(one, other, atol=tolerance)


@pytest.fixture
def nested():
    """A GAN of such a pair, no two of whose weights are equal."""
    gan = GAN(*nested_pair(), seed=0)
    shuffle(gan, 0)
    for network in parts(gan):
        assert len({v.path for v in network.variables}) < len(network.variables) == len(named_weights(network))
    return gan


def test_paths_that_are_equal_get_numbers_and_others_stay():
    assert unique(["a/kernel", "a/bias", "b"]) == ["a/kernel", "a/bias", "b"]
    paths = ["conv/kernel", "conv/bias", "conv.2/kernel", "conv/kernel", "conv/bias", "conv/kernel", "step", "step"]
    names = unique(paths)
    assert len(set(names)) == len(names) and names[:3] == paths[:3]
    assert names[3:] == ["conv.3/kernel", "conv.2/bias", "conv.4/kernel", "step", "step.2"]


def by_preset(gan, path):
    save_preset(path / "preset", gan.generator, gan.discriminator, {})
    return [network.get_weights() for network in load_preset(path / "preset")], [weights(gan)[0], weights(gan)[2]]


def by_keras_files(gan, path):
    for network in (gan.generator, gan.discriminator):
        network.save(path / f"{network.name}.keras")
    found = load_source(str(path))
    return weights(found), [weights(gan)[0], *weights(gan)[::2]]


def by_checkpoint(gan, path):
    gan.compile(keras.optimizers.Adam(), keras.optimizers.Adam())
    checkpoints, before = Checkpoints(gan, path), weights(gan)
    checkpoints.save(1)
    shuffle(gan, 1)
    checkpoints.restore_last()
    return weights(gan), before


def by_average(gan, path):
    old, new = weights(gan)[1], weights(gan)[0]
    update_average(gan.ema_generator, gan.generator, [], 0, 0.9)
    return [weights(gan)[1]], [[a - 0.9 * (a - b) for a, b in zip(old, new, strict=True)]]


def by_method(method):
    def start(gan, path):
        return weights(adapted_gan(method, gan)), weights(gan)

    return start


KEEPERS = {
    "preset": by_preset, ".keras": by_keras_files, "checkpoint": by_checkpoint, "average": by_average,
    **{type(method).__name__: by_method(method) for method in
       (methods.FineTune(), methods.LoRA(), methods.EWC(samples=2), methods.L2SP(), methods.RICK(), methods.AdAM())},
}  # fmt: skip


@pytest.mark.parametrize("name", KEEPERS)
def test_every_weight_is_kept(nested, tmp_path, name):
    assert_same(*KEEPERS[name](nested, tmp_path), tolerance=2e-3 if name == "preset" else 1e-6)


def test_every_kernel_has_a_change_of_its_own(nested):
    method = methods.LoRA()
    gan = adapted_gan(method, nested)
    (adapter,) = gan.g_adapters
    for number, (_, up) in enumerate(adapter.parts.values(), 1):
        up.assign(np.full(up.shape, 0.1 * number, np.float32))
    images, before = live_images(gan), gan.generator.get_weights()
    update_average(gan.ema_generator, gan.generator, gan.g_adapters, 0, 0.0)
    method.finish(gan)
    np.testing.assert_allclose(live_images(gan), images, atol=1e-5)
    after = gan.generator.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [v.path.endswith("kernel") for v in gan.generator.variables] and sum(changed) == 4
    assert_same([gan.ema_generator.get_weights()], [after], 1e-5)


def test_every_weight_is_held_where_it_was_by_what_it_mattered(nested):
    gan = adapted_gan(methods.L2SP(strength=2.0), nested)
    assert float(gan.method_state.distance(gan.generator)) == 0.0
    for variable in gan.generator.trainable_variables:
        before = variable.numpy()
        variable.assign(before + 1.0)
        np.testing.assert_allclose(float(gan.method_state.distance(gan.generator)), variable.shape.num_elements(), 1e-4)
        variable.assign(before)
    held = adapted_gan(methods.EWC(samples=3), nested).method_state
    fisher = Fisher()(nested, nested.generator.trainable_variables, 3, 0)
    total = sum(float(f.sum()) for f in fisher)
    for found, expected in zip(held.importance.values(), fisher, strict=True):
        np.testing.assert_allclose(found.numpy(), expected / total, rtol=1e-3, atol=1e-7)


def test_information_of_weights_of_one_path_is_measured_for_each(nested):
    first, second = (v for v in nested.generator.variables if v.path == "conv/kernel")
    fisher = Fisher()
    one, other = (fisher(nested, [variable], 3, 0)[0] for variable in (first, second))
    assert not np.array_equal(one, other)


def test_a_copy_that_names_its_stages_in_another_way_gets_the_weights():
    stages = [keras.Sequential([keras.Input((3,)), layers.Dense(3, name="dense")], name=f"s{i}") for i in range(3)]
    inputs = keras.Input((3,))
    network = keras.Model(inputs, stages[1](stages[0](inputs)))
    again = keras.models.clone_model(network)
    assert list(named_variables(again)) != list(named_variables(network))
    copy_weights(network, again)
    assert_same([again.get_weights()], [network.get_weights()])
    with pytest.raises(ArtifactError, match="only in the target .*dense.3/kernel"):
        copy_weights(network, keras.Model(inputs, stages[2](stages[1](stages[0](inputs)))))


# --- No path is a key ---

PACKAGE = Path(tfgantl.__file__).parent
NOT_OF_VARIABLES = {"self", "run"}
NETWORKS = ("models", "penalties", "pretrained", "training", "transfer", "recognition", "style", "metrics", "export")
FILES = sorted([*PACKAGE.glob("*.py"), *(path for folder in NETWORKS for path in (PACKAGE / folder).rglob("*.py"))])


def test_paths_of_variables_are_shown_and_nothing_else():
    """Whatever needs a key asks `variable_names.py`; messages may have a path in them."""
    found = []
    for file in FILES:
        tree = ast.parse(file.read_text())
        shown = {id(x) for text in ast.walk(tree) if isinstance(text, ast.JoinedStr) for x in ast.walk(text)}
        found += [
            (file.stem, ast.unparse(node))
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr == "path" and id(node) not in shown
            and getattr(node.value, "id", "") not in NOT_OF_VARIABLES
        ]  # fmt: skip
    assert found == [("kernels", "self.variable.path"), ("variable_names", "v.path")]
