import json
import re
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, tiny_images
from keras import layers
from PIL import Image

from tfgantl.errors import ArtifactError, ConfigError, RunError
from tfgantl.export import publish as publishing
from tfgantl.export.check import check, check_in_fresh_process
from tfgantl.export.directory import describe, keep_newest, rename_to_next, roll_back, versions_in
from tfgantl.export.formats import write_format
from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.export.parts import MAX_ROWS
from tfgantl.export.publish import check_export_dir, publish
from tfgantl.export.warmup import BATCHES, read_warmup
from tfgantl.gan import GAN
from tfgantl.images import encode_png, to_uint8, to_unit
from tfgantl.metrics.extractors import Extractor


def tiny_generator(num_classes=3):
    keras.utils.set_random_seed(0)
    return GAN(*TINY_DCGAN.build(8, 1, num_classes), seed=0).ema_generator


@pytest.fixture
def generator():
    """One that a test may change, and that it publishes itself; the rest looks at the two that are `published`."""
    return tiny_generator()


@pytest.fixture(scope="module", params=[None, 3], ids=["unconditional", "conditional"])
def published(request, tmp_path_factory):
    """A generator and its version, which no test changes."""
    generator = tiny_generator(request.param)
    return generator, publish(generator, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def served(published):
    """The generator, and the signatures of its version."""
    generator, path = published
    model = tf.saved_model.load(str(path))
    yield generator, model.signatures


@pytest.fixture
def version(published, tmp_path):
    """A copy of the version, which a test may damage."""
    return Path(shutil.copytree(published[1], tmp_path / "model" / "1"))


once = pytest.mark.parametrize("published", [3], ids=["conditional"], indirect=True)


def call(signature, generator, first):
    labels = {"labels": tf.range(len(first)) % 3} if len(generator.inputs) == 2 else {}
    name = next(k for k in signature.structured_input_signature[1] if k != "labels")
    return signature(**{name: tf.constant(first)}, **labels)


def contract(directory):
    """Names, types and shapes, as they stand in the file."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())

    def side(specs):
        return {
            name: f"{tf.as_dtype(spec.dtype).name} {[dim.size for dim in spec.tensor_shape.dim]}"
            for name, spec in sorted(specs.items())
        }

    return {
        name: {"inputs": side(signature.inputs), "outputs": side(signature.outputs), "method": signature.method_name}
        for name, signature in sorted(model.meta_graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def save_generator(make_gan, extractor, path, num_classes):
    make_gan(num_classes=num_classes).ema_generator.save(path / "tiny.keras")
    return path / "tiny.keras"


def save_classifier(make_gan, extractor, path):
    extractor.classifier.save(path / "tiny.keras")
    return path / "tiny.keras"


def save_extractor(make_gan, extractor, path, predicts_labels):
    extractor.predicts_labels = predicts_labels
    extractor.save(path / "tiny")
    return path / "tiny"


# What `--model` may name, and the contract that it is published with.
KINDS = {
    "unconditional": ("unconditional", partial(save_generator, num_classes=None)),
    "conditional": ("conditional", partial(save_generator, num_classes=3)),
    "classifier": ("classifier", save_classifier),
    "extractor": ("extractor", partial(save_extractor, predicts_labels=True)),
    "extractor that knows no classes": ("features", partial(save_extractor, predicts_labels=False)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_are_the_contract(make_gan, tiny_extractor, tmp_path, kind):
    """Clients depend on these names: a change of tests/golden/signatures.json is a new contract."""
    name, save = KINDS[kind]
    path = save(make_gan, tiny_extractor, tmp_path)
    assert export("--model", str(path), "--export_dir", str(tmp_path / "model")) == 0
    golden = json.loads((Path(__file__).parent / "golden" / "signatures.json").read_text())
    assert contract(tmp_path / "model" / "1") == golden[name]


def test_an_extractor_is_served_as_metrics_know_it(tiny_extractor, tmp_path):
    """With its accuracy on the card, its own features, and probabilities of its classes."""
    pixels = tiny_images(3)
    extractor = Extractor(
        tiny_extractor.classifier, "tiny", scale=0.5, predicts_labels=True, accuracy={"shapes": 0.875}
    )
    extractor.save(tmp_path / "tiny")
    assert export("--model", str(tmp_path / "tiny"), "--export_dir", str(tmp_path / "model")) == 0
    signatures = tf.saved_model.load(str(tmp_path / "model" / "1")).signatures
    features, labels = extractor(pixels)
    files = tf.constant([encode_png(image) for image in pixels])
    np.testing.assert_allclose(signatures["features"](image_bytes=files)["features"], features, atol=1e-5)
    np.testing.assert_array_equal(signatures["classify"](image_bytes=files)["label"], labels)
    card = (tmp_path / "model" / "1" / "model_card.md").read_text()
    assert "A classifier of pictures, with 3 classes" in card and f"`{extractor.id}`" in card
    assert "| accuracy on shapes | 0.875 |" in card and "without transfer" not in card


ENDS = {
    "softmax": (lambda x: layers.Dense(3, activation="softmax")(x), 4),
    "softmax layer": (lambda x: layers.Softmax()(layers.Dense(3)(x)), 4),
    "bfloat16": (lambda x: layers.Dense(3, dtype="mixed_bfloat16")(x), 4),
    "no dense layer": (lambda x: layers.Rescaling(2.0)(layers.Dense(3)(x)), None),
}


@pytest.mark.parametrize("end", ENDS)
def test_classifiers_may_end_in_logits_or_a_softmax(end):
    make, features = ENDS[end]
    images = keras.Input((8, 8, 1))
    network = keras.Model(images, make(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(images))))
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 1)).astype(np.float32)
    endpoints = classifier_signatures(network)
    given = tf.cast(network(pixels), tf.float32)
    expected = given if end.startswith("softmax") else tf.nn.softmax(given)
    found = endpoints["serving_default"](tf.constant(pixels))["probabilities"]
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    files = tf.constant([encode_png(to_uint8(image)) for image in pixels])
    assert (endpoints["features"](files)["features"].shape[1] if "features" in endpoints else None) == features


NEITHER = {
    "one logit": ((8, 8, 1), lambda x: layers.Dense(1)(layers.Flatten()(x)), "at least two logits.*1 outputs"),
    "sigmoid": ((8, 8, 1), lambda x: layers.Dense(3, activation="sigmoid")(layers.Flatten()(x)), "with sigmoid act"),
    "wide pictures": ((8, 6, 1), lambda x: layers.Dense(3)(layers.Flatten()(x)), "images must be square"),
    "four channels": ((8, 8, 4), lambda x: layers.Dense(3)(layers.Flatten()(x)), "with 1 or 3 channels"),
    "any size": ((None, None, 3), lambda x: layers.Dense(3)(layers.GlobalMaxPooling2D()(x)), "must be square"),
    "vectors": ((8,), lambda x: layers.Dense(3)(x), r"must map latents.*: output shape \(None, 3\)"),
    "images to images": ((8, 8, 1), lambda x: layers.Conv2D(1, 3)(x), r"or images to logits.*\(None, 8, 8, 1\) to"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NEITHER)
def test_networks_that_no_endpoints_suit_are_refused(tmp_path, capsys, kind):
    shape, make, message = NEITHER[kind]
    images = keras.Input(shape)
    keras.Model(images, make(images)).save(tmp_path / "tiny.keras")
    assert export("--model", str(tmp_path / "tiny.keras"), "--export_dir", str(tmp_path / "model")) == 4
    assert re.search(message, capsys.readouterr().err) and not (tmp_path / "model").exists()


def test_served_images_are_those_of_keras(served):
    generator, signatures = served
    latents = np.random.default_rng(0).standard_normal((5, 4), np.float32)
    inputs = [latents, np.arange(5) % 3] if len(generator.inputs) == 2 else latents
    images = call(signatures["serving_default"], generator, latents)["images"].numpy()
    np.testing.assert_allclose(images, generator.predict(inputs, verbose=0), atol=1e-5)


def decode(files):
    import io

    return [np.asarray(Image.open(io.BytesIO(file))) for file in files.numpy()]


def test_an_image_depends_on_its_seed_and_label_alone(served):
    generator, signatures = served
    signature = signatures["generate_png"]
    seeds = np.array([7, 8, 9, 7, -(2**63), 2**63 - 1], np.int64)
    many = decode(call(signature, generator, seeds)["png_bytes"])
    np.testing.assert_array_equal(many[0], many[3])  # the same seed and label
    np.testing.assert_array_equal(many[0], decode(call(signature, generator, seeds[:1])["png_bytes"])[0])
    assert not np.array_equal(many[0], many[1]) and many[0].shape == (8, 8) and many[0].dtype == np.uint8
    assert len(call(signature, generator, seeds[:0])["png_bytes"]) == 0


def test_only_core_operations_are_exported(published):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((published[1] / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    ops = {node.op for node in graph.node} | {n.op for f in graph.library.function for n in f.node_def}
    assert not ops & {"PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles"}


def test_versions_count_up_and_nothing_else_is_left(generator, tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "saved_model.pb").touch()
    (tmp_path / "notes").mkdir()
    assert publish(generator, tmp_path).name == "8"
    assert publish(generator, tmp_path).name == "9"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["7", "8", "9", "deploy", "notes"]


def test_a_model_that_changed_in_writing_is_not_published(generator, tmp_path, monkeypatch):
    write = publishing.write_saved_model

    def spoilt(model, endpoints, directory):
        write(model, endpoints, directory)
        model.weights[0].assign(model.weights[0] + 1.0)

    monkeypatch.setattr(publishing, "write_saved_model", spoilt)
    with pytest.raises(
        ArtifactError, match="images must be that of the Keras model to 1e-05. Received: a difference of 0"
    ):
        publish(generator, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_of_another_kind_takes_no_place(generator, tmp_path):
    """A feature extractor became the newest version of a generator, whose clients got errors."""
    publish(generator, tmp_path / "model")
    images = keras.Input((8, 8, 1))
    classifier = keras.Model(images, keras.layers.Dense(3)(keras.layers.Flatten()(images)))
    with pytest.raises(ArtifactError, match="endpoint that the newest version has .generate, generate_png.* classify"):
        publish(classifier, tmp_path / "model")
    with pytest.raises(ArtifactError, match="must have an endpoint that the newest version has"):
        check_export_dir(tmp_path / "model", "classify")
    check_export_dir(tmp_path / "model", "generate")
    assert publish(classifier, tmp_path / "model", force=True).name == "2"


def test_weights_that_are_not_finite_are_not_published(generator, tmp_path):
    generator.weights[0].assign(generator.weights[0] * np.nan)
    with pytest.raises(ArtifactError, match="must answer examples to be published. Received: .*must be finite"):
        publish(generator, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_negative_transfer_is_published_only_if_forced(generator, tmp_path):
    with pytest.raises(ArtifactError, match="must not be negative .* unless forced. Received: negative"):
        publish(generator, tmp_path, facts={"verdict": "negative"})
    assert not list(tmp_path.iterdir())
    path = publish(generator, tmp_path, facts={"verdict": "negative"}, force=True)
    assert "transfer was **negative**" in (path / "model_card.md").read_text()


def test_a_bad_warmup_request_keeps_a_version_from_its_number(generator, tmp_path, monkeypatch):
    write = publishing.write_warmup

    def spoilt(directory, name, inputs, batches):
        inputs["generate"] = {**inputs["generate"], "seed": np.zeros((3, 3), np.int64)}
        write(directory, name, inputs, batches)

    monkeypatch.setattr(publishing, "write_warmup", spoilt)
    with pytest.raises(ArtifactError, match="generate must run"):
        publish(generator, tmp_path)
    assert not list(tmp_path.iterdir())


def test_warmup_has_every_signature_and_size_of_batch(published):
    found = {(name, len(next(iter(inputs.values())))) for name, inputs in read_warmup(published[1])}
    assert found == {(name, n) for name in ("serving_default", "generate", "generate_png") for n in BATCHES}
    assert BATCHES[-1] == MAX_ROWS  # a server that batches refuses whatever is larger than its largest batch


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "model_card.md").write_text("x"), "model_card.md: must be what was written"),
        (lambda path: (path / "saved_model.pb").unlink(), "files must be those of manifest.json. Received: saved_mod"),
        (lambda path: (path / "more").write_text("x"), "files must be those of manifest.json. Received: more"),
        (lambda path: (path / "manifest.json").write_text("{"), "must hold an intact manifest.json"),
    ],
    ids=["changed", "missing", "superfluous", "no manifest"],
)
@once
def test_a_version_that_is_not_what_was_written_is_told(version, damage, message):
    damage(version)
    with pytest.raises(ArtifactError, match=message):
        check(version)


@once
def test_a_fresh_process_checks_and_tells_in_one_line(version):
    found = check_in_fresh_process(version)
    assert set(found) == {"serving_default", "generate", "generate_png"}
    assert 0 <= found["serving_default"] <= 1e-5 and max(found.values()) <= 1
    (version / "variables" / "variables.data-00000-of-00001").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="variables.data-00000-of-00001: must be what was written") as error:
        check_in_fresh_process(version)
    assert "\n" not in str(error.value)


def test_too_many_rows_and_labels_that_are_no_classes_are_refused_in_the_graph(served):
    generator, signatures = served
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request must have at most 256 rows"):
        call(signatures["generate"], generator, np.zeros(257, np.int64))
    if len(generator.inputs) == 2:
        for label in (-1, 3):
            with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be in .0, 2."):
                signatures["generate"](seed=tf.zeros([1], tf.int64), labels=tf.constant([label]))
        with pytest.raises(tf.errors.InvalidArgumentError, match="inputs must have as many rows"):
            signatures["generate"](seed=tf.zeros([3], tf.int64), labels=tf.constant([0]))


def test_pictures_are_decoded_after_a_look_at_their_headers(tiny_extractor, tmp_path):
    signatures = tf.saved_model.load(
        str(publish(tiny_extractor.classifier, tmp_path, classifier_signatures))
    ).signatures
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8)
    png, jpeg = tf.io.encode_png(pixels).numpy(), tf.io.encode_jpeg(pixels, quality=100).numpy()
    found = signatures["classify"](image_bytes=tf.constant([png, jpeg]))
    expected = tiny_extractor.classifier.predict(to_unit(pixels)[None], verbose=0)
    np.testing.assert_allclose(found["probabilities"][0], tf.nn.softmax(expected)[0], atol=1e-5)
    np.testing.assert_allclose(found["probabilities"][1], tf.nn.softmax(expected)[0], atol=0.1)
    bomb = bytearray(png)
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    for file, message in (
        (bytes(bomb), "must have at most 16000000 pixels"), (b"GIF89a", "must be a PNG or JPEG"),
        (b"", "must be a PNG or JPEG"), (png[:20], "."), (jpeg[: len(jpeg) // 2], "."),
    ):  # fmt: skip
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            signatures["classify"](image_bytes=tf.constant([file]))


def test_versions_are_listed_withdrawn_and_deleted_and_no_number_is_used_twice(generator, tmp_path):
    with pytest.raises(RunError, match="must hold two versions to go back. Received: 0"):
        roll_back(tmp_path)
    for number in (1, 2, 3):
        assert publish(generator, tmp_path, facts={"verdict": "positive"}).name == str(number)
    assert roll_back(tmp_path) == (3, 2) and versions_in(tmp_path) == [1, 2]
    assert publish(generator, tmp_path).name == "4"
    rows = describe(tmp_path)
    assert [(row["version"], row["state"], row["verdict"]) for row in rows] == [
        (1, "older", "positive"), (2, "older", "positive"), (3, "withdrawn", "positive"), (4, "newest", None),
    ]  # fmt: skip
    assert keep_newest(tmp_path, 1) == [1, 2] and versions_in(tmp_path) == [4]
    assert keep_newest(tmp_path, 1) == []


def test_exports_at_one_time_are_all_published(make_gan, tmp_path):
    networks = [make_gan(seed=seed).ema_generator for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        paths = list(pool.map(lambda network: publish(network, tmp_path / "tiny"), networks))
    assert sorted(path.name for path in paths) == ["1", "2", "3"]
    for path in paths:
        check(path)


def test_a_file_with_the_name_of_a_version_is_left_alone(generator, tmp_path):
    (tmp_path / "1").write_text("notes")
    assert publish(generator, tmp_path).name == "2" and versions_in(tmp_path) == [2]


def test_deployment_files_are_what_the_server_reads_and_edits_stay(generator, tmp_path):
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    publish(generator, tmp_path / "My.model_1")
    deploy = tmp_path / "My.model_1" / "deploy"
    config = text_format.Parse((deploy / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    assert config.model_config_list.config[0].name == "My.model_1"
    batching = (deploy / "batching.config").read_text()
    allowed = [int(n) for n in re.findall(r"allowed_batch_sizes: (\d+)", batching)]
    assert allowed == sorted(allowed) and f"max_batch_size {{ value: {allowed[-1]} }}" in batching
    (deploy / "models.config").write_text("mine")
    publish(generator, tmp_path / "My.model_1")
    assert (deploy / "models.config").read_text() == "mine"


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
        return rename_to_next(temporary, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(export, range(8)))
    assert sorted(path.name for path in taken) == list("12345678")
    assert [(path / "saved_model.pb").read_text() for path in taken] == list("01234567")


@pytest.mark.parametrize("kind", ["onnx", "litert"])
def test_other_runtimes_give_the_same(make_gan, tiny_extractor, tmp_path, kind):
    for name, network in (("tiny", make_gan().ema_generator), ("judge", tiny_extractor.classifier)):
        path, difference = write_format(network, tmp_path / name, kind)
        assert path.stat().st_size > 1000 and difference < 1e-4
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_runtime_that_is_not_installed_is_named(make_gan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ArtifactError, match=r"`format` onnx: what converts to it must be installed: pip install 'tfgantl\[onnx\]'"
    ):
        write_format(make_gan().ema_generator, tmp_path / "tiny", "onnx")
    assert not list((tmp_path / "tiny").iterdir())


def export(*arguments):
    from tfgantl.pipelines.export import main

    return main(list(arguments))


def test_the_command_publishes_lists_verifies_and_withdraws(make_gan, tmp_path, capsys):
    gan = make_gan()
    gan.generator.save(tmp_path / "tiny.keras")
    target = ["--export_dir", str(tmp_path / "exported")]
    for number in ("1", "2", "3"):
        assert export("--model", str(tmp_path / "tiny.keras"), *target, "--keep", "2", "--json") == 0
        assert json.loads(capsys.readouterr().out)["version"] == str(tmp_path / "exported" / number)
    assert export("--list", str(tmp_path / "exported"), "--json") == 0
    assert [row["version"] for row in json.loads(capsys.readouterr().out)["versions"]] == [2, 3]
    assert export("--verify", str(tmp_path / "exported" / "3"), "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["differences"]) == {"serving_default", "generate", "generate_png"}
    assert export("--rollback", str(tmp_path / "exported")) == 0
    assert "version 3 is withdrawn, 2 is the newest now" in capsys.readouterr().out
    assert export("--rollback", str(tmp_path / "exported")) == 5
    assert "must hold two versions to go back. Received: 1" in capsys.readouterr().err
    assert export("--verify", str(tmp_path / "exported")) == 4
    assert "must hold an intact manifest.json" in capsys.readouterr().err


def test_a_run_with_negative_transfer_is_exported_only_by_force(make_gan, tmp_path, capsys, monkeypatch):
    make_gan().generator.save(tmp_path / "generator.keras")
    record = {"run": "result", "name": "tiny", "verdict": {"outcome": "negative"}, "metrics": {"ckid": 1.0}}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["--model", str(tmp_path)]
    for more in ([], ["--format", "onnx"], ["--format", "litert"]):
        for model in (tmp_path, tmp_path / "generator.keras"):  # which is that of the run
            assert export("--model", str(model), *more) == 4 and "must not be negative" in capsys.readouterr().err
    assert not (tmp_path / "exported").exists()
    assert export(*arguments, "--force") == 0
    assert "| ckid | 1 |" in (tmp_path / "exported" / "tiny" / "1" / "model_card.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of `model`, `list`, `verify` and `rollback` must be given. Received: none"),
        (["--list", "a", "--verify", "b"], "Received: list, verify"),
        (["--list", "a", "--keep", "1"], "`keep` must be given with `model`"),
    ],
)
def test_impossible_exports_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        export(*arguments)
    assert message in capsys.readouterr().err


class TwoTexts(keras.Model):
    """A model of something else, as those that read text are."""


@pytest.mark.parametrize("kind", ["onnx", "litert"])
def test_formats_are_for_noise_and_pictures_and_have_a_name(generator, tmp_path, kind):
    """Models that read text ended in an AttributeError, and `--export_dir ..` wrote a hidden file above."""
    pair = keras.Model([a := keras.Input((3,)), b := keras.Input((3,))], keras.layers.Add()([a, b]))
    for network in (TwoTexts(), pair):
        with pytest.raises(ArtifactError, match=f"`format` {kind} must have a generator of noise, or a network of"):
            write_format(network, tmp_path / "x", kind)
    anything = keras.Model(images := keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()(images))
    with pytest.raises(ArtifactError, match=f"`format` {kind} must have a network of pictures of one size"):
        write_format(anything, tmp_path / "x", kind)
    with pytest.raises(ConfigError, match="`name` must start with a letter or digit"):
        write_format(generator, tmp_path / "x" / "..", kind)
    assert not list(tmp_path.rglob("*"))
