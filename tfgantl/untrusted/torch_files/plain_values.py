"""What is left of a pickle besides its networks: arrays by name, and numbers, strings, lists and dicts of these."""

from typing import Any

import numpy as np

from tfgantl.printing import printable
from tfgantl.untrusted.torch_files.allowed_names import (
    DEVICE,
    NAMESPACE,
    NUMPY_ARRAYS,
    NUMPY_SCALARS,
    PARAMETERS,
    SIZE,
    TENSORS,
)
from tfgantl.untrusted.torch_files.limits import Budget
from tfgantl.untrusted.torch_files.notes import Call, Name
from tfgantl.untrusted.torch_files.numpy_values import numpy_array, numpy_number
from tfgantl.untrusted.torch_files.tensors import TensorReader

MAX_DEPTH = 64  # of dicts and lists inside of each other
MAX_VALUES = 3_000_000  # with what is in several places, or looked at twice
MAX_CHARACTERS = 2**25  # of the names of all arrays
MAX_NAME = 2**10  # characters of the name of an array, with those of the modules that it is in
NONE = object()  # in the place of what is no plain value


def joined(prefix: str, name: str) -> str:
    """A name behind that of what it is in; raises `ValueError` if it is longer than any name is.

    Args:
        prefix: With what stands between the two.
        name: Of the part.
    """
    if len(prefix) + len(name) > MAX_NAME:
        raise ValueError(f"a name of {len(prefix) + len(name)} characters, which ends in {printable(name[-20:])}")
    return prefix + name


class Values:
    """Makes arrays and plain values of what a pickle noted.

    Args:
        tensors: Makes arrays of tensors.
        bytes_left: Bytes of arrays that may be made.
    """

    def __init__(self, tensors: TensorReader, bytes_left: Budget):
        self.tensors, self.bytes_left = tensors, bytes_left
        self.characters_left = Budget("characters in names of arrays", MAX_CHARACTERS)
        self.values_left = Budget("values, with those that are in several places", MAX_VALUES)

    def spend(self) -> None:
        """Counts one value more."""
        self.values_left.spend()

    @staticmethod
    def is_array(value: Any) -> bool:
        """Whether a value is a tensor, a parameter or an array of NumPy."""
        return type(value) is Call and value.name in TENSORS | PARAMETERS | NUMPY_ARRAYS

    def array(self, value: Any, name: str) -> np.ndarray:
        """The array that a value stands for.

        Args:
            value: For which `is_array` holds.
            name: Of the array, for messages.

        Raises:
            ValueError: If it does not fit its numbers, or is no array.
        """
        self.spend()
        self.characters_left.spend(len(name))
        shown = printable(name)[:80]
        if not self.is_array(value):
            raise ValueError(f"{shown}, which is no tensor")
        if value.name in NUMPY_ARRAYS:
            return numpy_array(value, shown, self.bytes_left)
        return self.tensors.array(value, shown)

    def plain(self, value: Any) -> Any:
        """Numbers, strings, booleans, lists and dicts of these; what is none of them is left out, `None` if it is all.

        Raises:
            ValueError: If it is nested too deeply, or in a circle.
        """
        found = self._plain(value, 0)
        return None if found is NONE else found

    def _plain(self, value: Any, depth: int) -> Any:
        self.spend()
        if depth > MAX_DEPTH:
            raise ValueError(f"values nested more than {MAX_DEPTH} deep, or in a circle")
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is Name:
            return str(value)
        if type(value) in (list, tuple):
            kept = [self._plain(item, depth + 1) for item in value]
            return [item for item in kept if item is not NONE]
        if type(value) is dict:
            named = {key: self._plain(item, depth + 1) for key, item in value.items()}
            return {key: item for key, item in named.items() if item is not NONE}
        if type(value) is Call:
            if value.name in NUMPY_SCALARS:
                return numpy_number(value, "among the settings", self.bytes_left)
            if value.name == NAMESPACE:
                return self._plain(value.state or {}, depth + 1)
            if value.name in (SIZE, DEVICE):
                return self._plain(value.arguments[0] if len(value.arguments) == 1 else value.arguments, depth + 1)
        return NONE
