"""SavedModels whose author drew the graph by hand, so that loading them would do more than compute."""

import ast
import re
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import growth_below
from modules import tf1_hub_module, tf2_module
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import saved_model_pb2

import tfgantl
from tfgantl.errors import ArtifactError
from tfgantl.export.check import check
from tfgantl.export.manifest import write_manifest
from tfgantl.export.warmup import FILE, read_warmup
from tfgantl.pretrained import load_generator
from tfgantl.serving.servable import Servable
from tfgantl.style.arbitrary import load_module
from tfgantl.untrusted.checkpoints import Checkpoint
from tfgantl.untrusted.operations import check_operations
from tfgantl.untrusted.savedmodels import read_graph
from tfgantl.untrusted.stripping import without_saving

v1 = tf.compat.v1


def writes_a_file(victim, prefix="evil"):
    """Nodes of a graph that overwrite a file; the last one does it."""
    with v1.Graph().as_default() as graph:
        name, line = tf.constant(str(victim), name=f"{prefix}/file"), tf.constant(["a line"], name=f"{prefix}/names")
        data = [tf.constant([1.0], name=f"{prefix}/data")]
        tf.raw_ops.Save(filename=name, tensor_names=line, data=data, name=f"{prefix}/save")
        return list(graph.as_graph_def().node)


def node_of(graph, name):
    return next(node for node in graph.graph_def.node if node.name == name)


def before_restoring(graph, victim):
    """As a control input of what restores the variables."""
    graph.graph_def.node.extend(writes_a_file(victim))
    node_of(graph, graph.saver_def.restore_op_name).input.append("^evil/save")


def in_the_place_of_saving(graph, victim):
    """The same, and beside it for what saves them, which makes it an ancestor of the saver on both sides."""
    before_restoring(graph, victim)
    node_of(graph, graph.saver_def.save_tensor_name.split(":")[0]).input.append("^evil/save")


def reading_another_file(graph, victim):
    """The variables are restored from a file that the graph names."""
    with v1.Graph().as_default() as other:
        tf.constant(str(victim), name="evil/file")
        graph.graph_def.node.extend(other.as_graph_def().node)
    read = next(node for node in graph.graph_def.node if node.op == "RestoreV2")
    read.input[0] = "evil/file"


def saving_while_restoring(graph, victim):
    """The saver's own writing becomes a part of restoring."""
    write = next(node.name for node in graph.graph_def.node if node.op == "SaveV2")
    node_of(graph, graph.saver_def.restore_op_name).input.append(f"^{write}")


