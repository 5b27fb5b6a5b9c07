"""Arrays → JSON, by the rules of TensorFlow Serving's REST API."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from tfgantl.serving.request_error import InvalidArgument


def write_response(outputs: dict[str, np.ndarray], row: bool) -> bytes:
    """Writes the response to a `:predict`.

    Args:
        outputs: Name → array; files, as `bytes` objects, under names that end in `_bytes`.
        row: Whether in row format: `{"predictions": [...]}`, else `{"outputs": ...}`.

    Raises:
        InvalidArgument: If outputs have no rows in common, in row format, or numbers that JSON does not have: complex
            ones, or such as are not finite.
    """
    outputs = {name: array.astype("f") if array.dtype.name == "bfloat16" else array for name, array in outputs.items()}
    for name, array in outputs.items():
        if array.dtype.kind not in "fiubO":
            raise InvalidArgument(f"Tensor {name} is of {array.dtype}, which is not written as JSON")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidArgument(
                f"Inputs must be such that {name} is finite. Received: some with NaN or infinity in it"
            )
    if row:
        counts = {array.shape[:1] for array in outputs.values()}
        if () in counts:
            raise InvalidArgument("Tensor has no shape information, and cannot be in row format")
        if len(counts) != 1:
            raise InvalidArgument("Tensors have inconsistent batch size, and cannot be in row format")
        if len(outputs) > 1:
            values = {name: _texts(name, array) for name, array in outputs.items()}
            rows = zip(*values.values(), strict=True)
            return _dump({"predictions": [dict(zip(values, each, strict=True)) for each in rows]})
    values = {name: _whole(name, array) for name, array in outputs.items()}
    return _dump({"predictions" if row else "outputs": next(iter(values.values())) if len(values) == 1 else values})


def _whole(name: str, array: np.ndarray) -> Any:
    if array.dtype.kind == "O" or array.ndim < 2 or array.shape[-1] != 1 or not array.size:
        return _texts(name, array)
    # A gray pixel is a list of one number. Such lists take most of the time, so their brackets are put in afterwards:
    # `[[a,b],[c,d]]` becomes `[[[a],[b]],[[c],[d]]]`.
    numbers = _dump(np.ascontiguousarray(array[..., 0]))
    return orjson.Fragment(b"[%b]" % numbers.replace(b",", b"],["))


def _texts(name: str, array: np.ndarray) -> Any:
    """An array of numbers as it is; files and texts in lists."""
    if array.dtype.kind != "O":
        return np.ascontiguousarray(array)
    if name.endswith("_bytes"):
        return _each(array.tolist(), lambda file: {"b64": base64.b64encode(file).decode()})
    return _each(array.tolist(), lambda text: text.decode("utf-8", "replace"))


def _each(value: Any, function: Callable[[bytes], Any]) -> Any:
    return [_each(item, function) for item in value] if isinstance(value, list) else function(value)


def _dump(answer: Any) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)  # float32 by its shortest digits, as there
