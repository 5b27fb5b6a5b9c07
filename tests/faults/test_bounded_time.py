"""Files of some hundred kilobytes that would take minutes if each of their parts were compared with each other."""

import json
import os
import struct
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from tfgantl.data import prepared
from tfgantl.data.decode import decode_picture, size_of
from tfgantl.data.depth import depth_of
from tfgantl.data.shards import saved_dataset
from tfgantl.data.splits import _joined_by_name
from tfgantl.errors import ArtifactError, DataError
from tfgantl.metrics.gaussians import FeatureGaussian
from tfgantl.pretrained import together
from tfgantl.pretrained.foreign.roles import find_pair
from tfgantl.untrusted import networks, reachability, tables
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.operations import check_operations
from tfgantl.untrusted.stripping import without_saving


@contextmanager
def within(seconds):
    """Fails if what is done takes more of the processor; each of these took several times as long."""
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


def node(graph, name, operation, inputs=(), function=None):
    made = graph.node_def.add() if hasattr(graph, "node_def") else graph.graph_def.node.add()
    made.name, made.op = name, operation
    made.input.extend(inputs)
    if function:
        made.attr["f"].func.name = function


def test_a_long_chain_behind_what_saves_is_taken_out_in_one_pass():
    graph, count = MetaGraphDef(), 10_000
    node(graph, "n0", "SaveV2")
    for number in range(1, count):
        node(graph, f"n{number}", "NoOp", [f"^n{number - 1}"])
    graph.saver_def.save_tensor_name = f"n{count - 1}:0"
    with within(10):
        assert not without_saving(graph).graph_def.node


def test_names_are_looked_for_in_few_bytes(monkeypatch):
    graph = MetaGraphDef()
    node(graph, "save", "SaveV2")
    graph.saver_def.save_tensor_name = "save:0"
    graph.collection_def["mine"].bytes_list.value.append(bytes(1000))
    assert not without_saving(MetaGraphDef.FromString(graph.SerializeToString())).graph_def.node
    monkeypatch.setattr(reachability, "MAX_SEARCHED", 999)
    with pytest.raises(ArtifactError, match="at most 999 bytes of collections for the 1 nodes of its saver. .* 1000"):
        without_saving(graph)


@pytest.mark.parametrize(("arguments", "levels"), [(24, 120), (2, 3000)])
def test_what_restores_is_looked_at_once_in_however_many_ways_it_is_called(arguments, levels):
    """Each of these functions calls the next one in two ways: in as many as there are sets of arguments, at last."""
    graph, half = MetaGraphDef(), arguments // 2
    node(graph, "file", "Placeholder")
    node(graph, "restore", "PartitionedCall", ["file"] * half + ["other"] * half, "f0")
    for level in range(levels):
        function = graph.graph_def.library.function.add()
        function.signature.name = f"f{level}"
        for number in range(arguments):
            function.signature.input_arg.add().name = f"a{number}"
        if level + 1 < levels:
            names = [f"a{number}" for number in range(arguments)]
            node(function, "turned", "PartitionedCall", [*names[1:], names[0]], f"f{level + 1}")
            node(function, "exchanged", "PartitionedCall", [names[1], names[0], *names[2:]], f"f{level + 1}")
        else:
            node(function, "read", "RestoreV2", ["a0"])
    graph.saver_def.filename_tensor_name, graph.saver_def.restore_op_name = "file:0", "restore"
    with within(10), pytest.raises(ArtifactError, match=r"must only compute.* Received: RestoreV2 \(1\)"):
        check_operations(graph, (), "x")


def test_parts_that_are_shared_inside_of_each_other_are_read_once(tmp_path):
    config = {"x": [0] * 300_000}
    for number in range(100):
        config = {"shared_object_id": number, "config": config}
    with within(10):
        networks._check_shared(config, {}, tmp_path)
    one = {"shared_object_id": 1, "class_name": "A", "config": {"shared_object_id": 2, "config": [1, 2]}}
    networks._check_shared([one, json.loads(json.dumps(one))], {}, tmp_path)
    for other in ({**one, "class_name": "B"}, {**one, "config": {"shared_object_id": 3, "config": [12]}}):
        with pytest.raises(ArtifactError, match="parts of one `shared_object_id` must be the same. .* others for 1"):
            networks._check_shared([one, other], {}, tmp_path)


def test_an_index_of_many_blocks_is_read_in_one_pass():
    blocks, handles = b"", []
    for number in range(20_000):
        key = struct.pack(">I", number)
        block = tables._stored(tables._block([(key, b"")]))
        handles.append((key, tables._number(len(blocks)) + tables._number(len(block) - tables.TRAILER)))
        blocks += block
    about, listed = tables._stored(tables._block([])), tables._stored(tables._block(handles))
    places = [(len(blocks), len(about)), (len(blocks) + len(about), len(listed))]
    last = b"".join(tables._number(offset) + tables._number(size - tables.TRAILER) for offset, size in places)
    end = last.ljust(tables.FOOTER - 8, b"\0") + struct.pack("<Q", tables.MAGIC)
    with within(3):
        assert len(tables.read_table(blocks + about + listed + end)) == 20_000


def test_networks_of_a_checkpoint_are_compared_with_the_generator_once():
    array = np.zeros(2)
    unknown = {f"q{number}": ForeignNetwork({"a": array}) for number in range(20_000)}
    generator = ForeignNetwork({f"m{number}.weight": array for number in range(20_000)})
    with within(10):
        assert find_pair(ForeignCheckpoint({"generator": generator, **unknown})).generator is generator


def test_copies_under_chained_names_are_joined_in_one_pass():
    count = 50_000
    content = [b"%032d" % (number + step) for number in reversed(range(count)) for step in (0, 1)]
    files = [f"{number}.{kind}" for number in reversed(range(count)) for kind in ("jpg", "png")]
    with within(10):
        assert len(set(_joined_by_name(np.array(content, "S32"), files).tolist())) == 1


def test_a_pipe_that_is_called_like_a_picture_is_not_waited_for(tmp_path):
    pipe, picture = tmp_path / "pipe.png", tmp_path / "picture.png"
    os.mkfifo(pipe)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(picture)
    assert decode_picture(pipe, 4, 1, 100) == "is empty (0 bytes)" and size_of(pipe, 100) is None
    depth_of([pipe, picture], 100)


def test_statistics_are_of_as_many_features_as_networks_have():
    with within(1), pytest.raises(ArtifactError, match="must be of at most 8192 features. Received: 9000"):
        FeatureGaussian.of_moments(np.zeros(9000), np.broadcast_to(np.float64(0), (9000, 9000)))


PIPES = {
    "together.json": lambda path: together._recorded(path.parent),
    "dataset_info.json": saved_dataset._read,
    "a.arrow": saved_dataset._features,
    "features.json": lambda path: prepared._text(str(path)),
}


@pytest.mark.parametrize("name", PIPES)
def test_what_stands_beside_others_is_not_waited_for(tmp_path, name):
    if name == "a.arrow":
        pytest.importorskip("pyarrow")
    os.mkfifo(tmp_path / name)
    if name == "together.json":  # without one, networks are taken as they are
        assert PIPES[name](tmp_path / name) == []
        return
    with pytest.raises((OSError, DataError), match="must be a regular file|Received: no file"):
        PIPES[name](tmp_path / name)
