"""JSON → arrays, by the rules of TensorFlow Serving's REST API.

Row format is `{"instances": [...]}`, column format `{"inputs": ...}`. With one input, its name may be left out.
Files are `{"b64": "..."}`.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from tfgantl.serving.request_error import InvalidArgument

NAMES = {"float32": "float", "float64": "double", "bool": "bool", "object": "string"}
MAX_STRINGS = 2**14  # of a request, files among them: each is an object, and is looked at
MAX_LEVELS = 64  # of nested lists; NumPy has no more dimensions


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


def _request(document: Any, signatures: dict[str, dict[str, np.dtype]]) -> Request:
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


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # or one of the things that are allowed there: NaN, or bytes after the document
        return _parse_freely(body)


def _parse_freely(body: bytes) -> Any:
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")  # what comes after the document may be anything
    if not text:
        raise InvalidArgument("JSON Parse error: The document is empty")
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise InvalidArgument(f"JSON Parse error: Invalid value. at offset: {error.pos}") from error
    except ValueError as error:  # a number of more than 4,300 digits
        raise InvalidArgument("JSON Parse error: Number too big to be stored in double.") from error


def _rows(instances: Any, specs: dict[str, np.dtype]) -> dict[str, np.ndarray]:
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
    if any(dtype.kind == "O" for dtype in specs.values()):
        _check_strings(len(instances))
    for row in instances:
        if not isinstance(row, dict):
            raise InvalidArgument(f"JSON Value: {_show(row)} not formatted correctly. Expecting an object.")
        if set(row) != set(specs):
            raise InvalidArgument(
                f"Failed to process element: {_show(row)} of 'instances' list. JSON object keys must be equal to: "
                f"{','.join(sorted(specs))}"
            )
    return {name: _array([row[name] for row in instances], dtype) for name, dtype in specs.items()}


def _columns(inputs: Any, specs: dict[str, np.dtype]) -> dict[str, np.ndarray]:
    if isinstance(inputs, dict) and not _is_file(inputs):
        for name in specs:
            if name not in inputs:
                raise InvalidArgument(f"Missing named input: {name} in 'inputs' object.")
        return {name: _array(inputs[name], dtype) for name, dtype in specs.items()}
    if len(specs) != 1:
        raise InvalidArgument("'inputs' is a plain value/list, but expecting an object/map as multiple inputs required")
    ((name, dtype),) = specs.items()
    return {name: _array(inputs, dtype)}


def _array(value: Any, dtype: np.dtype) -> np.ndarray:
    shape, items = _unnested(value)
    if dtype.kind == "O":
        _check_strings(len(items))
        array = np.empty(len(items), object)
        array[:] = [_bytes(item) for item in items]
    else:
        array = _numbers(items, dtype)
    return array.reshape(shape)


def _check_strings(count: int) -> None:
    if count > MAX_STRINGS:
        raise InvalidArgument(f"A request must have at most {MAX_STRINGS} strings or files. Received: {count}")


def _unnested(value: Any) -> tuple[list[int], list]:
    """Shape of nested lists, and what is in the innermost ones."""
    shape: list[int] = []
    items = [value]
    while items and type(items[0]) is list:
        level, size = len(shape), len(items[0])
        if level == MAX_LEVELS:
            raise InvalidArgument(f"Tensors must have at most {MAX_LEVELS} dimensions. Received: more")
        if set(map(type, items)) != {list}:
            other = next(item for item in items if type(item) is not list)
            raise InvalidArgument(
                f"JSON Value: {_show(other)} not formatted correctly. Expecting a list at level {level}."
            )
        if set(map(len, items)) != {size}:
            other = next(len(item) for item in items if len(item) != size)
            raise InvalidArgument(
                f"Encountered list at unexpected size: {other} at level: {level} expected size: {size}"
            )
        shape.append(size)
        items = list(chain.from_iterable(items))
    return shape, items


def _numbers(items: list, dtype: np.dtype) -> np.ndarray:
    """One-dimensional array of what must be all of one type."""
    kinds: dict[str, set[type]] = {"b": {bool}, "f": {int, float}}
    allowed = kinds.get(dtype.kind, {int})
    if not set(map(type, items)) <= allowed:
        raise _wrong(next(item for item in items if type(item) not in allowed), dtype)
    if dtype.kind == "f":
        try:
            numbers = np.array(items, np.float64)
        except OverflowError:  # an integer
            numbers = np.array([_float(item) for item in items])
        with np.errstate(over="ignore"):  # too large for float32 is infinite, as there
            return numbers.astype(dtype)
    if dtype.kind == "b":
        return np.array(items, bool)
    bounds, largest = np.iinfo(dtype), np.iinfo(np.int64).max  # TensorFlow Serving would wrap numbers of 8 and 16 bits
    beyond = [item for item in items if not int(bounds.min) <= item <= min(int(bounds.max), largest)]
    if beyond:
        raise _wrong(beyond[0], dtype)
    return np.array(items, np.int64).astype(dtype)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf


def _bytes(value: Any) -> bytes:
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
    raise _wrong(value, np.dtype(object))


def _wrong(value: Any, dtype: np.dtype) -> InvalidArgument:
    name = NAMES.get(dtype.name, dtype.name)
    return InvalidArgument(f"JSON Value: {_show(value)} Type: {_type(value)} is not of expected type: {name}")


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _type(value: Any) -> str:
    kinds = {dict: "Object", list: "Array", str: "String", bool: "Bool", type(None): "Null"}
    return kinds.get(type(value), "Number")


def _show(value: Any, length: int = 100) -> str:
    text = json.dumps(value)
    return text if len(text) <= length else f"{text[:length]}…"
