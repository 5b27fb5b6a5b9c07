"""JSON ↔ arrays, by the rules of TensorFlow Serving's REST API.

Row format: `{"instances": [...]}` → `{"predictions": [...]}`. Column format: `{"inputs": ...}` → `{"outputs": ...}`.
With one input, or one output, its name is left out. Files are `{"b64": "..."}`.
"""

import base64
import binascii
import json
from dataclasses import dataclass

import numpy as np
import orjson

from tfgantl.serving.problems import InvalidArgument

NAMES = {"float32": "float", "float64": "double", "bool": "bool", "object": "string"}
MOST_LEVELS = 64  # of nested lists; NumPy has no more dimensions
RANGES = {name: (np.iinfo(name).min, np.iinfo(name).max) for name in ("int8", "int16", "int32", "int64", "uint8")}


@dataclass(frozen=True)
class Request:
    """What a body asks for.

    Args:
        signature: Name of the signature.
        inputs: Name → array.
        row: Whether it is in row format, and the answer is to be.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    row: bool


def read_request(body: bytes, signatures: dict[str, dict[str, np.dtype]]) -> Request:
    """Reads the body of a `:predict`.

    Args:
        body: JSON; what comes after the document is not looked at.
        signatures: Signature → name of an input → its type.

    Raises:
        InvalidArgument: With the message of TensorFlow Serving, as far as that is known.
    """
    try:
        return _request(_parse(body), signatures)
    except RecursionError as error:
        raise InvalidArgument("JSON Parse error: Terminate parsing due to Handler error.") from error


def _request(document, signatures):
    if not isinstance(document, dict):
        raise InvalidArgument(f"Request body is not a JSON object. Received: {_type(document)}")
    signature = document.get("signature_name", "serving_default")
    if not isinstance(signature, str):
        raise InvalidArgument("'signature_name' key must be a string value.")
    if signature not in signatures:
        raise InvalidArgument(f'Serving signature name: "{signature}" not found in signature def')
    specs = signatures[signature]
    has_rows, has_columns = "instances" in document, "inputs" in document
    if has_rows and has_columns:
        raise InvalidArgument("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    if has_rows:
        return Request(signature, _rows(document["instances"], specs), True)
    if has_columns:
        return Request(signature, _columns(document["inputs"], specs), False)
    raise InvalidArgument("Missing 'inputs' or 'instances' key")


def write_response(outputs: dict[str, np.ndarray], row: bool) -> bytes:
    """Writes the answer to a `:predict`.

    Raises:
        InvalidArgument: If outputs have no rows in common, in row format.
    """
    values = {name: _plain(name, array) for name, array in outputs.items()}
    if not row:
        return _dump({"outputs": next(iter(values.values())) if len(values) == 1 else values})
    counts = {array.shape[:1] for array in outputs.values()}
    if () in counts:
        raise InvalidArgument("Tensor has no shape information, and cannot be in row format")
    if len(counts) != 1:
        raise InvalidArgument("Tensors have inconsistent batch size, and cannot be in row format")
    if len(values) == 1:
        return _dump({"predictions": next(iter(values.values()))})
    return _dump({"predictions": [dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True)]})


def _dump(answer):
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)  # float32 by its shortest digits, as there


def _parse(body):
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")  # what comes after the document may be anything
    if not text:
        raise InvalidArgument("JSON Parse error: The document is empty")
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise InvalidArgument(f"JSON Parse error: Invalid value. at offset: {error.pos}") from error
    except ValueError as error:  # a number of more than 4,300 digits
        raise InvalidArgument("JSON Parse error: Number too big to be stored in double.") from error


def _rows(instances, specs):
    if not isinstance(instances, list):
        raise InvalidArgument(f"Expecting 'instances' value to be an array. Received: {_type(instances)}")
    if not instances:
        raise InvalidArgument("No values in 'instances' array")
    objects = isinstance(instances[0], dict) and not _is_file(instances[0])
    if not objects and len(specs) == 1:
        ((name, dtype),) = specs.items()
        return {name: _array(instances, dtype)}
    if not objects:
        raise InvalidArgument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    for row in instances:
        if not isinstance(row, dict):
            raise InvalidArgument(f"JSON Value: {_show(row)} not formatted correctly. Expecting an object.")
        if set(row) != set(specs):
            raise InvalidArgument(
                f"Failed to process element: {_show(row)} of 'instances' list. JSON object keys must be equal to: "
                f"{','.join(sorted(specs))}"
            )
    return {name: _array([row[name] for row in instances], dtype) for name, dtype in specs.items()}


def _columns(inputs, specs):
    if isinstance(inputs, dict) and not _is_file(inputs):
        for name in specs:
            if name not in inputs:
                raise InvalidArgument(f"Missing named input: {name} in 'inputs' object.")
        return {name: _array(inputs[name], dtype) for name, dtype in specs.items()}
    if len(specs) != 1:
        raise InvalidArgument("'inputs' is a plain value/list, but expecting an object/map as multiple inputs required")
    ((name, dtype),) = specs.items()
    return {name: _array(inputs, dtype)}


def _array(value, dtype):
    flat: list = []
    shape = _shape(value)
    if len(shape) > MOST_LEVELS:
        raise InvalidArgument(f"Tensors must have at most {MOST_LEVELS} dimensions. Received: {len(shape)}")
    _flatten(value, shape, 0, dtype, flat)
    if dtype.kind == "O":
        array = np.empty(len(flat), object)
        array[:] = flat
    else:
        with np.errstate(over="ignore"):  # too large for float32 is infinite, as there
            array = np.array(flat, np.float64 if dtype.kind == "f" else np.int64).astype(dtype)
    return array.reshape(shape)


def _shape(value):
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _flatten(value, shape, level, dtype, flat):
    if level == len(shape):
        flat.append(_scalar(value, dtype))
        return
    if not isinstance(value, list):
        raise InvalidArgument(f"JSON Value: {_show(value)} not formatted correctly. Expecting a list at level {level}.")
    if len(value) != shape[level]:
        raise InvalidArgument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _flatten(item, shape, level + 1, dtype, flat)


def _scalar(value, dtype):
    name = dtype.name
    if dtype.kind == "O":
        if isinstance(value, str):
            try:
                return value.encode()
            except UnicodeEncodeError as error:
                raise InvalidArgument("JSON Parse error: The surrogate pair in string is invalid.") from error
        if _is_file(value):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (binascii.Error, ValueError) as error:
                raise InvalidArgument(f"Unable to base64 decode: {_show(value)}") from error
        raise _wrong(value, name)
    if dtype.kind == "b":
        if isinstance(value, bool):
            return value
    elif not isinstance(value, bool):
        if dtype.kind == "f" and isinstance(value, int | float):
            try:
                return float(value)
            except OverflowError:
                return np.inf if value > 0 else -np.inf
        if dtype.kind in "iu" and isinstance(value, int):
            low, high = RANGES["int64" if name == "int64" else "int32"]  # smaller types are not checked there
            if low <= value <= high:
                return value
    raise _wrong(value, name)


def _wrong(value, name):
    return InvalidArgument(
        f"JSON Value: {_show(value)} Type: {_type(value)} is not of expected type: {NAMES.get(name, name)}"
    )


def _is_file(value):
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _plain(name, array):
    """The array itself, or files and texts in lists."""
    if array.dtype.kind != "O":
        return np.ascontiguousarray(array)
    if name.endswith("_bytes"):
        return _each(array.tolist(), lambda file: {"b64": base64.b64encode(file).decode()})
    return _each(array.tolist(), lambda text: text.decode("utf-8", "replace"))


def _each(value, function):
    return [_each(item, function) for item in value] if isinstance(value, list) else function(value)


def _type(value):
    kinds = {dict: "Object", list: "Array", str: "String", bool: "Bool", type(None): "Null"}
    return kinds.get(type(value), "Number")


def _show(value, most=100):
    text = json.dumps(value)
    return text if len(text) <= most else f"{text[:most]}…"
