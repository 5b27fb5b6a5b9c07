"""SavedModels are programs: those that do more than compute are refused, and so are damaged ones."""

import numpy as np
import pytest
import tensorflow as tf
from modules import tf1_hub_module, tf2_module

from tfgantl.errors import ArtifactError
from tfgantl.pretrained import load_generator
from tfgantl.untrusted.operations import check_operations
from tfgantl.untrusted.savedmodels import read_graph, read_variables
from tfgantl.untrusted.stripping import without_saving


def read_a_file(z):
    tf.print(tf.strings.length(tf.io.read_file("/etc/passwd")))


def write_a_file(z):
    tf.io.write_file("/tmp/tfgantl-test-must-not-exist", "x")


def print_to_a_file(z):
    tf.print("x", output_stream="file:///tmp/tfgantl-test-must-not-exist")


def read_a_table(z):
    tf.raw_ops.GenerateVocabRemapping(
        new_vocab_file="/etc/passwd", old_vocab_file="/etc/passwd", new_vocab_offset=0, num_new_vocab=1
    )


def run_python(z):
    tf.numpy_function(lambda x: x, [z], tf.float32)


def restore(z):
    tf.raw_ops.RestoreV2(prefix="/etc/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])


@pytest.mark.parametrize(
    ("extra", "operation"),
    [
        (read_a_file, "ReadFile"), (write_a_file, "WriteFile"), (print_to_a_file, "PrintV2"),
        (read_a_table, "GenerateVocabRemapping"), (run_python, "PyFunc"), (restore, "RestoreV2"),
    ],
)  # fmt: skip
def test_saved_models_that_do_more_than_compute_are_refused_before_they_are_loaded(
    tmp_path, monkeypatch, extra, operation
):
    module = tf2_module(tmp_path / "module", extra)

    def loaded(*arguments, **options):
        raise AssertionError("loaded before it was checked")

    monkeypatch.setattr(tf.saved_model, "load", loaded)
    with pytest.raises(ArtifactError, match=f"operations of a SavedModel must only compute.*{operation}"):
        load_generator(str(module))


def test_allowed_operations_run(tmp_path):
    module = tf2_module(tmp_path / "module", read_a_file)
    assert load_generator(str(module), allow_ops=("ReadFile", "PrintV2")).output_shape == (None, 4, 4, 1)


def test_the_operations_of_the_saver_are_the_only_exception(tmp_path):
    """A signature that asks for the saver's own node saves files whenever it is called."""
    module = tf1_hub_module(tmp_path / "module")
    graph = read_graph(module, [])
    assert {"SaveV2", "RestoreV2"} <= {node.op for node in graph.graph_def.node}
    check_operations(without_saving(graph), (), "module")
    operations = {node.op for node in graph.graph_def.node}
    assert "RestoreV2" in operations and "SaveV2" not in operations
    graph = read_graph(module, [])
    graph.signature_def["generator"].outputs["samples"].name = graph.saver_def.save_tensor_name
    with pytest.raises(ArtifactError, match="SaveV2"):
        check_operations(without_saving(graph), (), "module")


def test_operations_that_tensorflow_does_not_know_are_refused(tmp_path):
    graph = without_saving(read_graph(tf2_module(tmp_path / "module"), ["serve"]))
    graph.graph_def.library.function[0].node_def.add(name="evil", op="MyNativeCode")
    with pytest.raises(ArtifactError, match=r"Received: MyNativeCode \(1\)"):
        check_operations(graph, (), "module")


def test_adopting_runs_nothing_of_a_module(tmp_path, monkeypatch):
    module = tf1_hub_module(tmp_path / "module")
    monkeypatch.setattr(tf.saved_model, "load", None)
    names = set(read_variables(module))
    assert names == {"generator/fc/kernel", "generator/emb/kernel", "generator/bn/moving_mean",
                     "discriminator/fc/kernel"}  # fmt: skip


def several_graphs(path, tags):
    """Writes the graph of a module under each of these sets of tags."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    first = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0]
    del model.meta_graphs[:]
    for some in tags:
        graph = model.meta_graphs.add()
        graph.CopyFrom(first)
        del graph.meta_info_def.tags[:]
        graph.meta_info_def.tags.extend(some)
    (path / "saved_model.pb").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("tags", [[], [["train"]], [["serve", "gpu"]], [["serve"], ["serve"]]], ids=str)
def test_the_graph_that_serves_must_be_the_only_one(tmp_path, tags):
    module = tf2_module(tmp_path / "module")
    several_graphs(module, tags)
    with pytest.raises(ArtifactError, match=r"must hold one graph with the tags \['serve'\]. Received: \["):
        load_generator(str(module))


def test_one_of_several_graphs_serves(tmp_path):
    module = tf2_module(tmp_path / "module")
    several_graphs(module, [["serve"], ["serve", "tpu"]])
    assert read_graph(module, ["serve"]).meta_info_def.tags == ["serve"]


def test_a_module_that_only_judges_is_no_generator(tmp_path):
    module = tf1_hub_module(tmp_path / "module", signatures=("discriminator",))
    with pytest.raises(ArtifactError, match="must have one output|one output must be images|latents must have"):
        load_generator(str(module))


@pytest.mark.parametrize("names", [("onehot", "prior"), ("z", "noise")])
def test_inputs_that_could_be_either_are_not_guessed(tmp_path, names):
    """Which one was the noise changed from process to process."""
    module = tf.Module()
    specs = [tf.TensorSpec([None, size], tf.float32, name) for name, size in zip(names, (10, 4), strict=True)]
    module.serve = tf.function(lambda *x: {"images": tf.reshape(tf.tanh(x[1]), [-1, 2, 2, 1])}, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    with pytest.raises(ArtifactError, match=f"of inputs {', '.join(sorted(names))}, one must be called as latents are"):
        load_generator(str(tmp_path / "module"))


@pytest.mark.parametrize(("name", "size"), [("mixing_z", 12), ("psi", 1)])
def test_a_second_noise_is_no_label(tmp_path, name, size):
    """A generator of as many classes was made of it, the second latents of which were unit vectors."""
    module = tf.Module()
    specs = [tf.TensorSpec([None, 4], tf.float32, "z"), tf.TensorSpec([None, size], tf.float32, name)]
    module.serve = tf.function(lambda *x: {"images": tf.reshape(tf.tanh(x[0]), [-1, 2, 2, 1])}, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    with pytest.raises(ArtifactError, match=f"inputs must be latents, labels and scalars. Received: {name} "):
        load_generator(str(tmp_path / "module"))


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_a_column_of_labels_is_no_label_of_one_class(tmp_path, dtype):
    """A generator of one class was made of it, which drew class 1 for label 0, and class 0 for any other."""
    module = tf.Module()
    module.table = tf.Variable(tf.reshape(tf.range(12.0), (3, 4)) / 12, name="label_embedding")

    def serve(z, label):
        rows = tf.gather(module.table, tf.cast(label[:, 0], tf.int32))
        return {"images": tf.reshape(rows + 0 * z, [-1, 2, 2, 1])}

    specs = [tf.TensorSpec([None, 4], tf.float32, "z"), tf.TensorSpec([None, 1], dtype, "label")]
    module.serve = tf.function(serve, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    if dtype == "float32":
        with pytest.raises(ArtifactError, match="must be latents, labels and scalars. Received: label "):
            load_generator(str(tmp_path / "module"))
        return
    generator = load_generator(str(tmp_path / "module"))
    assert generator.num_classes == 3
    images = generator([np.zeros((3, 4), np.float32), np.array([2, 0, 1])])  # mapped to [-1, 1]
    np.testing.assert_allclose(np.array(images).reshape(3, 4), 2 * np.array(module.table)[[2, 0, 1]] - 1, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_modules_may_compute_in_any_type_of_floats(tmp_path, dtype):
    """Those whose latents were not of float32 ended in a traceback."""
    module = tf.Module()
    module.kernel = tf.Variable(tf.ones((4, 4), dtype), name="kernel")
    specs = [tf.TensorSpec([None, 4], dtype, "z")]
    module.serve = tf.function(lambda z: {"images": tf.reshape(tf.tanh(z @ module.kernel), [-1, 2, 2, 1])}, specs)
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    images = load_generator(str(tmp_path / "module"))(np.full((2, 4), -0.1, np.float32))
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images, np.full((2, 2, 2, 1), np.tanh(-0.4)), atol=1e-2)


def conditional(path, rows, known, gathers):
    """A module of `known` classes, beside whose table another variable has `rows` rows and a name of labels."""
    module, rng = tf.Module(), np.random.default_rng(0)
    module.table = tf.Variable(rng.normal(size=(known, 16)).astype("f"), name="table")
    module.other = tf.Variable(rng.normal(size=(rows, 16)).astype("f"), name="class_mix")
    module.kernel = tf.Variable(rng.normal(size=(4, 16)).astype("f"), name="kernel")

    def serve(z, label):
        row = tf.gather(module.table, label) if gathers else tf.one_hot(label, known) @ module.table
        mixed = 0 * tf.reduce_sum(module.other)
        return {"images": tf.reshape(tf.tanh(z @ module.kernel + row + mixed), [-1, 4, 4, 1])}

    specs = [tf.TensorSpec([None, 4], tf.float32, "z"), tf.TensorSpec([None], tf.int32, "label")]
    module.serve = tf.function(serve, input_signature=specs)
    tf.saved_model.save(module, str(path), signatures=module.serve)


@pytest.mark.parametrize("gathers", [True, False])
def test_labels_that_a_module_has_not_are_no_classes(tmp_path, gathers, capsys):
    """Folders 3 to 7 had pictures of no class: the rows of any variable with such a name were taken for classes."""
    conditional(tmp_path / "wrong", 8, 3, gathers)
    with pytest.raises(
        ArtifactError, match="`num_classes` of .* must be given, .* a label 7, of the rows of class_mix"
    ):
        load_generator(str(tmp_path / "wrong"))
    conditional(tmp_path / "right", 3, 3, gathers)
    assert load_generator(str(tmp_path / "right")).num_classes == 3
    assert "3 classes, as many as class_mix has rows" in capsys.readouterr().err
