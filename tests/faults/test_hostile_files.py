"""Files of a few kilobytes that would take gigabytes or hours: refused by what they would take, before they take it."""

import json
import struct
import time
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import growth_below
from h5py import h5d, h5p, h5s, h5t

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.refit.classes import _from_file
from tfgantl.pretrained.weights_h5 import read_weights_h5
from tfgantl.untrusted import onnx_files
from tfgantl.untrusted.archives import read_npz
from tfgantl.untrusted.hdf5 import read_hdf5
from tfgantl.untrusted.networks import load_network
from tfgantl.untrusted.savedmodels import read_variables

MIB = 2**20


# --- HDF5 ---


def chunk_of(*filters, packed=None, skipped=0):
    """A dataset in one chunk of a kilobyte, which is stored as it is given here."""

    def make(file):
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((256,))
        for name, *options in filters:
            getattr(plist, f"set_{name}")(*options)
        data = h5d.create(file.id, b"w", h5t.IEEE_F32LE, h5s.create_simple((256,)), plist)
        data.write_direct_chunk((0,), packed, skipped)

    return make


def chunks_of_one(file):
    """Each takes 4 kB of memory, and nothing of the file."""
    file.create_dataset("w", (2_000_000,), "f4", chunks=(1,))


TWICE = zlib.compress(zlib.compress(bytes(256 * MIB)))
CHUNKS = {
    "deflated twice": (chunk_of(["deflate"], ["deflate"], packed=TWICE), r"in this order. Received: \[1, 1\]"),
    "deflated once": (chunk_of(["deflate"], packed=zlib.compress(bytes(64 * MIB))), "unpack to at most 1024 bytes"),
    "behind a checksum": (
        chunk_of(["deflate"], ["fletcher32"], packed=zlib.compress(bytes(64 * MIB)) + bytes(4)), "at most 1024 bytes",
    ),
    "stored as it is": (chunk_of(["shuffle"], packed=bytes(MIB)), "chunks of at most 1024 bytes. Received: 1048576"),
    "another filter": (chunk_of(["scaleoffset", 2, 0], packed=bytes(1024)), r"in this order. Received: \[6\]"),
    "chunks of one number": (chunks_of_one, "must be in at most 1024 chunks. Received: 2000000"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHUNKS)
def test_chunks_of_hdf5_unpack_to_their_size(tmp_path, kind):
    make, message = CHUNKS[kind]
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        make(file)
    for read in (read_hdf5, read_weights_h5):
        with growth_below(32), pytest.raises(ArtifactError, match=message):
            read(tmp_path / "w.weights.h5")


def test_packed_weights_are_read(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 50)).astype("f4")
    options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("packed", data=values, chunks=(16, 16), **options)
        file.create_dataset("unwritten", (60, 50), "f4", chunks=(16, 16), **options)
    arrays = read_hdf5(tmp_path / "w.h5")
    np.testing.assert_array_equal(arrays["packed"], values)
    assert not arrays["unwritten"].any()


def test_layers_of_one_name_keep_their_weights(tmp_path):
    def block(name):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Dense(4, name="dense")(inputs), name=name)

    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(3, name="last")(block("two")(block("one")(inputs))))
    network.save_weights(tmp_path / "w.weights.h5")
    arrays = read_weights_h5(tmp_path / "w.weights.h5")
    assert len(arrays) == 6 and "last/0" in arrays
    kernels = [array for name, array in arrays.items() if name.endswith("dense/vars/0")]
    np.testing.assert_array_equal(kernels, [w.numpy() for w in network.weights[:4:2]])
    with h5py.File(tmp_path / "w.weights.h5", "r+") as file:  # a name that is the place of another layer
        file["layers/dense/vars"].attrs["name"] = "layers/functional/layers/dense/vars"
    with pytest.raises(ArtifactError, match="names of weights must be unique. Received: layers/functional/"):
        read_weights_h5(tmp_path / "w.weights.h5")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_hold_each_name_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", b"1")
        archive.writestr("a.npy", b"2")
    with pytest.raises(ArtifactError, match="names in the archive must be unique. Received: a twice"):
        read_npz(tmp_path / "w.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("read", [read_npz, load_network])
def test_archives_are_packed_by_what_unpacks_no_more_than_it_is_asked_for(tmp_path, method, read):
    path = tmp_path / "w.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, b"{}")
    with pytest.raises(ArtifactError, match=f"must be stored or deflated. Received: config.json, packed by .*{method}"):
        read(path)


def test_members_of_archives_share_no_bytes(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.zeros(1000, "f4"), b=np.zeros(9, "f4"))
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\1\2")  # its entry in the directory, whose offset stands at its end
    struct.pack_into("<I", content, second + 42, 60)
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="members must not overlap. Received: a.npy and b.npy"):
        read_npz(path)


