"""Checkpoints that are to run something, to take all memory, or are something else: refused in one line, unread."""

import io
import pickle
import struct
import time
import zipfile
from collections import OrderedDict

import foreign_files as files
import numpy as np
import pytest
import stylegan2_reference
from conftest import growth_below
from foreign_files import Made, Name, Storage, TfNetwork, persistent, tensor

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.foreign import recognise
from tfgantl.pretrained.foreign.dcgan_pytorch import NORM
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.torch_files import formats, read_checkpoint
from tfgantl.untrusted.torch_files.persistent_objects import _note

ONES = np.ones(4, "f")
NETWORK = {"a.weight": tensor(ONES)}
SECONDS, GROWTH = 5.0, 100


def refused(tmp_path, content, message, suffix="pt"):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    start = time.perf_counter()
    with growth_below(GROWTH), pytest.raises(ArtifactError, match=message) as error:
        read_checkpoint(path)
    assert time.perf_counter() - start < SECONDS
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value) and len(str(error.value)) < 600


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def of_pickle(content, **others):
    """A file of PyTorch with a pickle written by hand."""
    return files.zipped({"a/data.pkl": b"\x80\x02" + content, "a/data/0": bytes(16), **others})


def of_tensor(**options):
    return files.torch_file({"a.weight": tensor(ONES, **options)})


# --- Pickles ---

