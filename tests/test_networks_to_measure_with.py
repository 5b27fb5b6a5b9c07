"""LPIPS, and networks of one's own as extractors."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images

import tfgantl
from tfgantl.errors import ArtifactError
from tfgantl.images import to_unit
from tfgantl.metrics.inception.resizing import resized_clean
from tfgantl.metrics.lpips import LPIPS, POSITIONS, intra_lpips
from tfgantl.metrics.network_extractor import NetworkExtractor
from tfgantl.models.vgg import BLOCKS

WIDTHS = {"block1": 64, "block2": 128, "block3": 256, "block4": 512, "block5": 512}
# Of the `lpips` package, with the weights below: distances of three pairs.
DISTANCES = [0.0, 0.2018994, 0.4108738]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Random weights in the layouts of torchvision and of `lpips`."""
    path, rng, channels, position = tmp_path_factory.mktemp("lpips"), np.random.default_rng(3), 3, iter(POSITIONS)
    vgg = {}
    for block, count in BLOCKS.items():
        for _ in range(count):
            name, width = f"features.{next(position)}", WIDTHS[block]
            kernel = rng.standard_normal((width, channels, 3, 3), np.float32)
            vgg[f"{name}.weight"] = kernel * np.float32(np.sqrt(2 / (9 * channels)))
            vgg[f"{name}.bias"] = rng.uniform(-0.1, 0.1, width).astype("f")
            channels = width
    linear = {
        f"lin{i}.model.1.weight": rng.uniform(0, 0.5, (1, width, 1, 1)).astype("f")
        for i, width in enumerate(WIDTHS.values())
    }
    np.savez(path / "vgg.npz", **vgg)
    np.savez(path / "linear.npz", **linear)
    return path


@pytest.fixture(scope="module")
def lpips(files):
    return LPIPS(files / "vgg.npz", files / "linear.npz")


def pairs():
    images = tiny_images(6, 32, 3)
    images[3] = images[0]
    images[4] = images[1] // 2 + images[4] // 2
    return images[:3], images[3:]


def test_lpips_is_that_of_its_package(lpips):
    np.testing.assert_allclose(lpips(*pairs()), DISTANCES, atol=1e-5)


def test_lpips_of_pixels_that_are_not_rounded_is_that_of_bytes(lpips):
    one, other = pairs()
    np.testing.assert_allclose(lpips.distance(to_unit(one), to_unit(other)), lpips(one, other), rtol=1e-4)
    gray = to_unit(one[..., :1])
    np.testing.assert_array_equal(lpips.distance(gray, gray), np.zeros(len(gray)))


def test_intra_lpips_is_the_mean_over_clusters(lpips):
    centres = tiny_images(3, 16, 3)
    fakes = np.concatenate([centres[:1] // 4 * 4, centres[:1], centres[:1] // 2 * 2, centres[1:2]])
    found = intra_lpips(lpips, fakes, centres)
    expected = np.mean([lpips(fakes[[i]], fakes[[j]])[0] for i, j in ((0, 1), (0, 2), (1, 2))])
    assert found.distance == pytest.approx(expected, abs=2e-6)
    assert (found.filled, found.shots, found.largest) == (2, 3, 0.75)


def test_weights_and_pictures_of_another_kind_are_refused(files, lpips, monkeypatch):
    with pytest.raises(ArtifactError, match="features.0.weight. Received: none"):
        LPIPS(files / "linear.npz", files / "linear.npz")
    with pytest.raises(ArtifactError, match="at least 16 pixels"):
        lpips(tiny_images(1, 8, 3), tiny_images(1, 8, 3))
    monkeypatch.setenv("TFGANTL_TORCH_VGG16_WEIGHTS", "nowhere.pth")
    with pytest.raises(ArtifactError, match="vgg16-397923af.pth .* nowhere.pth, which is not there"):
        LPIPS()


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "lpips")),
    reason="torch and lpips must be installed: pip install 'tfgantl[bench]'",
)
def test_the_package_computes_these_distances(files, lpips, tmp_path):
    np.savez(tmp_path / "pairs.npz", *pairs())
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "lpips_reference.py", files, tmp_path / "pairs.npz"],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(theirs, DISTANCES, atol=1e-6)
    np.testing.assert_allclose(lpips(*pairs()), theirs, atol=1e-5)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    images = keras.Input((12, 12, 3))
    return keras.Model(images, keras.layers.Conv2D(5, 3, activation="relu", name="maps")(images))


def test_a_keras_network_and_a_saved_model_give_the_same_features(network, tmp_path):
    network.save(tmp_path / "own.keras")
    tf.saved_model.save(
        network, str(tmp_path / "saved"),
        signatures=tf.function(lambda x: {"features": network(x)}).get_concrete_function(
            tf.TensorSpec([None, 12, 12, 3], tf.float32)
        ),
    )  # fmt: skip
    images = tiny_images(3, 20, 3)
    expected = network(resized_clean(images, 12) / 127.5 - 1).numpy().mean((1, 2))
    for handle in ("own.keras", "saved"):
        features = tfgantl.load_extractor(str(tmp_path / handle))(images)
        np.testing.assert_allclose(features, expected, atol=1e-5)