def test_chunks_are_looked_at_in_one_pass(tmp_path):
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        values = np.random.default_rng(0).normal(size=(12_000, 16)).astype("f4")
        file.create_dataset("w", data=values, chunks=(1, 16), compression="gzip")
    start = time.process_time()
    np.testing.assert_array_equal(read_hdf5(tmp_path / "w.weights.h5")["w"], values)
    assert time.process_time() - start < 10  # 0.3 s; one by one, it was 20


# --- Checkpoints ---

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def checkpoint(folder, graph):
    (folder / "variables").mkdir()
    prefix = folder / "variables" / "variables"
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=[OBJECTS, "w"], shape_and_slices=["", ""], tensors=[graph, tf.ones([4])]
    )
    return prefix


def masked(data, folder):
    """The checksum of TensorFlow, which it writes behind each record."""
    with tf.io.TFRecordWriter(str(folder / "record")) as writer:
        writer.write(data)
    return (folder / "record").read_bytes()[-4:]


def millions_of_strings(folder):
    """The shape in the index becomes (127, 127, 127, 30, 1)."""
    index = checkpoint(folder, tf.constant("", shape=[1, 1, 1, 1, 1])).with_suffix(".index")
    content = index.read_bytes()
    end = next(n for n in range(20, len(content)) if masked(content[:n], folder) == content[n : n + 4])
    side = b"\x12\x02\x08"
    block = content[:end].replace((side + b"\x01") * 5, (side + b"\x7f") * 3 + side + b"\x1e" + side + b"\x01")
    index.write_bytes(block + masked(block, folder) + content[end + 4 :])


def strings_that_are_there(folder):
    checkpoint(folder, tf.constant([""] * 100))


def long_string(folder):
    """The length before the string becomes a gigabyte, for which TensorFlow would make room."""
    data = checkpoint(folder, tf.constant("a" * 40)).with_suffix(".data-00000-of-00001")
    length = b"\x80\x80\x80\x80\x04" + masked(struct.pack("<I", 2**30), folder)
    data.write_bytes(length + data.read_bytes()[len(length) :])


def flipped(folder):
    data = checkpoint(folder, tf.constant("a" * 40)).with_suffix(".data-00000-of-00001")
    data.write_bytes(data.read_bytes().replace(b"aaa", b"aab", 1))


STRINGS = {
    millions_of_strings: f"intact variables. Received: {OBJECTS} claims to have 61451490 strings in 5 bytes",
    strings_that_are_there: f"intact variables. Received: {OBJECTS} is not one string",
    long_string: f"intact variables. Received: {OBJECTS} claims to have 1 strings of 1073741824 bytes",
    flipped: f"intact variables. Received: a checksum of {OBJECTS} that is wrong",
}


@pytest.mark.parametrize("make", STRINGS, ids=lambda make: make.__name__)
def test_strings_of_a_checkpoint_are_as_long_as_they_claim(tmp_path, make):
    make(tmp_path)
    with growth_below(32), pytest.raises(ArtifactError, match=STRINGS[make]):
        read_variables(tmp_path)


# --- Networks inside of networks ---