def in_a_function(graph, victim):
    """In a function that only restoring calls."""
    function = graph.graph_def.library.function.add()
    function.signature.name = "evil_function"
    for node in writes_a_file(victim):
        function.node_def.add().CopyFrom(node)
        for i, name in enumerate(node.input):
            output = "output" if name.startswith("evil") else ""
            function.node_def[-1].input[i] = f"{name}:{output}:0" if output else name
    call = graph.graph_def.node.add(name="evil/call", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "evil_function"
    call.attr["Tin"].list.SetInParent()
    call.attr["Tout"].list.SetInParent()
    node_of(graph, graph.saver_def.restore_op_name).input.append("^evil/call")


def under_the_name_of_an_operation(graph, victim):
    """A function that is called like an operation, and would not be looked at as one."""
    graph.graph_def.library.function.add().signature.name = "WriteFile"


def twice_under_one_name(graph, victim):
    """Two nodes, of which only one would be looked at."""
    graph.graph_def.node.add(name="z", op="NoOp")
    graph.graph_def.node.add(name="z", op="NoOp")


KINDS = {
    before_restoring: "Save", in_the_place_of_saving: "Save", reading_another_file: "RestoreV2",
    saving_while_restoring: "SaveV2", in_a_function: "Save", under_the_name_of_an_operation: "WriteFile",
    twice_under_one_name: "z",
}  # fmt: skip


def looked_at(graph):
    """What would be loaded of a graph, which passes the check, or the error of the check."""
    copy = type(graph).FromString(graph.SerializeToString())
    check_operations(without_saving(copy), (), "module")
    return copy


def rewritten(module, change, victim):
    path = module / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0], victim)
    path.write_bytes(model.SerializeToString())
    return module


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A SavedModel of TF1 with a saver of operations, and one of TF2 with a saver of functions."""
    path = tmp_path_factory.mktemp("plain")
    with v1.Graph().as_default(), v1.Session() as session:
        z = v1.placeholder(tf.float32, [None, 4], "z")
        weight = v1.get_variable("w", [4, 16], initializer=v1.zeros_initializer())
        images = tf.reshape(tf.tanh(z @ weight), [-1, 4, 4, 1])
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(path / "one"), {"latents": z}, {"images": images})
    return {"TF1": path / "one", "TF2": tf2_module(path / "two")}


# In TF2 the saver has functions, whose operations are the matter of the next test.
IN_FUNCTIONS = (reading_another_file, saving_while_restoring)
FORMS = [("TF1", kind) for kind in KINDS] + [("TF2", kind) for kind in KINDS if kind not in IN_FUNCTIONS]


@pytest.mark.parametrize(("form", "kind"), FORMS, ids=lambda value: getattr(value, "__name__", value))
def test_edges_and_names_that_the_author_drew_exempt_nothing(plain, tmp_path, form, kind):
    graph, victim = saved_model_pb2.SavedModel(), tmp_path / "victim"
    graph.ParseFromString((plain[form] / "saved_model.pb").read_bytes())
    graph = graph.meta_graphs[0]
    looked_at(graph)
    kind(graph, victim)
    with pytest.raises(ArtifactError, match=rf"Received: .*\b{KINDS[kind]}\b"):
        looked_at(graph)


def test_functions_of_the_saver_read_only_the_file_that_the_loader_names(plain):
    def graph():
        return read_graph(plain["TF2"], ["serve"])

    changed = graph()
    for function in changed.graph_def.library.function:
        for node in function.node_def:
            if node.op == "RestoreV2":
                node.input[0] = node.input[1]
    with pytest.raises(ArtifactError, match="RestoreV2"):
        looked_at(changed)
    changed = graph()
    restore = node_of(changed, changed.saver_def.restore_op_name)
    save = node_of(changed, changed.saver_def.save_tensor_name.split(":")[0])
    restore.attr["f"].func.name = save.attr["f"].func.name
    with pytest.raises(ArtifactError, match="SaveV2"):
        looked_at(changed)


def named_by_an_object(graph, name):
    graph.object_graph_def.nodes.add().bare_concrete_function.concrete_function_name = name


def named_by_a_function_object(graph, name):
    graph.object_graph_def.nodes.add().function.concrete_functions.append(name)


def named_by_a_gradient(graph, name):
    graph.graph_def.library.registered_gradients.add(registered_op_type="Tanh", gradient_func=name)


def implementing_another(graph, name):
    function = next(f for f in graph.graph_def.library.function if f.signature.name == name)
    function.attr["api_implements"].s = b"x"


@pytest.mark.parametrize(
    "way",
    [named_by_an_object, named_by_a_function_object, named_by_a_gradient, implementing_another],
    ids=lambda w: w.__name__,
)
def test_a_function_that_saving_alone_seems_to_call_may_be_named_elsewhere(plain, way):
    graph = read_graph(plain["TF2"], ["serve"])
    function = graph.graph_def.library.function.add()
    function.signature.name = "evil_function"
    function.node_def.add(name="evil", op="SaveV2")
    call = graph.graph_def.node.add(name="evil/call", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "evil_function"
    node_of(graph, graph.saver_def.save_tensor_name.split(":")[0]).input.append("^evil/call")
    stripped = looked_at(graph)
    assert "evil_function" not in {f.signature.name for f in stripped.graph_def.library.function}
    way(graph, "evil_function")
    with pytest.raises(ArtifactError, match=r"Received: SaveV2"):
        looked_at(graph)


def test_the_graph_that_is_loaded_is_the_one_that_was_looked_at(plain, tmp_path):
    """A marker of hub modules, and a graph without tags as a decoy."""
    module, victim = shutil.copytree(plain["TF1"], tmp_path / "1"), tmp_path / "victim"
    model = saved_model_pb2.SavedModel.FromString((module / "saved_model.pb").read_bytes())
    decoy = model.meta_graphs.add()
    decoy.CopyFrom(model.meta_graphs[0])
    del decoy.meta_info_def.tags[:]
    before_restoring(model.meta_graphs[0], victim)
    (module / "saved_model.pb").write_bytes(model.SerializeToString())
    (module / "tfhub_module.pb").write_bytes(b"")
    with pytest.raises(ArtifactError, match="must only compute.*Save"):
        Servable(module)
    assert not victim.exists()


@pytest.mark.parametrize("operation", ["Abort", "Print"])
def test_operations_that_end_the_process_or_write_to_the_terminal_are_refused(plain, operation):
    graph = read_graph(plain["TF1"], ["serve"])
    graph.graph_def.node.add(name="evil", op=operation)
    with pytest.raises(ArtifactError, match=f"Received: {operation}"):
        looked_at(graph)


WARMUP = {
    "header": ((2**47).to_bytes(8, "little") + bytes(4 + 4), "records must be in the file. Received: one of 14073748"),
    "tensor": (None, "must be in the file. Received: 1073741824 bytes of a record of"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WARMUP)
def test_warmup_requests_hold_what_they_claim(tmp_path, kind):
    from tensorflow_serving.apis import prediction_log_pb2

    content, message = WARMUP[kind]
    (tmp_path / FILE).parent.mkdir()
    if content is None:
        log = prediction_log_pb2.PredictionLog()
        tensor = log.predict_log.request.inputs["x"]
        tensor.dtype = tf.float32.as_datatype_enum
        tensor.float_val.append(1.0)
        tensor.tensor_shape.dim.add(size=2**28)
        with tf.io.TFRecordWriter(str(tmp_path / FILE)) as writer:
            writer.write(log.SerializeToString())
    else:
        (tmp_path / FILE).write_bytes(content)
    with growth_below(64), pytest.raises(ArtifactError, match=message):
        read_warmup(tmp_path)


def test_a_file_of_the_victim_is_what_it_was_through_every_door(tmp_path, plain):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    module = shutil.copytree(plain["TF1"], tmp_path / "1")
    rewritten(module, before_restoring, victim)
    for load in (lambda: load_generator(str(module)), lambda: Servable(module), lambda: load_module(str(module))):
        with pytest.raises(ArtifactError, match="operations of a SavedModel must only compute.*Save"):
            load()
    write_manifest(module, {})
    with pytest.raises(ArtifactError, match="operations of a SavedModel must only compute.*Save"):
        check(module)
    assert victim.read_text() == "precious"


def initialized_by(graph, operation):
    """A variable in a collection of TF1, in whose own format the loader is told what initializes it."""
    for op, name in (("VarHandleOp", "evil/w"), ("ReadVariableOp", "evil/read")):
        node = graph.graph_def.node.add(name=name, op=op, input=["evil/w"] if op == "ReadVariableOp" else [])
        node.attr["dtype"].type = tf.float32.as_datatype_enum
    node_of(graph, "evil/w").attr["shape"].shape.dim.add(size=1)
    definition = variable_pb2.VariableDef(
        variable_name="evil/w:0", initializer_name=operation, snapshot_name="evil/read:0", is_resource=True,
        initial_value_name="evil/data:0",
    )  # fmt: skip
    graph.collection_def["local_variables"].bytes_list.value.append(definition.SerializeToString())


def saves_on_its_own(graph, victim):
    """Only saving seems to run the operation; the collection says otherwise."""
    graph.graph_def.node.extend(writes_a_file(victim))
    node_of(graph, graph.saver_def.save_tensor_name.split(":")[0]).input.append("^evil/save")
    initialized_by(graph, "evil/save")


def restores_on_its_own(graph, victim):
    """What restores the variables, with the name of the file that the graph has, and not that of the loader."""
    graph.graph_def.node.add().CopyFrom(next(n for n in writes_a_file(victim) if n.name == "evil/data"))
    name = node_of(graph, graph.saver_def.filename_tensor_name.split(":")[0])
    name.op = "Const"
    del name.input[:]
    name.attr.clear()
    name.attr["dtype"].type = tf.string.as_datatype_enum
    name.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(str(victim)))
    initialized_by(graph, graph.saver_def.restore_op_name)


def restores_what_an_asset_is(graph, victim):
    """The name of another file is fed to the saver as that of an asset."""
    graph.graph_def.node.add().CopyFrom(next(n for n in writes_a_file(victim) if n.name == "evil/data"))
    initialized_by(graph, graph.saver_def.restore_op_name)
    asset = graph.asset_file_def.add(filename=str(victim))
    asset.tensor_info.name = graph.saver_def.filename_tensor_name


def restores_by_another_output(graph, victim):
    """The name of the file is the second output of a node, of which nobody makes a placeholder."""
    with v1.Graph().as_default() as other:
        tf.raw_ops.IdentityN(input=[tf.constant("x"), tf.constant(str(victim))], name="evil/two")
        graph.graph_def.node.extend(other.as_graph_def().node)
    for node in graph.graph_def.node:
        if node.op == "RestoreV2":
            node.input[0] = "evil/two:1"
    graph.saver_def.filename_tensor_name = "evil/two:1"


def saves_by_a_saver_that_is_made_while_loading(graph, victim):
    """TensorFlow adds a saver where there is none, and a graph can name its nodes before."""
    graph.ClearField("saver_def")
    graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "save/SaveV2"
    for node in list(graph.graph_def.node):
        if node.name.startswith("save/"):
            graph.graph_def.node.remove(node)
    asset = graph.asset_file_def.add(filename=f"../../../../../../../../{victim}")
    asset.tensor_info.name = "save/Const:0"


ON_ITS_OWN = {
    saves_on_its_own: "must only compute.* Save", restores_on_its_own: "must only compute.*RestoreV2",
    restores_what_an_asset_is: "must only compute.*RestoreV2|assets must be files",
    restores_by_another_output: "must take the first output of a node. Received: evil/two:1",
    saves_by_a_saver_that_is_made_while_loading: "must say what restores them. Received: no saver",
}  # fmt: skip


@pytest.mark.parametrize("kind", ON_ITS_OWN, ids=lambda kind: kind.__name__)
def test_what_collections_make_the_loader_run_cannot_reach_the_saver(tmp_path, plain, kind):
    module, victim = shutil.copytree(plain["TF1"], tmp_path / "1"), tmp_path / "victim"
    rewritten(module, kind, victim)
    for load in (lambda: load_generator(str(module)), lambda: Servable(module)):
        with pytest.raises(ArtifactError, match=ON_ITS_OWN[kind]):
            load()
    assert not list(tmp_path.glob("victim*"))


NAMES = {
    "asset of the saver": (lambda g: g.saver_def.filename_tensor_name, "assets/x.txt", "must not be fed to what rest"),
    "asset elsewhere": (lambda g: "z:0", "../x.txt", "must be files of the SavedModel. Received: ../x.txt"),
    "asset that is absolute": (lambda g: "z:0", "/etc/passwd", "must be files of the SavedModel. Received: /etc/pass"),
    "asset of nothing": (lambda g: "nothing:0", "x.txt", "must not be fed to what restores variables"),
    "signature of nothing": (None, "later/made:0", "names in a SavedModel must be of its nodes. Received: later/made"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_lead_to_what_was_looked_at(plain, tmp_path, kind):
    tensor, name, message = NAMES[kind]

    def change(graph, victim):
        if tensor is None:
            graph.signature_def["other"].outputs["x"].name = name
        else:
            asset = graph.asset_file_def.add(filename=name)
            asset.tensor_info.name = tensor(graph)

    module = rewritten(shutil.copytree(plain["TF1"], tmp_path / "1"), change, None)
    with pytest.raises(ArtifactError, match=message):
        load_generator(str(module))


@pytest.mark.parametrize("form", ["TF1", "TF2"])
def test_strings_of_variables_are_as_long_as_they_claim_whoever_loads_them(plain, tmp_path, form):
    """TensorFlow makes room for what a length claims; with 2^62 it ends the process."""
    module = shutil.copytree(plain[form], tmp_path / "1")
    entry = Checkpoint(module / "variables" / "variables").entries.get(b"_CHECKPOINTABLE_OBJECT_GRAPH")
    if form == "TF1":
        assert entry is None
        return
    (data,) = (module / "variables").glob("variables.data-*")
    content = bytearray(data.read_bytes())
    content[entry.offset : entry.offset + 5] = b"\x80" * 4 + b"\x08"
    data.write_bytes(bytes(content))
    for load in (lambda: load_generator(str(module)), lambda: Servable(module)):
        with growth_below(64), pytest.raises(ArtifactError, match="must be an intact SavedModel. Received: .*claims"):
            load()


def test_modules_of_the_hub_load_as_before(tmp_path):
    module = tf1_hub_module(tmp_path / "module")
    looked_at(read_graph(module, []))


# Calls that read a graph, a network, pickled Python, a data set or a picture → files that may have them.
DOORS = {
    "saved_model.load": {"untrusted/loading.py"},
    "models.load_model": {"untrusted/networks.py"},
    "saving.load_model": set(), "hub.load": set(), "TFSMLayer": set(), "load_weights": set(), "pickle.load": set(),
    "pickle.loads": set(), "Unpickler": set(), "torch.load": set(),
    "import_meta_graph": set(), "import_graph_def": set(), "load_library": set(), "load_op_library": set(),
    "train.load_checkpoint": {"untrusted/savedmodels.py"}, "train.Checkpoint": {"training/checkpoint.py"},
    "h5py.File": {"untrusted/networks.py", "untrusted/hdf5.py", "pretrained/weights_h5.py"},
    "np.load": {"recognition/results.py", "training/team.py"},
    "tfds.builder_cls": {"data/tfds.py"}, "tfds.builder": set(), "tfds.load": set(), "as_dataset": set(),
    "builder_from_directory": set(), "builder_from_directories": set(), "builder_from_files": set(),
    "TFRecordDataset": {"data/prepared.py", "data/shards/records.py"},
    "Image.open": {"data/opening.py", "export/client.py", "export/examples.py"},
}  # fmt: skip


def test_tensorflow_loads_things_in_one_place_only():
    root = Path(tfgantl.__file__).parent
    found = {door: set() for door in DOORS}
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                for door in DOORS:
                    if name == door or name.endswith(f".{door}"):
                        found[door].add(str(file.relative_to(root)))
    assert found == DOORS
    importers = [
        file for file in root.rglob("*.py") if re.search(r"(import|from) tensorflow_datasets", file.read_text())
    ]
    assert [str(file.relative_to(root)) for file in importers] == ["data/tfds.py"]
