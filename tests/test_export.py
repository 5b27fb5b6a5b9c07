import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgantl.errors import ArtifactError, RunError
from tfgantl.export import publish as publishing
from tfgantl.export.publish import compare, publish


@pytest.fixture(params=[None, 3], ids=["unconditional", "conditional"])
def generator(request, make_gan):
    return make_gan(num_classes=request.param).ema_generator


def call(signature, generator, first):
    labels = {"labels": tf.range(len(first)) % 3} if len(generator.inputs) == 2 else {}
    name = next(k for k in signature.structured_input_signature[1] if k != "labels")
    return signature(**{name: tf.constant(first)}, **labels)


def test_signatures_are_the_contract(generator, tmp_path):
    path = publish(generator, tmp_path / "model")
    assert path == tmp_path / "model" / "1"
    signatures = tf.saved_model.load(str(path)).signatures
    assert set(signatures) == {"serving_default", "generate_png"}
    labels = {"labels": (tf.int32, [None])} if len(generator.inputs) == 2 else {}
    expected = {
        "serving_default": ({"latents": (tf.float32, [None, 4]), **labels}, {"images": tf.float32}),
        "generate_png": ({"seed": (tf.int64, [None]), **labels}, {"png_bytes": tf.string}),
    }
    for name, (inputs, outputs) in expected.items():
        specs = signatures[name].structured_input_signature[1]
        assert {k: (v.dtype, v.shape.as_list()) for k, v in specs.items()} == inputs
        assert {k: v.dtype for k, v in signatures[name].structured_outputs.items()} == outputs


def test_served_images_are_those_of_keras(generator, tmp_path):
    signatures = tf.saved_model.load(str(publish(generator, tmp_path))).signatures
    latents = np.random.default_rng(0).standard_normal((5, 4), np.float32)
    inputs = [latents, np.arange(5) % 3] if len(generator.inputs) == 2 else latents
    images = call(signatures["serving_default"], generator, latents)["images"].numpy()
    np.testing.assert_allclose(images, generator.predict(inputs, verbose=0), atol=1e-5)


def decode(files):
    import io

    return [np.asarray(Image.open(io.BytesIO(file))) for file in files.numpy()]


def test_an_image_depends_on_its_seed_and_label_alone(generator, tmp_path):
    signature = tf.saved_model.load(str(publish(generator, tmp_path))).signatures["generate_png"]
    seeds = np.array([7, 8, 9, 7, -(2**63), 2**63 - 1], np.int64)
    many = decode(call(signature, generator, seeds)["png_bytes"])
    np.testing.assert_array_equal(many[0], many[3])  # the same seed and label
    np.testing.assert_array_equal(many[0], decode(call(signature, generator, seeds[:1])["png_bytes"])[0])
    assert not np.array_equal(many[0], many[1]) and many[0].shape == (8, 8) and many[0].dtype == np.uint8
    assert len(call(signature, generator, seeds[:0])["png_bytes"]) == 0


def test_only_core_operations_are_exported(generator, tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((publish(generator, tmp_path) / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    ops = {node.op for node in graph.node} | {n.op for f in graph.library.function for n in f.node_def}
    assert not ops & {"PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles"}


def test_versions_count_up_and_nothing_else_is_left(generator, tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    assert publish(generator, tmp_path).name == "8"
    assert publish(generator, tmp_path).name == "9"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["7", "8", "9", "notes"]


def test_a_model_that_changed_in_writing_is_not_published(generator, tmp_path, monkeypatch):
    write = publishing.write_saved_model

    def spoilt(model, directory):
        write(model, directory)
        model.weights[0].assign(model.weights[0] + 1.0)

    monkeypatch.setattr(publishing, "write_saved_model", spoilt)
    with pytest.raises(ArtifactError, match="must give the images of the Keras model to 1e-05. Received: 0"):
        publish(generator, tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


def test_weights_that_are_not_finite_are_not_published(generator, tmp_path):
    generator.weights[0].assign(generator.weights[0] * np.nan)
    with pytest.raises(ArtifactError, match="Received: nan"):
        publish(generator, tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


def test_an_export_directory_that_cannot_be_written_is_named(generator, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="`export_dir` must be a directory that can be written. Received: .*file"):
        publish(generator, tmp_path / "file")


def test_concurrent_exports_never_share_a_number(tmp_path):
    start = threading.Barrier(8)

    def export(i):
        temporary = tmp_path / f".tmp-{i}"
        temporary.mkdir()
        (temporary / "saved_model.pb").write_text(str(i))
        start.wait()
        return publishing._rename_to_next(temporary, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(export, range(8)))
    assert sorted(path.name for path in taken) == list("12345678")
    assert [(path / "saved_model.pb").read_text() for path in taken] == list("01234567")


def test_compare_gives_the_largest_difference(generator, tmp_path):
    path = publish(generator, tmp_path)
    assert 0 <= compare(generator, path) <= 1e-5
