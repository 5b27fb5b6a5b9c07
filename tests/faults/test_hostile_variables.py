"""Checkpoints whose index TensorFlow would read otherwise than Python, or that claim more than they hold."""

import os
import shutil
import struct
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from conftest import growth_below
from modules import tf2_module
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

from tfgantl.errors import ArtifactError
from tfgantl.pretrained import load_generator
from tfgantl.serving.servable import Servable
from tfgantl.untrusted import tables
from tfgantl.untrusted.checkpoints import Checkpoint, copy_checkpoint
from tfgantl.untrusted.loading import load_saved_model
from tfgantl.untrusted.savedmodels import read_variables
from tfgantl.untrusted.stripping import StrippedCopy
from tfgantl.untrusted.tables import checksum, read_table, write_table

WORDS = ["", "a", "bc" * 200]


def table(blocks, gap=b""):
    """A table of blocks as they are given, one of which may be named twice."""
    content, handles = b"", {}
    for block in blocks:
        if block not in handles:
            handles[block] = tables._number(len(content)) + tables._number(len(block))
            content += tables._stored(block) + gap
    about = tables._stored(tables._block([]))
    listed = tables._block([(b"%d" % number, handles[block]) for number, block in enumerate(blocks)])
    numbers = len(content), len(about) - 5, len(content) + len(about), len(listed)
    content += about + tables._stored(listed)
    return content + b"".join(map(tables._number, numbers)).ljust(40, b"\0") + struct.pack("<Q", tables.MAGIC)


def with_entry(items, entry):
    """The items with another entry for `v`."""
    return sorted({**dict(items), b"v": entry.SerializeToString()}.items())


def of_another_type(dtype):
    """TensorFlow takes the length of a variant from the file, as that of a string."""

    def change(items):
        entry = BundleEntryProto.FromString(dict(items)[b"v"])
        entry.dtype = dtype
        return write_table(with_entry(items, entry))

    return change


def a_length_of_33_bits(items):
    """TensorFlow sees 32 of them, and goes on with entries that Python takes for a value."""
    block = tables._block(items)
    head = tables._number(len(items[0][1]))
    return table([block.replace(b"\0\0" + head, b"\0\0" + bytes([head[0] | 0x80]) + b"\x80\x80\x80\x10", 1)])


def a_restart_inside_of_a_value(items):
    """TensorFlow begins to look there."""
    content, count = tables._block(items)[: -4 * (len(items) + 1)], len(items)
    return table([content + struct.pack(f"<{count + 1}I", 0, *range(9, 9 + count - 1), count)])


def a_shape(*sides):
    def change(items):
        entry = BundleEntryProto.FromString(dict(items)[b"v"])
        del entry.shape.dim[:]
        for side in sides:
            entry.shape.dim.add(size=side)
        return write_table(with_entry(items, entry))

    return change


def in_slices(items):
    entry = BundleEntryProto.FromString(dict(items)[b"v"])
    entry.slices.add().extent.add(start=0, length=1)
    return write_table(with_entry(items, entry))


def many_names_of_the_same_bytes(items):
    return write_table([*items, *((b"y%d" % number, dict(items)[b"v"]) for number in range(2))])


