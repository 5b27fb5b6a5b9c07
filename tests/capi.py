"""Loads SavedModels and runs the examples beside them through TensorFlow's C API; prints the outputs as JSON.

`TF_LoadSessionFromSavedModel` and `TF_SessionRun` are what TensorFlow Serving's ModelServer uses, too. Nothing of
TensorFlow's Python is imported, so an operation that lives there could not run.
"""

import ctypes as c
import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np

# Before the libraries: Python's OpenSSL, which it needs for hashes, would be bound to that inside of TensorFlow.
from tfgantl.export.examples import read_examples

os.environ["TF_CPP_MIN_LOG_LEVEL"], os.environ["CUDA_VISIBLE_DEVICES"] = "3", "-1"
TYPES = {1: np.float32, 3: np.int32, 4: np.uint8, 7: None, 9: np.int64}
STRING, STRING_BYTES = 7, 24

base = Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
c.CDLL(str(base / "libtensorflow_framework.so.2"), mode=c.RTLD_GLOBAL)
library = c.CDLL(str(base / "libtensorflow_cc.so.2"), mode=c.RTLD_GLOBAL)
pointer = c.c_void_p


class Buffer(c.Structure):
    _fields_ = [("data", pointer), ("length", c.c_size_t), ("deallocator", pointer)]


class Output(c.Structure):
    _fields_ = [("operation", pointer), ("index", c.c_int)]


def function(name, result, *arguments):
    found = getattr(library, name)
    found.restype, found.argtypes = result, list(arguments)
    return found


new_status, new_graph = function("TF_NewStatus", pointer), function("TF_NewGraph", pointer)
code, message = function("TF_GetCode", c.c_int, pointer), function("TF_Message", c.c_char_p, pointer)
new_options, new_buffer = function("TF_NewSessionOptions", pointer), function("TF_NewBuffer", c.POINTER(Buffer))
load = function(
    "TF_LoadSessionFromSavedModel", pointer, pointer, pointer, c.c_char_p, c.POINTER(c.c_char_p), c.c_int, pointer,
    c.POINTER(Buffer), pointer,
)  # fmt: skip
by_name = function("TF_GraphOperationByName", pointer, pointer, c.c_char_p)
allocate = function("TF_AllocateTensor", pointer, c.c_int, c.POINTER(c.c_int64), c.c_int, c.c_size_t)
data, kind_of = function("TF_TensorData", pointer, pointer), function("TF_TensorType", c.c_int, pointer)
rank, size = function("TF_NumDims", c.c_int, pointer), function("TF_Dim", c.c_int64, pointer, c.c_int)
init_string = function("TF_StringInit", None, pointer)
copy_string = function("TF_StringCopy", None, pointer, c.c_char_p, c.c_size_t)
string_data = function("TF_StringGetDataPointer", pointer, pointer)
string_size = function("TF_StringGetSize", c.c_size_t, pointer)
run = function(
    "TF_SessionRun", None, pointer, pointer, c.POINTER(Output), c.POINTER(pointer), c.c_int, c.POINTER(Output),
    c.POINTER(pointer), c.c_int, pointer, c.c_int, pointer, pointer,
)  # fmt: skip


def checked(status):
    if code(status):
        sys.exit(message(status).decode())


def to_tensor(array):
    shape = (c.c_int64 * array.ndim)(*array.shape)
    if array.dtype == object:
        tensor = allocate(STRING, shape, array.ndim, STRING_BYTES * array.size)
        for i, file in enumerate(array.ravel()):
            place = data(tensor) + STRING_BYTES * i
            init_string(place)
            copy_string(place, file, len(file))
        return tensor
    number = next(k for k, v in TYPES.items() if v == array.dtype)
    tensor = allocate(number, shape, array.ndim, array.nbytes)
    c.memmove(data(tensor), np.ascontiguousarray(array).ctypes.data, array.nbytes)
    return tensor


def to_json(tensor):
    shape = [size(tensor, i) for i in range(rank(tensor))]
    count = int(np.prod(shape))
    if kind_of(tensor) == STRING:
        places = [data(tensor) + STRING_BYTES * i for i in range(count)]
        return [c.string_at(string_data(place), string_size(place)).hex() for place in places]
    dtype = np.dtype(TYPES[kind_of(tensor)])
    raw = c.string_at(data(tensor), count * dtype.itemsize)
    return np.frombuffer(raw, dtype).reshape(shape).tolist()


def endpoint(graph, name):
    operation, _, index = name.partition(":")
    return Output(by_name(graph, operation.encode()), int(index or 0))


def run_all(directory, signatures):
    status, graph = new_status(), new_graph()
    tags = (c.c_char_p * 1)(b"serve")
    session = load(new_options(), None, directory.encode(), tags, 1, graph, new_buffer(), status)
    checked(status)
    results = {}
    for signature, (inputs, _) in read_examples(Path(directory)).items():
        sides = signatures[signature]
        feeds = (Output * len(inputs))(*(endpoint(graph, sides["inputs"][name]) for name in inputs))
        values = (pointer * len(inputs))(*(to_tensor(array) for array in inputs.values()))
        fetches = (Output * len(sides["outputs"]))(*(endpoint(graph, name) for name in sides["outputs"].values()))
        found = (pointer * len(fetches))()
        run(session, None, feeds, values, len(inputs), fetches, found, len(fetches), None, 0, None, status)
        checked(status)
        results[signature] = {name: to_json(tensor) for name, tensor in zip(sides["outputs"], found, strict=True)}
    return results


if __name__ == "__main__":
    answers = [run_all(directory, signatures) for directory, signatures in json.load(sys.stdin)]
    assert "tensorflow" not in sys.modules, "this must not need TensorFlow's Python"
    print(json.dumps(answers))