def doubling(path):
    """Each level calls the one before twice; with open sides, Keras follows each call to its end."""
    inner = None
    for level in range(30):
        inputs = keras.Input((3,), name=f"input{level}")
        outputs = keras.layers.Activation("tanh")(inputs) if inner is None else inner(inner(inputs))
        inner = keras.Model(inputs, outputs, name=f"level{level}")
    inner.save(path)

    def opened(config):
        return json.loads(json.dumps(config).replace("[null, 3]", "[null, null]"))

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = json.dumps(opened(json.loads(members["config.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def wide(side):
    inputs = keras.Input((side, side, 1))
    layers = keras.layers.UpSampling2D(20_000), keras.layers.MaxPooling2D(2500)
    return keras.Model(inputs, layers[1](layers[0](inputs)), name="wide")


def called_by(call):
    """A network of open sides inside of one whose sides are known."""

    def save(path):
        latents = keras.Input((1,))
        keras.Model(latents, call(keras.layers.Reshape((1, 1, 1, 1))(latents))).save(path)

    return save


NETWORKS = {
    "doubling": (doubling, "layers must be called at most 3000 times. Received: 3221225439"),
    "open sides": (called_by(lambda x: wide(None)(x[:, 0])), "at most 1073741824 bytes .*: 1600000256"),
    "in a sequence": (
        called_by(lambda x: keras.Sequential([keras.Input((None, None, 1)), wide(None)])(x[:, 0])),
        "at most 1073741824 bytes .*: 1600000256",
    ),
    "for each step": (
        called_by(lambda x: keras.layers.TimeDistributed(wide(None))(x)),
        "a network in a TimeDistributed must have fixed sides. Received: wide",
    ),
    "fixed, for each step": (
        called_by(lambda x: keras.layers.TimeDistributed(wide(1))(x)), "at most 1073741824 bytes .*: 1600000256",
    ),
    "sides that depend on values": (
        called_by(lambda x: keras.ops.nonzero(x)[0]), "shapes must follow from those of the inputs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_inside_of_networks_are_followed_as_they_are_called(tmp_path, kind):
    save, message = NETWORKS[kind]
    save(tmp_path / "generator.keras")
    with growth_below(64), pytest.raises(ArtifactError, match=message):
        load_network(tmp_path / "generator.keras")


def test_networks_inside_of_networks_load(tmp_path):
    def conv():
        inputs = keras.Input((None, None, 3))
        return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(inputs))

    inputs, inner = keras.Input((None, None, 3)), conv()
    outer = keras.Model(inputs, keras.Sequential([keras.Input((None, None, 3)), conv()])(inner(inner(inputs))))
    outer.save(tmp_path / "stylizer.keras")
    given = np.random.default_rng(0).normal(size=(2, 20, 24, 3)).astype("f4")
    np.testing.assert_allclose(load_network(tmp_path / "stylizer.keras")(given), outer(given), atol=1e-6)


# --- YAML ---


def test_a_class_map_of_merged_keys_has_an_end(tmp_path):
    text = "a0: &a0 {x: 1, y: 2}\n"
    for level in range(1, 12):
        text += f"a{level}: &a{level}\n  <<: [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    (tmp_path / "map.yaml").write_text(text)
    with (
        growth_below(32),
        pytest.raises(ArtifactError, match="`class_map` must have at most 100000 values. Received: "),
    ):
        _from_file(tmp_path / "map.yaml", 3, 3, None, None)


# --- labels in HDF5 ---


@pytest.mark.parametrize("name", ["name", "dtype"])
@pytest.mark.parametrize(
    "value", [["a", "b" * 10**6], "a" * 2000, np.bytes_("a" * 2000), 3], ids=["table", "long", "fixed", "number"]
)
def test_what_stands_beside_arrays_of_hdf5_is_a_short_text(tmp_path, name, value):
    """Three thousand texts may be one megabyte of the file, and were read as three gigabytes."""
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        data = file.create_dataset("layers/dense/vars/0", data=np.zeros(4, "f4"))
        for item in (data, data.parent):
            item.attrs[name] = value
        file.attrs["model_config"] = "x" * 5000  # which nobody reads
    for read in (read_hdf5, read_weights_h5):
        with pytest.raises(ArtifactError, match=f"must have `{name}` of at most 1000 letters. Received: others"):
            read(tmp_path / "w.weights.h5")


# --- ONNX ---


def message(*fields):
    """A message of protobuf of fields, each a number and bytes."""
    return b"".join(
        bytes([number << 3 | 2, len(content) | 128, len(content) >> 7]) + content for number, content in fields
    )


def test_weights_beside_an_onnx_file_are_found_in_any_form_of_it(tmp_path):
    """A name was looked for among the bytes; the same message has many, and ONNX Runtime reads all of them."""
    key, value = (1, b"location"), (2, b"w.bin")
    tensors = [message((13, message(*entry))) for entry in ((key, value), (value, key))]
    inside = message((5, message((5, tensors[0]))))  # an attribute of a node
    graphs = [
        message((5, tensors[0])),
        message((5, tensors[1])),
        message((1, inside)),
        message((15, message((1, tensors[1])))),
    ]
    for graph in graphs:
        (tmp_path / "a.onnx").write_bytes(message((2, b"location w.bin")) + message((7, graph)))
        assert onnx_files.locations(tmp_path / "a.onnx") == {b"w.bin"}
    (tmp_path / "a.onnx").write_bytes(message((2, key[1]), (7, message((2, b"location\x12\5w.bin")))))
    assert not onnx_files.locations(tmp_path / "a.onnx")
    (tmp_path / "a.onnx").write_bytes(message((7, graphs[0]))[:-1])
    with pytest.raises(ArtifactError, match="a.onnx: must be an intact ONNX file"):
        onnx_files.locations(tmp_path / "a.onnx")