def test_a_network_that_scales_its_pixels_gets_those_that_it_scales(network, tmp_path, capsys):
    """Those in [-1, 1] are all the same to one that divides by 255, and every distance was nearly 0."""
    pixels, images = keras.Input((12, 12, 3)), tiny_images(3, 12, 3)
    keras.Model(pixels, network(keras.layers.Rescaling(1 / 255)(pixels))).save(tmp_path / "own.keras")
    extractor = tfgantl.load_extractor(str(tmp_path / "own.keras"))
    expected = network((images / 255).astype("f")).numpy().mean((1, 2))
    np.testing.assert_allclose(extractor(images), expected, atol=1e-5)
    assert "own.keras: the network takes pixels in [0, 255]" in capsys.readouterr().err
    (tmp_path / "own.keras.json").write_text('{"mean": [0, 0, 0], "std": [1, 1, 1]}')
    told = tfgantl.load_extractor(str(tmp_path / "own.keras"))
    np.testing.assert_allclose(told(images), network((images / 255**2).astype("f")).numpy().mean((1, 2)), atol=1e-5)
    (tmp_path / "own.keras.json").unlink()
    assert NetworkExtractor(str(tmp_path / "own.keras")).settings["std"] == [1 / 255] * 3  # a part of its hash


def test_large_pictures_are_looked_at_a_few_at_a_time(tmp_path, monkeypatch):
    images, seen = keras.Input((None, None, 3)), []
    keras.Model(images, keras.layers.Conv2D(2, 3, 8)(images)).save(tmp_path / "own.keras")
    (tmp_path / "own.keras.json").write_text('{"size": 2048}')
    extractor = NetworkExtractor(str(tmp_path / "own.keras"))
    found = extractor._pixels
    monkeypatch.setattr(extractor, "_pixels", lambda batch: seen.append(len(batch)) or found(batch[:, :9, :9]))
    monkeypatch.setattr(extractor, "_size", 2048)
    extractor(tiny_images(3, 12, 3))
    assert seen == [2, 1]
    (tmp_path / "own.keras.json").write_text('{"size": 4096}')
    with pytest.raises(ArtifactError, match=r"size 4096, not in \[1, 2048\]"):
        tfgantl.load_extractor(str(tmp_path / "own.keras"))


def test_what_stands_beside_a_network_is_heeded(network, tmp_path):
    network.save(tmp_path / "own.keras")
    beside = tmp_path / "own.keras.json"
    beside.write_text(json.dumps({"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 0.2], "size": 12}))
    images = tiny_images(2, 12, 3)
    pixels = (images / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 0.2]
    features = tfgantl.load_extractor(str(tmp_path / "own.keras"))(images)
    np.testing.assert_allclose(features, network(pixels.astype("f")).numpy().mean((1, 2)), atol=1e-5)
    for wrong in ('{"mean": [1]}', '{"size": 0}', '{"sise": 3}', "[", '{"std": [1, 2, null]}'):
        beside.write_text(wrong)
        with pytest.raises(ArtifactError, match="own.keras.json: must be JSON"):
            tfgantl.load_extractor(str(tmp_path / "own.keras"))


def test_networks_of_two_inputs_and_deviations_of_zero_are_told_in_one_line(network, tmp_path):
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3]), tf.TensorSpec([None])])
        def serve(self, a, b):
            return {"features": a[:, 0, 0] + b[:, None]}

    two = Two()
    tf.saved_model.save(two, str(tmp_path / "two"), signatures=two.serve)
    with pytest.raises(ArtifactError, match="two: must be a network with one input. Received: "):
        tfgantl.load_extractor(str(tmp_path / "two"))
    network.save(tmp_path / "own.keras")
    for settings in ({"std": [1, 0, 1]}, {"size": 8.5}, {"size": True}):
        (tmp_path / "own.keras.json").write_text(json.dumps(settings))
        with pytest.raises(ArtifactError, match="own.keras.json: must be JSON with .* Received: s"):
            tfgantl.load_extractor(str(tmp_path / "own.keras"))


def test_an_onnx_network_takes_channels_first(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0)]
    ends = (
        [helper.make_tensor_value_info("pixels", kind, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("means", kind, ["n", 3])],
    )
    model = helper.make_model(helper.make_graph(nodes, "means", *ends), opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    (tmp_path / "means.onnx").write_bytes(model.SerializeToString())
    images = tiny_images(2, 8, 3)
    features = tfgantl.load_extractor(str(tmp_path / "means.onnx"))(images)
    np.testing.assert_allclose(features, (images / 127.5 - 1).mean((1, 2)), atol=1e-5)
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="bad.onnx: must be an intact ONNX file"):
        tfgantl.load_extractor(str(tmp_path / "bad.onnx"))


def test_weights_beside_an_onnx_file_are_a_part_of_it(tmp_path):
    """Two networks of one graph had one name, though their weights lay in another file."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(np.full((1, 3, 1, 1), 2.0, np.float32), "weights")
    nodes = [
        helper.make_node("Mul", ["pixels", "weights"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled"], ["means"], axes=[2, 3], keepdims=0),
    ]
    ends = (
        [helper.make_tensor_value_info("pixels", kind, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("means", kind, ["n", 3])],
    )
    graph = helper.make_graph(nodes, "scaled means", *ends, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    path = tmp_path / "scaled.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = NetworkExtractor(str(path)).id
    (tmp_path / "weights.bin").write_bytes(np.full(3, 4.0, np.float32).tobytes())
    assert NetworkExtractor(str(path)).id != before
    path.write_bytes(path.read_bytes().replace(b"weights.bin", b"../any/file"))
    with pytest.raises(ArtifactError, match="scaled.onnx: must have its weights beside it. Received: .*/any/file"):
        tfgantl.load_extractor(str(path))
