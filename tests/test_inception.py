"""The Inception network of 2015: the numbers of pytorch-fid, torch-fidelity and clean-fid, from the same weights."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images
from inception_weights import pictures, tensorflow_arrays
from tensorflow.core.protobuf import saved_model_pb2

import tfgantl
from benchmarks.inception import torch_arrays
from tfgantl.errors import ArtifactError
from tfgantl.metrics import extractor_choice
from tfgantl.metrics.distances import frechet_distance, neighbourhoods
from tfgantl.metrics.evaluation import Evaluator
from tfgantl.metrics.extractor_choice import choose_extractor
from tfgantl.metrics.generator_metrics import METRICS
from tfgantl.metrics.inception import weights
from tfgantl.metrics.inception.extractor import InceptionExtractor
from tfgantl.metrics.inception.score import inception_score
from tfgantl.metrics.inception.weights import read_inception_weights
from tfgantl.metrics.intervals import kernel_estimate
from tfgantl.pipelines.evaluate import EvaluateConfig
from tfgantl.report import Report

# The first three features of two noisy pictures and two photographs, and the mean of all, as PyTorch computes them: by
# torch-fidelity, by pytorch-fid, and by the network of the former behind the resizing of clean-fid. The last test
# computes them anew.
REFERENCE = {
    "tensorflow": [
        [1.046104, 1.678363, 0.533316, 1.155650], [1.070749, 1.666898, 0.540989, 1.172078],
        [0.893542, 1.629346, 0.494196, 1.161649], [0.860286, 1.545782, 0.476732, 1.122441],
    ],
    "pytorch": [
        [1.063653, 1.674381, 0.541872, 1.157612], [1.085654, 1.673130, 0.537368, 1.172455],
        [0.899691, 1.636201, 0.495615, 1.165119], [0.858605, 1.551063, 0.474630, 1.124144],
    ],
    "clean": [
        [1.201490, 1.897179, 0.523247, 1.237347], [1.206282, 1.882675, 0.515220, 1.256859],
        [0.902698, 1.636968, 0.495363, 1.165693], [0.857878, 1.557712, 0.475348, 1.126600],
    ],
}  # fmt: skip
OTHERS = ("torch", "torch_fidelity", "pytorch_fid", "cleanfid")


@pytest.fixture(scope="module")
def arrays():
    return torch_arrays()


@pytest.fixture(scope="module")
def file(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "random.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def extractor(file):
    return InceptionExtractor(f"inception:{file}")


def summary(features):
    return np.concatenate([features[:, :3], features.mean(1, keepdims=True)], axis=1)


@pytest.mark.parametrize("resizing", list(REFERENCE))
def test_features_are_those_that_others_compute(extractor, resizing, monkeypatch):
    monkeypatch.setattr(extractor, "resizing", resizing)
    extractor.__dict__.pop("_forward", None)  # the graph of another way
    features = np.concatenate([extractor(part)[0] for part in pictures()])
    extractor.__dict__.pop("_forward")
    assert features.dtype == np.float32 and features.shape == (4, 2048)
    np.testing.assert_allclose(summary(features), REFERENCE[resizing], atol=1e-4)


def test_weights_are_found_in_whatever_holds_them(arrays, file, tmp_path, monkeypatch):
    expected = read_inception_weights(file).arrays
    nodes = [
        tf.compat.v1.NodeDef(name=f"import/{name}", op="Const", attr={"value": {"tensor": tf.make_tensor_proto(value)}})
        for name, value in tensorflow_arrays(arrays).items()
    ]
    nodes.append(tf.compat.v1.NodeDef(name="import/pool", op="AvgPool"))
    (tmp_path / "graph.pb").write_bytes(tf.compat.v1.GraphDef(node=nodes).SerializeToString())
    module = saved_model_pb2.SavedModel()
    graph = module.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.graph_def.library.function.add().node_def.extend(nodes)
    directory = tmp_path / "tfgan" / "eval" / "inception" / "1"
    directory.mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(module.SerializeToString())
    monkeypatch.setenv(weights.VARIABLE, str(file))
    for handle in (tmp_path / "graph.pb", directory, None):
        found = read_inception_weights(handle)
        assert set(found.arrays) == set(expected) and not found.published  # any folder may be called so
        for name in ("mixed_7c_double_3b/kernel", "conv2d_1a_3x3/moving_variance", "mixed_6a_three_1/gamma"):
            np.testing.assert_array_equal(found.arrays[name], expected[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("Mixed_6c.branch7x7_2.bn.bias"), r"\(160,\) as Mixed_6c.branch7x7_2.bn.bias. Received: none"),
        (lambda a: a.update({"Mixed_5b.branch_pool.bn.bias": np.zeros(64, "f")}), r"\(32,\) as .* Received: \(64,\)"),
        (lambda a: a["Conv2d_2a_3x3.bn.running_var"].fill(-1), "variances must be at least 0, .*running_var. Received"),
        (lambda a: a.pop("Conv2d_1a_3x3.conv.weight"), "another network"),
    ],
)  # fmt: skip
def test_weights_of_other_networks_are_refused_in_one_line(arrays, tmp_path, change, message):
    other = {name: value for name, value in arrays.items() if value.size < 3000}
    other |= {name: value for name, value in arrays.items() if name.startswith(("Conv2d", "Mixed_5", "Mixed_6"))}
    other = {name: value.copy() for name, value in other.items()}
    change(other)
    np.savez(tmp_path / "other.npz", **other)
    with pytest.raises(ArtifactError, match=message):
        read_inception_weights(tmp_path / "other.npz")


@pytest.mark.parametrize("handle", ["https://tfhub.dev/tfgan/eval/inception/1", "/data/tfgan/eval/inception/1"])
def test_no_module_is_taken_for_the_published_one(handle, monkeypatch, tmp_path):
    """Neither a folder of its name, nor what somebody has put into the cache under its address."""
    monkeypatch.setattr(weights.hub, "resolve", lambda *_: tmp_path)
    monkeypatch.setattr(weights, "is_saved_model", lambda path: True)
    monkeypatch.setattr(weights, "_of_saved_model", lambda path: {})
    monkeypatch.setattr(weights, "_by_own_names", lambda arrays, origin: arrays)
    assert not read_inception_weights(handle).published


def test_a_constant_that_claims_more_than_it_has_is_not_unpacked(tmp_path):
    node = tf.compat.v1.NodeDef(name="conv/conv2d_params", op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.zeros(2, "f")))
    node.attr["value"].tensor.tensor_shape.dim[0].size = 2**40
    (tmp_path / "large.pb").write_bytes(tf.compat.v1.GraphDef(node=[node]).SerializeToString())
    with pytest.raises(ArtifactError, match="8 bytes for 1099511627776 numbers"):
        read_inception_weights(tmp_path / "large.pb")


def test_a_missing_file_says_where_to_get_it(monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, "nowhere.pth")
    with pytest.raises(ArtifactError, match="TFGANTL_INCEPTION_WEIGHTS=nowhere.pth, which is not there") as error:
        InceptionExtractor()
    assert weights.URL in str(error.value)


def test_the_numbers_of_papers_are_named_so_on_this_network_only(extractor):
    images = tiny_images(24, 16, 3)
    evaluator = Evaluator(extractor, (images[:6], None), (images[6:14], None), None)
    evaluation = evaluator(images[14:], None)
    assert {"fid", "kid", "inception_score", "fid_infinity"} <= set(evaluation.metrics)
    assert "cfid" not in evaluation.metrics
    assert evaluation.metrics["fid"] == pytest.approx(
        frechet_distance(evaluator.test_features, evaluation.features), rel=1e-6
    )
    assert "k = 3" in evaluation.protocol["precision"] and "k = 5" in evaluation.protocol["coverage"]
    for name in ("fid", "kid", "fid_infinity", "inception_score"):
        assert extractor.hash in evaluation.protocol[name] and "10 generated" in evaluation.protocol[name]
    assert "not known to be pt_inception-2015-12-05" in evaluation.protocol["fid"]
    html = Report("x", columns={"generated": evaluation.metrics}, protocol=evaluation.protocol).html()
    assert "FID ↓" in html and "cFID" not in html
    assert "FID ↓" not in Report("x", columns={"generated": {"cfid": 1.0}}).html().replace("cFID ↓", "")


def test_python_maps_images_to_features(file, extractor, monkeypatch):
    images = tiny_images(2, 12, 3)
    monkeypatch.setattr(extractor_choice, "InceptionExtractor", {f"inception:{file}": extractor}.__getitem__)
    features = tfgantl.load_extractor(f"inception:{file}")
    assert features(images).shape == (2, 2048) and features(images).dtype == np.float32
    with pytest.raises(ArtifactError, match="uint8 images .* Received: float32"):
        features(images.astype("f"))
    gray = tiny_images(2, 12, 1)
    np.testing.assert_allclose(features(gray), features(np.repeat(gray, 3, axis=-1)), atol=1e-5)


def test_handles_name_the_way_of_resizing_and_the_path(file, tmp_path, monkeypatch):
    monkeypatch.chdir(file.parent)
    (tmp_path / "inception-pictures").mkdir()
    absolute = EvaluateConfig(extractor=f"inception-clean:{file.name}").extractor
    assert absolute == f"inception-clean:{file}"
    assert EvaluateConfig(extractor="inception").extractor == "inception"
    chosen = choose_extractor(absolute, None, _examples())
    assert chosen.name == "inception-clean" and chosen.resizing == "clean" and chosen.comparable


def _examples():
    from tfgantl.data import Examples

    return Examples.from_arrays(tiny_images(4, 8, 3), None)


def test_the_inception_score_is_that_of_its_definition():
    logits = np.random.default_rng(0).normal(0, 2, (21, 5))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    divergence = np.sum(p * np.log(p / p.mean(0)), axis=1).mean()
    assert inception_score(logits, splits=1) == (pytest.approx(np.exp(divergence)), 0.0)
    assert inception_score(logits, splits=50)[0] == pytest.approx(1.0)  # one picture a part


def test_published_weights_are_known_by_their_hash(file, monkeypatch):
    assert not read_inception_weights(file).published
    digest = __import__("hashlib").sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(weights, "BYTES", file.stat().st_size)
    monkeypatch.setattr(weights, "SHA256", digest[:8])
    assert read_inception_weights(file).published


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in OTHERS),
    reason="torch, torch-fidelity, pytorch-fid and clean-fid must be installed: pip install 'tfgantl[bench]'",
)
def test_all_numbers_are_those_of_pytorch_fid_torch_fidelity_and_clean_fid(file, extractor, tmp_path):
    """In a process of their own, as PyTorch and TensorFlow do not share one."""
    rng = np.random.default_rng(5)
    features = [np.abs(rng.normal(shift, 0.4, (120, 64))) for shift in (0.5, 0.6)]
    np.savez(tmp_path / "features.npz", real=features[0], fake=features[1])
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "inception_reference.py", file, tmp_path / "features.npz", tmp_path],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = InceptionExtractor(f"inception:{tmp_path / 'weights.pth'}")
    assert ours.hash == extractor.hash  # as torch.save has written them
    theirs = json.loads(done.stdout.splitlines()[-1])
    for resizing, expected in REFERENCE.items():
        np.testing.assert_allclose(summary(np.load(tmp_path / f"{resizing}.npy")), expected, atol=1e-5)
    ours_of_noise = ours(pictures()[0])[0]
    np.testing.assert_allclose(ours_of_noise, np.load(tmp_path / "tensorflow.npy")[:2], atol=1e-4)
    np.testing.assert_allclose(ours.logits(ours_of_noise), np.load(tmp_path / "logits.npy")[:2], atol=1e-4)
    real, fake = features
    assert frechet_distance(real, fake) == pytest.approx(theirs["fid"], rel=1e-3)
    assert frechet_distance(real, fake) == pytest.approx(theirs["fid of torch-fidelity"], rel=1e-3)
    assert kernel_estimate(real, fake).value == pytest.approx(theirs["kid"], abs=1e-6)
    assert inception_score(fake, 7) == pytest.approx(theirs["inception score"], abs=1e-6)
    found = neighbourhoods(real, fake, 3)
    assert (found["precision"], found["recall"]) == pytest.approx(theirs["precision and recall"], abs=1e-6)


def test_every_number_of_papers_has_a_title_that_no_other_has():
    comparable = [metric.title for metric in METRICS if metric.comparable]
    assert all("cFID" not in title and "cKID" not in title for title in comparable)
