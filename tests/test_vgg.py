"""VGG16: the layers that are asked for, what the pixels become, and where weights come from."""

import os

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.models.vgg import VARIABLE, vgg16
from tfgantl.untrusted.networks import load_network

FIRST = ("block1_conv1", "block1_pool")
needs_weights = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"needs {VARIABLE}, a file of ImageNet weights")


def pictures(side=16, channels=3):
    return np.random.default_rng(0).uniform(-1, 1, (2, side, side, channels)).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    """Keras' own VGG16 with random weights, as far as the first block."""
    keras.utils.set_random_seed(0)
    full = keras.applications.VGG16(weights=None, include_top=False)
    return keras.Model(full.input, [full.get_layer(name).output for name in FIRST])


def write_keras3(network, path):
    network.save_weights(path)


def write_legacy(network, path):
    with h5py.File(path, "w") as file:
        for layer in network.layers[1:3]:
            group = file.create_group(layer.name)
            group[f"{layer.name}_W_1:0"], group[f"{layer.name}_b_1:0"] = (w.numpy() for w in layer.weights)


def write_npz(network, path):
    np.savez(path, **{f"vgg16/{w.path}": w.numpy() for w in network.weights})


def write_saved_model(network, path):
    module = tf.Module()
    module.parts = [tf.Variable(w.numpy(), name=w.path) for w in network.weights]
    module.run = tf.function(lambda x: x + module.parts[0][0, 0, 0, 0], input_signature=[tf.TensorSpec([])])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.run})


KINDS = {
    "keras3.weights.h5": write_keras3, "legacy.h5": write_legacy, "arrays.npz": write_npz, "module": write_saved_model,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_every_kind_give_what_keras_gives_for_its_own_preprocessing(kind, reference, tmp_path):
    KINDS[kind](reference, tmp_path / kind)
    images = pictures()
    prepared = keras.applications.vgg16.preprocess_input((images + 1) * 127.5)
    for ours, theirs in zip(vgg16(FIRST, tmp_path / kind)(images), reference(prepared), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)


def test_the_variable_names_the_weights_and_a_cached_address_works(reference, tmp_path, monkeypatch, cached):
    write_npz(reference, tmp_path / "mine.npz")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine.npz"))
    handle = cached("https://tfhub.dev/somebody/vgg16/1", lambda path: write_saved_model(reference, path))
    named, addressed = (vgg16(FIRST, weights)(pictures()) for weights in ("imagenet", handle))
    np.testing.assert_array_equal(named[0], addressed[0])


def test_keras_own_cache_is_used(reference, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "models").mkdir()
    write_legacy(reference, tmp_path / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")
    asked = {}
    monkeypatch.setattr(
        keras.utils, "get_file", lambda file, url, **options: asked.update(options) or tmp_path / "models" / file
    )
    path = next((tmp_path / "models").iterdir())
    np.testing.assert_array_equal(vgg16(FIRST)(pictures())[0], vgg16(FIRST, path)(pictures())[0])
    assert asked == {"cache_subdir": "models", "file_hash": "6d6bbae143d832006294945121d1f1fc"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "offline, get vgg16_weights.* name it in TFGANTL_VGG16_WEIGHTS. Received: .*which is not there"),
        (b"\x89HDF\r\n\x1a\nnothing", "must be an intact HDF5 file with the weights of VGG16; offline, get "),
        (b"<html>moved</html>", "must be an intact HDF5 file with the weights of VGG16; offline, get "),
        ({"block1_conv1/kernel": np.zeros((3, 3, 3, 8))}, r"shape \(3, 3, 3, 64\) for block1_conv1. Received: .*8\)"),
        ({"other": np.zeros(3)}, "for block1_conv1. Received: none among 1 arrays"),
        ({"block1_conv1/kernel": np.full((3, 3, 3, 64), np.nan)}, "one finite array"),
        ({"block1_conv1/kernel": np.ones((3, 3, 3, 64), int)}, r"array of floats.* Received: int64 \(3, 3, 3, 64\)"),
    ],
)
def test_missing_damaged_and_foreign_weights_are_told_in_one_line(content, message, tmp_path, monkeypatch):
    path = tmp_path / "weights.h5"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        with h5py.File(path, "w") as file:
            for name, value in content.items():
                file[name] = value
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(ArtifactError, match=message) as error:
        vgg16(("block1_conv1",))
    assert "\n" not in str(error.value) and VARIABLE in str(error.value)


def test_without_cache_and_network_the_message_says_how_to_get_weights(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)

    def fail(*_, **__):
        raise OSError("URL fetch failure on https://…: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(ArtifactError, match="can be downloaded; offline, get .* or name it in TFGANTL_VGG16_WEIGHTS"):
        vgg16(("block1_conv1",))


def test_only_the_named_blocks_train_and_the_network_survives_a_keras_file(tmp_path):
    network = vgg16(("block2_conv1", "block1_conv2"), None, (16, 16, 1), "avg", ("block2",), "average")
    assert [w.path for w in network.trainable_weights] == ["block2_conv1/kernel", "block2_conv1/bias"]
    assert network.output_shape == [(None, 128), (None, 64)]
    network.save(tmp_path / "vgg.keras")
    again = load_network(tmp_path / "vgg.keras")
    for before, after in zip(network(pictures(channels=1)), again(pictures(channels=1)), strict=True):
        np.testing.assert_array_equal(before, after)
    assert [w.path for w in again.trainable_weights] == ["block2_conv1/kernel", "block2_conv1/bias"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ()}, "`layers` must name layers of VGG16, block1_conv1 … block5_pool, each once. Received: none"),
        ({"layers": ("block6_conv1",)}, "Received: block6_conv1"),
        ({"layers": ("block5_conv1",), "input_shape": (15, 64, 3)}, "sides of at least 16 pixels for block5_conv1"),
        ({"layers": ("block5_pool",), "input_shape": (31, 64, 3)}, "sides of at least 32 pixels"),
        ({"input_shape": (64, 64, 4)}, "1 or 3 channels"),
        ({"trainable": ("block9",)}, "`trainable` must name blocks, block1, .* Received: block9"),
        ({"pooling": "sum"}, "`pooling` must be one of None, avg, max. Received: sum"),
        ({"downsampling": "none"}, "`downsampling` must be one of max, average. Received: none"),
    ],
)
def test_what_vgg_cannot_do_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        vgg16(**{"weights": None, **options})


@needs_weights
def test_imagenet_weights_see_what_is_alike():
    network = vgg16(("block5_conv3",), input_shape=(64, 64, 3), pooling="avg")
    rows, columns = np.mgrid[:64, :64] / 64
    stripes, moved = (np.sin(40 * (rows + shift)) for shift in (0.0, 0.03))
    circles = np.sin(40 * np.hypot(rows - 0.5, columns - 0.5))
    first, near, far = network(np.stack([np.stack([x] * 3, -1) for x in (stripes, moved, circles)]).astype("f")).numpy()
    assert np.linalg.norm(first - near) < 0.7 * np.linalg.norm(first - far)