SYSTEM = b"cos\nsystem\n(" + text("touch ran") + b"tR"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
CODE, STATE = "Received: code of its own, ", "only arrays and settings may be given a state. Received: a state for "
PICKLES = {
    "function of a module": (SYSTEM + b".", f"{CODE}os.system"),
    "function by its name on the stack": (
        text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85R.", f"{CODE}builtins.eval"),
    "name of a module below an allowed one": (b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", CODE),
    "method of an allowed class": (text("collections") + text("OrderedDict.fromkeys") + b"\x93.", CODE),
    "class that makes names": (b"cbuiltins\ngetattr\n.", f"{CODE}builtins.getattr"),
    "instance by protocol 0": (b"(ios\nsystem\n.", "Received: the instruction INST"),
    "object by protocol 0": (b"(cos\nsystem\no.", f"{CODE}os.system"),
    "instruction of a registry": (b"\x82\x01.", "Received: the instruction EXT1"),
    "buffer out of band": (b"\x97.", "Received: the instruction NEXT_BUFFER"),
    "state of a function": (REBUILD + b"}" + text("__code__") + b"Nsb.", f"{STATE}torch._utils._rebuild_tensor_v2"),
    "state of a class": (
        b"ccollections\nOrderedDict\n}" + text("__init__") + b"Nsb.", f"{STATE}collections.OrderedDict"),
    "attribute of a storage": (b"ctorch\nFloatStorage\nN}" + text("dtype") + b"Ns\x86b.", f"{STATE}torch.FloatStorage"),
    "state of a noted call": (
        REBUILD + b")R}" + text("arguments") + b"Nsb.", f"{STATE}torch._utils._rebuild_tensor_v2"),
    "second state": (b"cargparse\nNamespace\n)\x81}b}b.", "a second state, or none, for argparse.Namespace"),
    "call of what is no function": (b"ctorch\nFloatStorage\n)R.", "a call of torch.FloatStorage"),
    "call of a call": (REBUILD + b")R)R.", "a call of Call with tuple"),
    "key that takes years to hash": (
        b"})q\x00" + b"h\x00\x86q\x00" * 60 + b"Ns.", "a dict with a key of tuple that is no"),
    "keys of one hash": (
        b"}(" + b"".join(b"\x8a\x10" + (i * (2**61 - 1) << 40).to_bytes(16, "little") + b"N" for i in range(9)) + b"u.",
        "a dict with a key of int that is no short string or integer"),
    "key of a megabyte": (b"}" + text("x" * 2**20) + b"Ns.", "a dict with a key of str that is no short string"),
    "list in itself": (b"]q\x00h\x00a.", "must hold a dict of tensors. Received: list"),
    "dict in itself": (b"}q\x00" + text("a") + b"h\x00s.", "nested more than 64 deep, or in a circle"),
    "lists in lists": (b"}" + text("a") + b"]" * 50_000 + b"a" * 49_999 + b"s.", "nested more than 64 deep"),
    "bytes that are not there": (b"\x8e" + struct.pack("<Q", 2**60) + b".", "which are not there"),
    "string that is not there": (b"X" + struct.pack("<I", 2**32 - 1) + b".", "which are not there"),
    "name without end": (b"cos" + b"s" * 5000, "must be an intact zip file of PyTorch. Received: "),
    "integer of a million digits": (b"\x8b" + struct.pack("<I", 400_000) + b"\x01" * 400_000 + b".", "an integer of"),
    "nothing to take": (b"R.", "what is not on the stack"),
    "memo that is not there": (b"h\x05.", "what is not on the stack, or not in the memo"),
    "mark that is not there": (b"t.", "what is not on the stack, or not in the memo"),
    "no end": (b"N", "must be an intact zip file of PyTorch. Received: 1 bytes at 3, which are not there"),
    "control characters in a name": (b"cos\x1b]0;\nsystem\n.", r"Received: code of its own, os\\x1b\]0;.system"),
    "persistent id of a string": (text("0") + b"Q.", "a persistent id, str, where no storage can be"),
    "whole module": (
        b"ctorch.nn.modules.conv\nConv2d\n)\x81.", "Received: a whole module, torch.nn.modules.conv.Conv2d"),
    "whole module of a user": (b"c__main__\nGenerator\n)\x81.", f"{CODE}__main__.Generator"),
    "sparse tensor": (b"ctorch._utils\n_rebuild_sparse_tensor\n.", "Received: a sparse tensor, "),
    "quantised tensor": (b"ctorch._utils\n_rebuild_qtensor\n.", "Received: a quantised tensor, "),
    "quantised storage": (b"ctorch\nQUInt8Storage\n.", "Received: a quantised tensor, "),
    "8-bit floats": (b"ctorch\nfloat8_e4m3fn\n.", "Received: a tensor of 8-bit floats, "),
    "nested tensor": (b"ctorch._utils\n_rebuild_nested_tensor\n.", "Received: a nested tensor, "),
    "optimizer": (b"ctorch.optim.adam\nAdam\n)\x81.", "Received: a whole optimizer, "),
    "script": (b"c__torch__.model\nG\n)\x81.", "Received: TorchScript, "),
}  # fmt: skip


@pytest.mark.parametrize("kind", PICKLES)
def test_what_a_pickle_would_do_is_not_done(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    content, message = PICKLES[kind]
    refused(tmp_path, of_pickle(content), message)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["function of a module", "state of a function", "instruction of a registry"])
def test_the_same_holds_in_every_container(tmp_path, kind):
    content, message = PICKLES[kind]
    content = b"\x80\x02" + content
    refused(tmp_path, content, message, "pkl")
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    older = [pickle.dumps(part, 2) for part in (files.MAGIC, files.VERSION, machine)]
    refused(tmp_path, b"".join(older) + content, message)
    packed = b"".join(older) + content + pickle.dumps([], 2)
    nested = Made("torch._utils._rebuild_tensor_v2", (
        Made("torch.storage._load_from_bytes", (packed,)), 0, (1,), (1,), False, OrderedDict()))  # fmt: skip
    refused(tmp_path, files.nvidia({"a.b": nested}), "Received: ", "pkl")


def test_a_memo_of_any_number_takes_no_memory(tmp_path):
    tensors, storages = files.dumps(NETWORK)
    content = b"\x80\x02" + b"N" + b"r" + struct.pack("<I", 2**31 - 1) + b"0" + tensors[2:]
    members = {"a/data.pkl": content, "a/data/0": storages[0].numbers.tobytes()}
    refused(tmp_path, files.zipped(members), "Received: the instruction POP")
    content = tensors[:-1].replace(b"}q\x00", b"}r" + struct.pack("<I", 2**32 - 1)) + b"."
    (tmp_path / "x.pt").write_bytes(files.zipped({**members, "a/data.pkl": content}))
    with growth_below(GROWTH):
        assert list(read_checkpoint(tmp_path / "x.pt").networks[""].arrays) == ["a.weight"]


def test_instructions_values_and_bytes_have_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "MAX_OPERATIONS", 1000)
    refused(tmp_path, of_pickle(b"]" * 2000 + b"."), "more than 1000 instructions")
    pairs = b"]q\x00(" + b"N" * 500 + b"e" + b"cbuiltins\nset\nq\x01" + b"h\x01h\x00\x85R" * 100 + b"."
    refused(tmp_path, of_pickle(pairs), "more than 1000 instructions")
    monkeypatch.undo()
    value = []
    for _ in range(40):  # 2 to the power of 40 values, in 80 lists
        value = [value, value]
    refused(tmp_path, files.torch_file({**NETWORK, "x": value}), "more than 3000000 values")
    weights = [("w" * 900 + str(i), tensor(ONES)) for i in range(3)]
    network = persistent("G", weights, modules=[("x" * 900, persistent("G", weights))])
    refused(tmp_path, files.nvidia(network), "a name of 1802 characters", "pkl")
    long = Made("_codecs.encode", ("x" * 2**20, "latin1"))
    dtype = Made("numpy.dtype", ("f4", False, True), (3, "<", None, None, None, -1, -1, 0))
    arrays = {
        f"a.{i}": Made("numpy.core.multiarray._reconstruct", (Name("numpy.ndarray"), (0,), b"b"),
                       (1, (2**18,), dtype, False, long))
        for i in range(500)
    }  # fmt: skip
    refused(tmp_path, files.torch_file(arrays), "more than [0-9]+ bytes of arrays")


# --- Tensors ---

BASE = Storage(np.arange(4, dtype="f"))
META = {"conj": True}
TENSORS = {
    "negative stride": (of_tensor(strides=(-1,)), r"a side, stride or place of a.weight that is not in \[0, "),
    "negative side": (of_tensor(shape=(-4,), strides=(1,)), "a side, stride or place of a.weight"),
    "negative offset": (of_tensor(offset=-1), "a side, stride or place of a.weight"),
    "zero stride that claims a petabyte": (of_tensor(shape=(2**40, 256), strides=(0, 0)), "in a storage that has 4"),
    "more numbers than its storage": (
        of_tensor(shape=(8,), strides=(0,)), "a tensor a.weight of 8 numbers up to place 0"),
    "numbers behind its storage": (of_tensor(offset=1), "up to place 4, in a storage that has 4"),
    "strides behind its storage": (of_tensor(shape=(2,), strides=(4,)), "up to place 4, in a storage that has 4"),
    "sides that are no numbers": (of_tensor(shape=(True,), strides=(1,)), "a side, stride or place of a.weight"),
    "sides without strides": (of_tensor(shape=(2, 2), strides=(1,)), "whose sides and strides do not fit"),
    "a hundred sides": (of_tensor(shape=(1,) * 100, strides=(0,) * 100), "that are no tuple of at most 16"),
    "empty with sides without end": (
        of_tensor(shape=(0, 2**40, 2**40), strides=(1, 1, 1)), "a tensor a.weight of sides"),
    "storage that claims more": (
        of_tensor(storage=Storage(ONES, count=5)), "one of 16 in place of a storage of 20 bytes, data/0"),
    "storage that claims a petabyte": (
        of_tensor(storage=Storage(ONES, count=2**38)), "more than [0-9]+ bytes of arrays"),
    "storage of a negative size": (of_tensor(storage=Storage(ONES, count=-1)), "a storage of -1 numbers"),
    "storage that is elsewhere": (
        files.torch_file({"a.b": tensor(ONES, Storage(ONES, key="../../x"))}), "names in the archive must stay inside"),
    "storage that is not there": (
        files.zipped({k: v for k, v in files.members(NETWORK).items() if not k.endswith("/0")}), "none in place of"),
    "storage without a type": (
        files.torch_file({"a.b": Made("torch._utils._rebuild_tensor_v2", (3, 0, (1,), (1,), False, {}))}),
        "a tensor a.b without a storage"),
    "tensor of two parts": (files.torch_file({"a.b": Made("torch._utils._rebuild_tensor_v2", (3, 0))}), "of 2 parts"),
    "parameter of itself": (
        files.torch_file({"a.b": Made("torch._utils._rebuild_parameter", ())}), "that is no tensor"),
    "one name twice": (files.torch_file({"0": tensor(ONES), 0: tensor(ONES)}), "the name 0 twice"),
    "one network twice": (files.torch_file({"a.b": NETWORK, "a": {"b": NETWORK}}), "the name a.b twice"),
    "numbers to be conjugated": (of_tensor(more=META), "Received: one to be conjugated or negated"),
    "doubles that are too large": (
        files.torch_file({"a.weight": tensor(np.array([1e300]))}), "a.weight that are too large for float32"),
    "two types of one storage": (
        files.torch_file({"a.b": tensor(ONES, Storage(ONES, key="0")), "a.c": tensor(
            np.ones(4, "<i4"), Storage(np.ones(4, "<i4"), key="0"))}), "a storage 0 of two types or sizes"),
    "control characters in a name": (files.torch_file({"a\x1b.b": tensor(ONES, offset=9)}), r"a tensor a\\x1b.b of 4"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_lie_within_their_storages(tmp_path, kind):
    refused(tmp_path, *TENSORS[kind])


# --- Containers ---

MEMBERS = files.members(NETWORK)


def with_header(content, signature, place, value):
    """A zip file with some bytes in each header of a kind overwritten."""
    content, at = bytearray(content), 0
    while (at := content.find(signature, at)) >= 0:
        content[at + place : at + place + len(value)] = value
        at += 4
    return bytes(content)


def changed(place, local, value):
    """In the headers before members, and in the list of members."""
    content = with_header(files.zipped(MEMBERS), b"PK\x03\x04", local, value)
    return with_header(content, b"PK\x01\x02", place, value)


def flipped():
    content = bytearray(files.zipped(MEMBERS))
    content[content.find(ONES.tobytes()) + 2] ^= 1
    return bytes(content)


def twice():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in (*MEMBERS.items(), ("archive/data/0", bytes(16))):
            archive.writestr(name, content)
    return stream.getvalue()


def many_members():
    """A list of members that says to have gigabytes."""
    content = bytearray(files.zipped(MEMBERS))
    content[-10:-6] = struct.pack("<I", len(content) - 22)
    return bytes(content)


WHOLE = files.torch_file(NETWORK)
ZIPS = {
    "packed member": (lambda: files.zipped(MEMBERS, zipfile.ZIP_DEFLATED), "must be stored without compression"),
    "bomb": (
        lambda: files.zipped({**MEMBERS, "archive/data/9": bytes(2**26)}, zipfile.ZIP_DEFLATED),
        "must (unpack to at most|be stored)"),
    "wrong checksum": (flipped, "Bad CRC-32 for file 'archive/data/0'"),
    "no checksums": (lambda: changed(16, 14, bytes(4)), "without a checksum, which PyTorch can be told to leave out"),
    "encrypted": (lambda: changed(8, 6, b"\x01\x00"), "must not be encrypted. Received: archive/data.pkl, which is"),
    "size that is a lie": (lambda: with_header(WHOLE, b"PK\x01\x02", 20, struct.pack("<II", 2**31, 2**31)), "must "),
    "list of members that is a lie": (many_members, "must "),
    "one name twice": (twice, "names in the archive must be unique. Received: archive/data/0 twice"),
    "name that leads out": (lambda: files.zipped({**MEMBERS, "archive/../../x": b""}), "must stay inside it"),
    "TorchScript": (
        lambda: files.zipped({**MEMBERS, "archive/constants.pkl": b""}), "Received: TorchScript, which is a"),
    "no pickle": (
        lambda: files.zipped({"a/b": b"x"}), "must hold one NAME/data.pkl, as files of PyTorch do. Received: a/b"),
    "two pickles": (lambda: files.zipped({**MEMBERS, "b/data.pkl": b""}), "must hold one NAME/data.pkl"),
    ".keras file": (lambda: files.zipped({"config.json": b"{}", "metadata.json": b"{}"}), "Received: a .keras file"),
    "big-endian": (lambda: files.zipped({**MEMBERS, "archive/byteorder": b"big"}), "must be little-endian. Received: "),
    "half of it": (lambda: WHOLE[: len(WHOLE) // 2], "must be whole. Received: the beginning of an archive"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ZIPS)
def test_archives_hold_what_they_claim(tmp_path, kind):
    make, message = ZIPS[kind]
    refused(tmp_path, make(), message)


OLD = files.legacy(NETWORK)
KEY = pickle.dumps(["0"], 2)
OLDER = {
    "half of it": (OLD[: len(OLD) // 2], "must be an intact file of PyTorch"),
    "last byte missing": (OLD[:-1], "which are not there"),
    "big-endian": (files.legacy(NETWORK, little=False), "must be little-endian. Received: big-endian"),
    "another version": (OLD.replace(b"M\xe9\x03.", b"M\xe8\x03.", 1), "another version of the format than 1001"),
    "count that is a lie": (
        OLD.replace(struct.pack("<Q", 4), struct.pack("<Q", 5)), "a storage of 5 numbers in 16 bytes"),
    "negative count": (OLD.replace(struct.pack("<Q", 4), b"\xff" * 8), "a storage of -1 numbers"),
    "other keys": (OLD.replace(KEY, pickle.dumps(["1"], 2)), "other storages than those of the tensors"),
    "keys that are no strings": (OLD.replace(KEY, pickle.dumps([["0"]], 2)), "storages without a key each"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OLDER)
def test_files_from_before_2020_hold_what_they_claim(tmp_path, kind):
    refused(tmp_path, *OLDER[kind])


def packed(content):
    """A tensor of NVIDIA's, in bytes."""
    return Made("torch._utils._rebuild_tensor_v2", (
        Made("torch.storage._load_from_bytes", (content,)), 0, (4,), (1,), False, OrderedDict()))  # fmt: skip


class Objects(TfNetwork):
    def __init__(self):
        super().__init__("G_main", {"x": np.array([None, "x"], object)})


NUMPY = "numpy.core.multiarray._reconstruct", (Name("numpy.ndarray"), (0,), b"b")
F4 = Made("numpy.dtype", ("f4", False, True), (3, "<", None, None, None, -1, -1, 0))
NVIDIA = {
    "storage in a storage in a storage": (
        files.nvidia({"a.b": packed(files.legacy(packed(files.legacy(Storage(ONES)))))}), "Received: code of its own"),
    "tensors in the place of a storage": (
        files.nvidia({"a.b": packed(files.legacy(tensor(ONES)))}), "Received: code of its"),
    "no storage": (files.nvidia({"a.b": packed(files.legacy(3))}), "something else than a storage"),
    "bytes of nothing": (
        files.nvidia({"a.b": packed(b"x")}), "must be an intact file of PyTorch, or pickle of NVIDIA's"),
    "zip in a pickle": (
        files.nvidia({"a.b": packed(WHOLE)}), "must be an intact file of PyTorch, or pickle of NVIDIA's"),
    "module without its state": (
        files.nvidia(Made("torch_utils.persistence._reconstruct_persistent_obj", ({"type": "class"},))),
        "a module without its attributes"),
    "array in the place of a module": (
        files.nvidia(persistent("Generator", modules=[("a", tensor(ONES))])), "a module without its attributes"),
    "settings in the place of a tensor": (
        files.nvidia(persistent("Generator", [("a", "x")])), "a, which is no tensor"),
    "objects in an array": (
        files.tensorflow((Objects(), Objects(), Objects())), "x of the type O8, which is none of numbers"),
    "array that claims more": (
        files.tensorflow({"a.b": Made(*NUMPY, (1, (9,), F4, False, bytes(16)))}), "a.b of 9 numbers in 16 bytes"),
    "array of a negative side": (
        files.tensorflow({"a.b": Made(*NUMPY, (1, (-4,), F4, False, bytes(16)))}), "sides of a.b"),
    "array without numbers": (files.tensorflow({"a.b": Made(*NUMPY)}), "an array a.b without its numbers"),
    "persistent id": (b"\x80\x04" + text("x") + b"\x85Q.", "a persistent id, tuple, where no storage can be"),
    "half of it": (files.nvidia({"G": persistent("Generator", [("a", tensor(ONES))])})[:-40], "must be an intact file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NVIDIA)
def test_pickles_of_nvidia_hold_modules_and_arrays(tmp_path, kind):
    refused(tmp_path, *NVIDIA[kind], "pkl")


def test_networks_inside_of_themselves_are_told(tmp_path):
    network = TfNetwork("G_main", {"x": ONES})
    network.state["components"]["x"] = network
    refused(tmp_path, files.tensorflow(network), "networks nested more than 64 deep, or in a circle", "pkl")
    parts = text("type") + text("class") + b"s" + text("class_name") + text("G") + b"s" + text("state") + b"}q\x01s"
    call = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}" + parts + b"\x85Rq\x02"
    modules = b"h\x01" + text("_modules") + b"}" + text("a") + b"h\x02ss"  # put in behind the call
    content = b"\x80\x02}" + text("G") + call + b"s" + text("x") + modules + b"s."
    refused(tmp_path, content, "modules nested more than 64 deep, or in a circle", "pkl")


def header(**claims):
    return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **claims}}


SAFETENSORS = {
    "header that is a lie": (struct.pack("<Q", 2**20) + b"{}", "which are not there"),
    "header without end": (struct.pack("<Q", 2**36) + b"{}", "must be a checkpoint|a header of"),
    "no JSON": (files.framed(b"{a") + bytes(16), "must be an intact .safetensors file"),
    "lists in lists": (files.framed(b'{"a":' + b"[" * 100_000), "must be an intact .safetensors file"),
    "name twice": (
        files.framed(b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{}}') + bytes(4), "stands twice"),
    "8-bit floats": (
        files.framed(header(dtype="F8_E4M3")) + bytes(16), "types must be among .* Received: F8_E4M3 of a"),
    "negative side": (files.framed(header(shape=[-4])) + bytes(16), "sides or places that are no numbers"),
    "sides that are a lie": (files.framed(header(shape=[2**39])) + bytes(16), "numbers in 16 bytes"),
    "place that is not there": (
        files.framed(header(shape=[8], data_offsets=[0, 32])) + bytes(16), "which are not there"),
    "two in one place": (files.framed({**header(), "b": header()["a"]}) + bytes(16), "tensors that overlap"),
    "bytes of nobody": (files.framed(header(data_offsets=[4, 20])) + bytes(20), "bytes that belong to none"),
    "bytes behind": (files.framed(header()) + bytes(20), "bytes behind the last tensor"),
    "nothing": (files.framed({}), "Received: no tensors"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAFETENSORS)
def test_safetensors_hold_what_they_claim(tmp_path, kind):
    refused(tmp_path, *SAFETENSORS[kind], "safetensors")


# --- Something else ---

ADAM = {"state": {0: {"exp_avg": tensor(ONES), "step": 3}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
OTHERS = {
    "empty file": (b"", "Received: an empty file"),
    "pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "a pointer of Git LFS"),
    "web page": (b"\n<!DOCTYPE html><html><body>Quota exceeded</body></html>", "Received: a web page"),
    "text": (b'{"error": "not found"}', "Received: a text"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Received: an HDF5 file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "Received: a gzip archive: unpack it first"),
    "tar of PyTorch before 0.2": (
        bytes(257) + b"ustar" + bytes(300), "Received: a tar archive, as of PyTorch before 0.2"),
    "picture": (b"\x89PNG\r\n\x1a\n", "Received: a picture"),
    "zeros": (bytes(1000), "Received: a file that begins with 00 00"),
    "optimizer": (files.torch_file(ADAM), "must hold the weights of networks. Received: states of optimizers only"),
    "optimizers": (files.torch_file({"g_optim": ADAM}), "Received: states of optimizers only"),
    "numbers": (files.torch_file({"step": 3}), "must hold the weights of networks. Received: no tensors"),
    "one tensor": (files.torch_file(tensor(ONES)), "must hold a dict of tensors. Received: one tensor"),
    "pickle of a string": (pickle.dumps("x" * 100, 4), "must hold a dict of tensors. Received: str"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_checkpoint_is_told_by_what_it_is(tmp_path, kind):
    refused(tmp_path, *OTHERS[kind])


def test_files_that_are_not_there_or_not_what_was_hashed(tmp_path):
    with pytest.raises(ArtifactError, match="Received: no such file"):
        read_checkpoint(tmp_path / "gone.pt")
    (tmp_path / "x.pt").write_bytes(WHOLE)
    (tmp_path / "x.pt.sha256").write_text("0" * 64 + "  x.pt\n")
    with pytest.raises(ArtifactError, match="must have the SHA-256 0000"):
        read_checkpoint(tmp_path / "x.pt")


def test_the_type_of_a_tensor_is_a_name_and_its_text_is_not_asked_for(tmp_path):
    doubling = []
    for _ in range(60):
        doubling = [doubling, doubling]
    value = Made("torch._utils._rebuild_tensor_v3", (Storage(np.ones(2, "<f4")), 0, (2,), (1,), False, {}, doubling))
    (tmp_path / "x.pt").write_bytes(files.torch_file({"a": value}))
    start = time.perf_counter()
    with pytest.raises(ArtifactError):
        read_checkpoint(tmp_path / "x.pt")
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("kind", ["sides of 0", "labels", "huge images"])
def test_shapes_are_no_evidence_of_bytes(kind, tmp_path):
    """Networks are built in a graph first, as large as their arrays at most."""
    g, d = stylegan2_reference.random_pair(classes=4 if kind == "labels" else None)
    if kind == "sides of 0":
        for name in [name for name in g if name.endswith("conv1.weight")]:
            g[name] = np.zeros((2**17, 0, 3, 3), "f")
    if kind == "labels":
        g["mapping.embed.weight"] = np.zeros((0, 2**26), "f")
    networks = {"G_ema": ForeignNetwork(g)}
    if kind == "huge images":
        sides = [(4, 8, 4, 4), *[(8, 8, 4, 4)] * 15, (8, 1, 4, 4)]
        arrays = {f"main.{3 * i}.weight": np.zeros(side, "f") for i, side in enumerate(sides)}
        norms = [f"main.{3 * i + 1}.{part}" for i in range(16) for part in NORM]
        arrays |= {name: np.ones(8, "f") for name in norms}
        order = sorted(arrays, key=lambda name: int(name.split(".")[1]))
        networks = {"netG": ForeignNetwork({name: arrays[name] for name in order})}
    with growth_below(300), pytest.raises(ArtifactError) as told:
        recognise(ForeignCheckpoint(networks), "x")
    assert "\n" not in str(told.value)


def test_one_tensor_is_not_copied_under_thousands_of_names():
    g, _ = stylegan2_reference.random_pair()
    shared = np.zeros((2**20,), np.int32)
    g |= {f"synthesis.b{8 * 2**i}.conv1.bias": shared for i in range(40)}
    with growth_below(100), pytest.raises(ArtifactError, match="tensors of a StyleGAN2 must have a name each"):
        recognise(ForeignCheckpoint({"G_ema": ForeignNetwork(g)}), "x")


class Flagged:
    """An array of NumPy whose numbers are by columns if something that is no boolean says so."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        state = 1, (2, 3), np.dtype("<f4"), self.flag, np.arange(6, dtype="<f4").tobytes()
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state


def test_arrays_say_by_a_boolean_whether_they_are_by_columns(tmp_path):
    for flag in (True, False):
        (tmp_path / "x.pkl").write_bytes(content := pickle.dumps({"w.weight": Flagged(flag)}, 2))
        (found,) = read_checkpoint(tmp_path / "x.pkl").networks[""].arrays.values()
        np.testing.assert_array_equal(found, pickle.loads(content)["w.weight"])
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"w.weight": Flagged(1)}, 2))
    with pytest.raises(ArtifactError, match="does not say whether it is by columns"):
        read_checkpoint(tmp_path / "x.pkl")


def test_a_module_in_many_places_is_taken_once(tmp_path):
    """Each of twenty levels has the one below twice: a million names of a thousand characters."""
    module = files.persistent("x", parameters=[("p", files.tensor(np.zeros(1, "f")))])
    for _ in range(20):
        module = files.persistent("x", modules=[(name * 45, module) for name in "ab"])
    (tmp_path / "x.pkl").write_bytes(files.nvidia({"G_ema": module}))
    start = time.process_time()
    assert len(read_checkpoint(tmp_path / "x.pkl").networks["G_ema"].arrays) == 1
    assert time.process_time() - start < 2


def test_modules_that_compute_in_several_ways_are_told():
    """The first one was looked at, and the network was built of it throughout."""
    settings = {}
    _note(settings, "activation", "lrelu")
    _note(settings, "activation", "lrelu")
    with pytest.raises(ValueError, match="modules of several activation: 'lrelu' and 'sigmoid'"):
        _note(settings, "activation", "sigmoid")
