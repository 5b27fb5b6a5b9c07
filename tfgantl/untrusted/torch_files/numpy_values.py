"""Arrays and numbers of NumPy in pickles, from their parts."""

from math import prod
from typing import Any

import numpy as np

from tfgantl.printing import printable
from tfgantl.untrusted.torch_files.allowed_names import BYTES, ENCODED, NUMPY_TYPE
from tfgantl.untrusted.torch_files.element_types import TYPES, converted
from tfgantl.untrusted.torch_files.limits import Budget
from tfgantl.untrusted.torch_files.notes import Call

KINDS = {np.dtype(read).str[1:]: kind for kind, read in TYPES.items() if kind != "bfloat16"}  # f4 → float32
KINDS |= {"u2": "uint16", "b1": "bool", "u1": "uint8"}


def numpy_array(call: Call, name: str, budget: Budget) -> np.ndarray:
    """An array from what `ndarray.__setstate__` would get.

    Args:
        call: A call of `_reconstruct`, with its state.
        name: Of the array, for messages.
        budget: Bytes that may be made.

    Returns:
        The array, with floats as float32.

    Raises:
        ValueError: If its parts do not fit, or it holds anything but numbers.
    """
    if type(call.state) is not tuple or len(call.state) != 5:
        raise ValueError(f"an array {name} without its numbers")
    _, sides, kind, by_columns, content = call.state
    if type(sides) is not tuple or any(type(side) is not int or side < 0 for side in sides) or len(sides) > 16:
        raise ValueError(f"sides of {name} that are no tuple of at most 16")
    if type(by_columns) is not bool:  # 1 means columns to NumPy
        raise ValueError(f"an array {name} that does not say whether it is by columns")
    dtype, kind = _type(kind, name)
    stored = bytes_of(content, name, budget)
    if prod(sides) * dtype.itemsize != len(stored):
        raise ValueError(f"an array {name} of {prod(sides)} numbers in {len(stored)} bytes")
    if not stored:
        return converted(np.empty([min(side, 2**20) for side in sides], dtype), kind, name)
    budget.spend(len(stored) * max(1, 4 // dtype.itemsize))
    array = np.frombuffer(stored, dtype).reshape(sides, order="F" if by_columns else "C")
    return np.ascontiguousarray(converted(array.astype(dtype.newbyteorder("="), copy=False), kind, name)).reshape(sides)


def numpy_number(call: Call, name: str, budget: Budget) -> bool | int | float:
    """A number of NumPy as one of Python.

    Args:
        call: A call of `scalar`: type and bytes.
        name: Of the number, for messages.
        budget: Bytes that may be made.

    Raises:
        ValueError: If it is no number, or its bytes do not fit its type.
    """
    if len(call.arguments) != 2:
        raise ValueError(f"a number {name} of {len(call.arguments)} parts")
    dtype, kind = _type(call.arguments[0], name)
    stored = bytes_of(call.arguments[1], name, budget)
    if len(stored) != dtype.itemsize or dtype.kind == "c":
        raise ValueError(f"a number {name} in {len(stored)} bytes")
    number = np.frombuffer(stored, dtype)[0].item()
    return bool(number) if kind == "bool" else number


def _type(call: Any, name: str) -> tuple[np.dtype, str]:
    """How its bytes are read, and its key in `TYPES`."""
    if type(call) is not Call or call.name != NUMPY_TYPE or not call.arguments:
        raise ValueError(f"{name} without a type of numbers")
    code, state = call.arguments[0], call.state
    if type(code) is not str or code not in KINDS:
        raise ValueError(f"{name} of the type {printable(code)[:20]}, which is none of numbers")
    order = "|"
    if state is not None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"{name} in an unknown order of bytes")
        order = state[1]
    dtype = np.dtype(f"{'<' if order in '|=' else order}{'u1' if code == 'b1' else code}")
    return dtype, KINDS[code]


def bytes_of(content: Any, name: str, budget: Budget) -> bytes:
    """Bytes, which protocol 2 has as a string and its encoding.

    Args:
        content: Of a pickle.
        name: Of what they are, for messages.
        budget: Bytes that may be made.

    Raises:
        ValueError: If it is something else.
    """
    if type(content) is Call and content.name in BYTES and not content.arguments:
        return b""
    if type(content) is Call and content.name == ENCODED:
        text, *encoding = content.arguments
        if type(text) is not str or encoding not in (["latin1"], ["latin-1"]):
            raise ValueError(f"bytes of {name} that are not encoded as latin1")
        content = text
    if type(content) is str:  # as Python 2 wrote them
        budget.spend(len(content))
        return content.encode("latin1")
    if type(content) is not bytes:
        raise ValueError(f"{name} without its bytes")
    return content