KINDS = {
    "variant": (of_another_type(21), "v must hold numbers or strings, and holds variant"),
    "resource": (of_another_type(20), "v must hold numbers or strings, and holds resource"),
    "reference": (of_another_type(101), "v must hold numbers or strings, and holds float32_ref"),
    "no type": (of_another_type(99), "TensorFlow|99"),
    "33 bits": (a_length_of_33_bits, "a length of more than 32 bits"),
    "restart": (a_restart_inside_of_a_value, "entries of the index that do not begin where it says"),
    "block twice": (lambda items: table([tables._block(items)] * 2), "blocks of the index that are not one behind"),
    "hidden bytes": (lambda items: table([tables._block(items)], gap=b"x"), "the index holds bytes of nothing"),
    "not in order": (lambda items: write_table([items[0], *items[:0:-1]]), "keys of the index that are not in order"),
    "key twice": (lambda items: write_table([*items, items[-1]]), "keys of the index that are not in order"),
    "long": (lambda items: write_table(items) + bytes(tables.MAX_BYTES), "an index of 4194[0-9]* bytes"),
    "large": (a_shape(2**40), "v claims to have 4398046511104 bytes, and has 8"),
    "no shape": (a_shape(2**40, 2**40, 0), "v has a shape that no tensor has"),
    "negative": (a_shape(-1, -2), "v has a shape that no tensor has"),
    "slices": (in_slices, "v must be stored as a whole, and is in 1 slices"),
    "same bytes": (many_names_of_the_same_bytes, "two entries of the index that claim the same bytes"),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A checkpoint of strings and numbers."""
    prefix = tmp_path_factory.mktemp("stored") / "variables" / "variables"
    prefix.parent.mkdir()
    tensors = [tf.constant(WORDS), tf.constant([1.0, 2.0]), tf.zeros((0, 3)), tf.constant([True])]
    names = ["s", "v", "x/empty", "x/true"]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * 4, tensors=tensors)
    return prefix


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_is_read_in_one_way_or_not_at_all(stored, tmp_path, kind):
    make, message = KINDS[kind]
    folder = shutil.copytree(stored.parent, tmp_path / "variables")
    index = folder / "variables.index"
    index.write_bytes(make(read_table(index.read_bytes())))
    with growth_below(32), pytest.raises(ArtifactError, match=f"must hold intact variables. Received: .*({message})"):
        read_variables(tmp_path)


def test_what_is_written_anew_is_what_was_there(stored, tmp_path):
    items = read_table(stored.with_suffix(".index").read_bytes())
    assert read_table(write_table(items)) == items == read_table(table([tables._block(items)]))
    reader = tf.train.load_checkpoint(str(copy_checkpoint(stored, tmp_path)))
    assert reader.get_variable_to_shape_map() == {"s": [3], "v": [2], "x/empty": [0, 3], "x/true": [1]}
    assert reader.get_tensor("s").tolist() == [word.encode() for word in WORDS]
    np.testing.assert_array_equal(reader.get_tensor("v"), [1.0, 2.0])
    np.testing.assert_array_equal(reader.get_tensor("x/true"), [True])


def test_a_large_index_is_written_anew(tmp_path):
    """Of many blocks, and with keys that share their beginnings."""
    names = [f"layer{number:04}/kernel" for number in range(2000)]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "many"), tensor_names=names, shape_and_slices=[""] * 2000,
        tensors=list(tf.unstack(tf.range(2000))),
    )  # fmt: skip
    (tmp_path / "copy").mkdir()
    reader = tf.train.load_checkpoint(str(copy_checkpoint(tmp_path / "many", tmp_path / "copy")))
    assert len(reader.get_variable_to_shape_map()) == 2000
    assert [int(reader.get_tensor(name)) for name in names[::97]] == list(range(0, 2000, 97))


def test_what_tensorflow_reads_is_what_was_looked_at_whoever_loads_it(tmp_path):
    """A variant that claims terabytes beside the variables; TensorFlow ends the process if it is asked for it."""
    module = tf2_module(tmp_path / "module")
    index = module / "variables" / "variables.index"
    (data,) = index.parent.glob("variables.data-*")
    length = b"\x80\x80\x80\x80\x80\x20"
    lie = length + struct.pack("<I", checksum(struct.pack("<Q", 2**40))) + bytes(16)
    entry = BundleEntryProto(dtype=21, offset=data.stat().st_size, size=len(lie))
    entry.shape.SetInParent()
    data.write_bytes(data.read_bytes() + lie)
    index.write_bytes(write_table([*read_table(index.read_bytes()), (b"w", entry.SerializeToString())]))
    for load in (lambda: load_generator(str(module)), lambda: Servable(module)):
        with pytest.raises(ArtifactError, match="must be an intact SavedModel. Received: w must hold numbers or"):
            load()


def test_the_time_that_strings_take_is_that_of_the_file(tmp_path):
    """Empty strings by the million, under names by the thousand."""
    size = 2**18
    (tmp_path / "s.data-00000-of-00001").write_bytes(bytes(size + 4))
    entry = BundleEntryProto(dtype=7, size=size + 4)
    entry.shape.dim.add(size=size)
    names = [(b"%04d" % number, entry.SerializeToString()) for number in range(1000)]
    (tmp_path / "s.index").write_bytes(write_table([(b"", b"\x08\x01"), *names]))
    with pytest.raises(ValueError, match="two entries of the index that claim the same bytes"):
        Checkpoint(tmp_path / "s")
    entry.size = entry.shape.dim[0].size = 2**21
    (tmp_path / "s.data-00000-of-00001").write_bytes(bytes(2**21))
    (tmp_path / "s.index").write_bytes(write_table([(b"", b"\x08\x01"), (b"s", entry.SerializeToString())]))
    with pytest.raises(ValueError, match="2097152 strings, of which there may be 1048576"):
        Checkpoint(tmp_path / "s")


def test_keys_that_share_what_they_begin_with_have_an_end():
    """160 kB could stand for a gigabyte of names."""
    entries = [(0, bytes(2000)), (2000, b"01")]  # how much is shared with the key before, and what follows
    parts = [b"".join(map(tables._number, (shared, len(own), 0))) + own for shared, own in entries]
    block = b"".join(parts) + struct.pack("<2I", 0, 1)
    assert len(tables._items(tables._stored(block), 0, len(block))) == 2
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="keys of the index of 2002 bytes"):
        patch.setattr(tables, "MAX_UNPACKED", 4000)
        tables._items(tables._stored(block), 0, len(block))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="keys of the index of 2000 bytes"):
        patch.setattr(tables, "MAX_KEY", 1000)
        tables._items(tables._stored(block), 0, len(block))


def test_a_copy_of_what_has_gone_meanwhile_is_removed(tmp_path, monkeypatch):
    """A version may be withdrawn while it is loaded; its copy stayed until Python looked for garbage."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        StrippedCopy(tmp_path / "gone", MetaGraphDef())
    assert error.value.filename == str(tmp_path / "gone") and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("fault", "message"),
    [("sparse", "an index of 1099511627776 bytes"), ("pipe", "must be a regular file"), ("data", "in a regular file")],
)
def test_files_of_variables_are_regular_and_of_a_bounded_size(stored, tmp_path, fault, message):
    folder = shutil.copytree(stored.parent, tmp_path / "variables")
    index, data = folder / "variables.index", folder / "variables.data-00000-of-00001"
    if fault == "sparse":
        with open(index, "r+b") as file:
            file.truncate(2**40)
    else:
        (index if fault == "pipe" else data).unlink()
        os.mkfifo(index if fault == "pipe" else data)
    with growth_below(32), pytest.raises(ArtifactError, match=f"must hold intact variables. Received: .*{message}"):
        read_variables(tmp_path)


@pytest.mark.parametrize("name", ["fingerprint.pb", "debug/saved_model_debug_info.pb", "assets/more"])
def test_only_what_is_needed_of_a_saved_model_is_there_for_tensorflow(tmp_path, name):
    """It opens files that nobody had looked at: it waited for a pipe, and read gigabytes of nothing."""
    tf2_module(tmp_path / "model")
    (tmp_path / "model" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "model" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "model" / name)
    load_saved_model(tmp_path / "model")
