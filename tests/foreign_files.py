"""Checkpoints as PyTorch and NVIDIA's networks write them, made without either: pickles of names that lead nowhere."""

import io
import json
import pickle
import zipfile
from collections import OrderedDict

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {
    "<f4": "Float", "<f8": "Double", "<f2": "Half", "<i8": "Long", "<i4": "Int", "<i2": "Short", "|i1": "Char",
    "|u1": "Byte", "|b1": "Bool", "<c8": "ComplexFloat", "<c16": "ComplexDouble",
}  # fmt: skip
LATER = {"<u2": "uint16", "<u4": "uint32", "<u8": "uint64"}  # types that came after storages had types


class Name(str):
    """Module and name of a class or function that need not be there."""

    def __call__(self):
        raise AssertionError("named, and never called")


class Made:
    """What a call of a name would give: `Made("torch.Size", ((2, 3),))`, and the state that it gets."""

    def __init__(self, name, arguments=(), state=None):
        self.parts = (Name(name), arguments) if state is None else (Name(name), arguments, state)


class Storage:
    """Numbers under a key; the same object is the same storage."""

    def __init__(self, numbers, kind=None, key=None, count=None):
        self.numbers = np.ascontiguousarray(numbers).ravel()
        code = self.numbers.dtype.str
        self.kind = Name(f"torch.{kind or STORAGES[code]}Storage" if kind or code in STORAGES else UNTYPED)
        untyped = self.kind == UNTYPED
        self.count = count if count is not None else self.numbers.nbytes if untyped else len(self.numbers)
        self.key = key


UNTYPED = "torch.storage.UntypedStorage"


def tensor(numbers, storage=None, offset=0, shape=None, strides=None, kind=None, more=None):
    """What `torch.save` writes for a tensor."""
    numbers = np.asarray(numbers)
    storage = storage or Storage(numbers, kind)
    shape = numbers.shape if shape is None else shape
    if strides is None:
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    parts = (storage, offset, tuple(shape), tuple(strides), False, OrderedDict())
    if storage.kind == UNTYPED:
        return Made("torch._utils._rebuild_tensor_v3", (*parts, Name(f"torch.{LATER[numbers.dtype.str]}")))
    return Made("torch._utils._rebuild_tensor_v2", parts if more is None else (*parts, more))


def parameter(*arguments, **options):
    return Made("torch._utils._rebuild_parameter", (tensor(*arguments, **options), True, OrderedDict()))


class Writer(pickle._Pickler):
    """Pickles names that cannot be imported, and storages: by their keys, or packed into bytes, as NVIDIA's are."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, stream, protocol, packed=False):
        super().__init__(stream, protocol)
        self.storages, self.packed = [], packed

    def persistent_id(self, item):
        if not isinstance(item, Storage) or self.packed:
            return None
        if item not in self.storages:
            item.key = str(len(self.storages)) if item.key is None else item.key
            self.storages.append(item)
        return self.id_of(item)

    def id_of(self, item):
        return ("storage", item.kind, item.key, "cpu", item.count)

    def reducer_override(self, item):
        if isinstance(item, Storage):
            return Name("torch.storage._load_from_bytes"), (legacy(item),)
        return item.parts if isinstance(item, Made) else NotImplemented

    def save_name(self, item):
        module, _, name = item.rpartition(".")
        if self.proto >= 4:
            self.save(str(module))
            self.save(str(name))
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())

    dispatch[Name] = save_name


class OldWriter(Writer):
    """As before 2020: ids have one part more."""

    def id_of(self, item):
        return (*super().id_of(item), None)


def dumps(value, protocol=2, writer=Writer, **options):
    """The pickle, and its storages."""
    stream = io.BytesIO()
    made = writer(stream, protocol, **options)
    made.dump(value)
    return stream.getvalue(), made.storages


def legacy(value, protocol=2, little=True):
    """A file of PyTorch from before 2020."""
    machine = {"protocol_version": VERSION, "little_endian": little, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    content, storages = dumps(value, protocol, OldWriter)
    keys = pickle.dumps([storage.key for storage in storages], protocol)
    parts = [*(pickle.dumps(part, protocol) for part in (MAGIC, VERSION, machine)), content, keys]
    for storage in storages:
        count = len(storage.numbers) * (storage.numbers.itemsize if storage.kind == UNTYPED else 1)
        parts += [count.to_bytes(8, "little"), storage.numbers.tobytes()]
    return b"".join(parts)


def members(value, protocol=2, top="archive"):
    """Names and contents of a file of PyTorch since 2020."""
    content, storages = dumps(value, protocol)
    data = {f"{top}/data/{storage.key}": storage.numbers.tobytes() for storage in storages}
    return {f"{top}/data.pkl": content, f"{top}/byteorder": b"little", **data, f"{top}/version": b"3\n"}


def zipped(contents, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)  # of one date: the same bytes every day
    return stream.getvalue()


def torch_file(value, protocol=2):
    return zipped(members(value, protocol))


def persistent(kind, parameters=(), buffers=(), modules=(), source="raise SystemExit('run')", **arguments):
    """A module of NVIDIA's, with the source of its class."""
    state = {
        "training": False, "_parameters": OrderedDict(parameters), "_buffers": OrderedDict(buffers),
        "_modules": OrderedDict(modules), "_non_persistent_buffers_set": set(), "_init_args": (),
        "_init_kwargs": arguments,
    }  # fmt: skip
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": kind, "state": state}
    return Made("torch_utils.persistence._reconstruct_persistent_obj", (meta,))


def nvidia(value, protocol=4):
    """A pickle of NVIDIA's PyTorch networks."""
    return dumps(value, protocol, packed=True)[0]


class TfNetwork:
    """A network of NVIDIA's TensorFlow, of which the state is pickled."""

    def __init__(self, kind, variables, components=None, **arguments):
        code = "raise SystemExit('run')"
        self.state = {
            "version": 4, "name": kind, "static_kwargs": arguments, "components": components or {},
            "build_module_src": code, "build_func_name": kind, "variables": list(variables.items()),
        }  # fmt: skip


class TfWriter(Writer):
    def reducer_override(self, item):
        if isinstance(item, TfNetwork):
            return Name("dnnlib.tflib.network.Network"), (), item.state
        return super().reducer_override(item)


def tensorflow(value, protocol=4):
    return dumps(value, protocol, TfWriter)[0]


def safetensors(arrays, notes=None, codes=None):
    """A `.safetensors` file; `codes` are the types of arrays that NumPy has none for."""
    known = {"f": "F", "i": "I", "u": "U", "b": "BOOL", "c": "C"}
    header, content = {"__metadata__": notes} if notes else {}, b""
    for name, array in arrays.items():
        bits = "" if array.dtype.kind == "b" else 8 * array.itemsize
        code = (codes or {}).get(name, f"{known[array.dtype.kind]}{bits}")
        end = len(content) + array.nbytes
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [len(content), end]}
        content += array.tobytes()
    return framed(header) + content


def framed(header):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text
