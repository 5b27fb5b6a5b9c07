"""Arrays in the JSON of TensorFlow Serving's REST API."""

import base64

import numpy as np

FLOATS: dict[str, type[np.floating]] = {"DT_HALF": np.float16, "DT_FLOAT": np.float32, "DT_DOUBLE": np.float64}
WHOLE: dict[str, type[np.integer]] = {
    "DT_UINT8": np.uint8, "DT_UINT16": np.uint16, "DT_UINT32": np.uint32,
    "DT_INT8": np.int8, "DT_INT16": np.int16, "DT_INT32": np.int32, "DT_INT64": np.int64,
}  # fmt: skip


def to_json(array: np.ndarray) -> list:
    """An input of a signature; files become base64."""
    array = np.asarray(array)
    if array.dtype == object:
        return [{"b64": base64.b64encode(file).decode()} for file in array]
    return array.tolist()


def from_json(value: list, dtype: str) -> np.ndarray:
    """An output of a signature.

    Args:
        value: What the answer holds.
        dtype: Its type, as the signature states it.

    Raises:
        ValueError: If it is something else: a conversion would round, wrap or read what does not fit.
    """
    if dtype == "DT_STRING":
        is_nested = bool(value) and isinstance(value[0], list)
        return np.stack([_strings(row) for row in value]) if is_nested else _strings(value)
    numbers = np.array(value)
    if dtype in FLOATS:
        if numbers.size and numbers.dtype.kind not in "iuf":
            raise ValueError(f"{dtype} must be numbers")
        with np.errstate(over="ignore"):  # to infinity, which is no answer either
            return numbers.astype(FLOATS[dtype])
    if dtype == "DT_BOOL" and (numbers.dtype.kind == "b" or not numbers.size):
        return numbers.astype(np.bool_)
    if dtype not in WHOLE:
        raise ValueError(f"{dtype} must be texts, numbers or truths of a type that NumPy has")
    bounds, is_whole = np.iinfo(WHOLE[dtype]), numbers.dtype.kind in "iu" or not numbers.size
    if not is_whole or (numbers.size and (numbers.min() < bounds.min or numbers.max() > bounds.max)):
        raise ValueError(f"{dtype} must be numbers from {bounds.min} to {bounds.max}, and whole")
    return numbers.astype(WHOLE[dtype])


def _strings(value: list) -> np.ndarray:
    if not isinstance(value, list):  # the names of several outputs are no texts
        raise ValueError("DT_STRING must be a list")
    strings = np.empty(len(value), object)
    strings[:] = [base64.b64decode(one["b64"]) if isinstance(one, dict) else one.encode() for one in value]
    return strings
