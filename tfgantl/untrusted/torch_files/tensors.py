"""Tensors of PyTorch as arrays: what a file claims about sides, strides and storages is compared before it is used."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.printing import printable
from tfgantl.untrusted.torch_files.allowed_names import NESTED, PARAMETERS, TENSORS, UNTYPED
from tfgantl.untrusted.torch_files.element_types import STORAGES, TORCH_TYPES, TYPES, converted, item_size
from tfgantl.untrusted.torch_files.limits import Budget
from tfgantl.untrusted.torch_files.notes import Call, Name, Persistent
from tfgantl.untrusted.torch_files.numpy_values import bytes_of

MAX_RANK = 16
MAX_SIDE = 2**40
ReadStorage = Callable[[str, int], bytes | bytearray]  # key and number of bytes → exactly these bytes


class Storage(NamedTuple):
    """Where the numbers of a tensor are.

    Attributes:
        key: Tells it from the other storages of the file.
        kind: A key of `TYPES`; empty if the tensor says it.
        size: Bytes.
        read: Reads its bytes; `None` for those of the file.
        owner: Tells the bytes that it was packed into from others; 0 for the file.
    """

    key: str
    kind: str
    size: int
    read: ReadStorage | None = None
    owner: int = 0


class TensorReader:
    """Makes arrays of what a pickle notes about tensors, each once.

    Args:
        read: Reads the bytes of a storage of the file.
        nested: Finds the storage that is packed into bytes, as NVIDIA's pickles have it.
        budget: Bytes that may be made.
        where: Name of the file for messages.
    """

    def __init__(self, read: ReadStorage, nested: Callable[[bytes], Storage], budget: Budget, where: str):
        self.read, self.nested, self.budget, self.where = read, nested, budget, where
        self._numbers: dict[tuple[int, str], tuple[str, np.ndarray]] = {}  # of storages
        self._arrays: dict[tuple, np.ndarray] = {}
        self._nested: dict[int, tuple[Call, Storage]] = {}

    def array(self, call: Call, name: str) -> np.ndarray:
        """The numbers of a tensor or parameter, which cannot be written to if they are those of the file.

        Args:
            call: A call of one of `TENSORS` or `PARAMETERS`.
            name: Of the tensor, for messages.

        Returns:
            An array of the tensor's shape, in C order: float32 for all floats, other numbers as they are.

        Raises:
            ArtifactError: If it is of a kind that is not read.
            ValueError: If what it claims does not fit its storage.
        """
        if call.name in PARAMETERS:
            inner = call.arguments[0] if call.arguments else None
            if type(inner) is not Call:
                raise ValueError(f"a parameter {name} that is no tensor")
            call = inner
        if call.name not in TENSORS or not 4 <= len(call.arguments) <= 8:
            raise ValueError(f"a tensor {name} of {len(call.arguments)} parts")
        source, offset, sides, strides, *more = call.arguments
        storage = self._storage(source, name)
        kind, marks = storage.kind, more[2:]  # behind whether there are gradients, and hooks
        if call.name.endswith("_v3"):
            # Text is made of names only: what else may stand here can be of exponential length.
            kind, marks = (
                (TORCH_TYPES.get(str(more[2]), "") if len(more) > 2 and type(more[2]) is Name else ""),
                more[3:],
            )
        if kind not in TYPES or (storage.kind and storage.kind != kind):
            raise ValueError(f"a tensor {name} without a type of numbers")
        self._refuse_marks(marks)
        sides, strides = _whole(sides, name), _whole(strides, name)
        (offset,) = _whole((offset,), name)
        count = storage.size // item_size(kind)
        if storage.size % item_size(kind) or len(sides) != len(strides):
            raise ValueError(f"a tensor {name} whose sides and strides do not fit its numbers")
        last = offset + sum((side - 1) * stride for side, stride in zip(sides, strides, strict=True))
        if prod(sides) and (last >= count or prod(sides) > count):
            raise ValueError(
                f"a tensor {name} of {prod(sides)} numbers up to place {last}, in a storage that has {count}"
            )
        if prod(side for side in sides if side) > MAX_SIDE:
            raise ValueError(f"a tensor {name} of sides {sides}")
        key = (storage.owner, storage.key, kind, offset, sides, strides)
        if key not in self._arrays:
            self._arrays[key] = self._made(storage, kind, offset, sides, strides, name)
        return self._arrays[key]

    def _made(
        self, storage: Storage, kind: str, offset: int, sides: tuple[int, ...], strides: tuple[int, ...], name: str
    ) -> np.ndarray:
        if not prod(sides):
            return converted(np.empty(sides, TYPES[kind]), kind, name)
        numbers = self._flat(storage, kind)
        size = numbers.itemsize
        # All of it lies within the storage, as was compared above.
        view = np.lib.stride_tricks.as_strided(
            numbers[offset:], sides, tuple(stride * size for stride in strides), writeable=False
        )
        if not view.flags.c_contiguous or kind in ("bfloat16", "float16", "float64", "bool"):
            self.budget.spend(prod(sides) * max(size, 4))
        return np.ascontiguousarray(converted(view, kind, name)).reshape(sides)

    def _flat(self, storage: Storage, kind: str) -> np.ndarray:
        """All numbers of a storage, read once."""
        place = storage.owner, storage.key
        known, numbers = self._numbers.get(place, ("", None))
        if numbers is None:
            self.budget.spend(storage.size)
            numbers = np.frombuffer((storage.read or self.read)(storage.key, storage.size), TYPES[kind])
            self._numbers[place] = kind, numbers
        elif known != kind or numbers.nbytes != storage.size:
            raise ValueError(f"a storage {printable(storage.key)[:40]} of two types or sizes")
        return numbers

    def _storage(self, source: Any, name: str) -> Storage:
        if type(source) is Persistent:
            return stored(source)
        if type(source) is Call and source.name == NESTED:
            if id(source) not in self._nested:
                if len(source.arguments) != 1:
                    raise ValueError(f"a tensor {name} in something else than bytes")
                self._nested[id(source)] = source, self.nested(bytes_of(source.arguments[0], name, self.budget))
            _, storage = self._nested[id(source)]
            return storage._replace(owner=id(source))
        raise ValueError(f"a tensor {name} without a storage")

    def _refuse_marks(self, marks: list) -> None:
        """Marks say that the numbers of some complex tensors are to be conjugated, or negated."""
        if marks and marks[0] is not None and marks[0] != {}:
            raise ArtifactError(
                f"{self.where}: tensors must be stored as they are. Received: one to be conjugated or negated"
            )


def stored(found: Persistent) -> Storage:
    """The storage that a persistent id stands for, to be read from the file.

    Raises:
        ValueError: If it is of another form than PyTorch's.
    """
    if not 5 <= len(found) <= 6 or found[0] != "storage" or type(found[2]) is not str or type(found[4]) is not int:
        raise ValueError("a persistent id that is not of a storage")
    _, kind, key, _, count, *view = found
    if view and view[0] is not None:
        raise ValueError("a view of a storage, as of PyTorch before 0.4")
    if type(kind) is not Name or (kind not in STORAGES and kind != UNTYPED):
        raise ValueError("a storage without a type of numbers")
    if not 0 <= count <= MAX_SIDE:
        raise ValueError(f"a storage of {count} numbers")
    known = STORAGES.get(kind, "")
    return Storage(key, known, count * (item_size(known) if known else 1))


def _whole(numbers: Any, name: str) -> tuple[int, ...]:
    if type(numbers) is Call and numbers.name == "torch.Size" and len(numbers.arguments) == 1:
        numbers = numbers.arguments[0]
    if type(numbers) not in (tuple, list) or len(numbers) > MAX_RANK:
        raise ValueError(f"sides of {name} that are no tuple of at most {MAX_RANK}")
    if any(type(number) is not int or not 0 <= number <= MAX_SIDE for number in numbers):
        raise ValueError(f"a side, stride or place of {name} that is not in [0, {MAX_SIDE}]")
    return tuple(numbers)
