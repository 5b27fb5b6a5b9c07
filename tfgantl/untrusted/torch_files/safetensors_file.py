"""`.safetensors`: a length, a JSON header and the numbers.

The format is read here and not by its package: every claim of the header has to be compared before anything is read
anyway, a message must name what is wrong, and bfloat16 would need a type that NumPy does not have.

Reference:
    https://github.com/huggingface/safetensors#format
"""

import json
import re
from math import prod
from typing import Any

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.printing import printable
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.torch_files.element_types import TYPES, converted, item_size
from tfgantl.untrusted.torch_files.limits import Bounded

MAX_HEADER = 2**24  # bytes; 100 for each tensor
LENGTH = 8  # bytes, ahead of the header
MAX_NAME = 2**10  # characters
NOTES = "__metadata__"
KINDS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "C64": "complex64", "BOOL": "bool",
    **{f"{sign}{bits}": f"{kind}{bits}" for sign, kind in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)},
}  # fmt: skip


def read_safetensors(stream: Bounded, where: str) -> ForeignCheckpoint:
    """Reads all tensors; they must fill the file from the header to its end, each place once.

    Args:
        stream: The file, from its beginning.
        where: Its name for messages.

    Returns:
        One network without a name, its arrays by name and number; the notes of the file are the settings.

    Raises:
        ArtifactError: If a tensor is of a type that is not read.
        ValueError: If the file is damaged.
    """
    size = int.from_bytes(stream.read(LENGTH), "little")
    if size > MAX_HEADER:
        raise ValueError(f"a header of {size} bytes")
    header = json.loads(stream.read(size), object_pairs_hook=_unique)
    if type(header) is not dict:
        raise ValueError("a header that is no dict")
    notes = header.pop(NOTES, {})
    tensors = sorted((_described(name, claim, where) for name, claim in header.items()), key=lambda tensor: tensor[3:])
    if not tensors:
        raise ArtifactError(f"{where}: must hold the weights of networks. Received: no tensors")
    arrays, place, start = {}, 0, stream.tell()
    for name, kind, sides, begin, end in tensors:
        if begin != place:
            raise ValueError(f"tensors that overlap, or bytes that belong to none, before {printable(name)[:80]}")
        numbers = np.frombuffer(stream.read(end - begin), TYPES[kind]).reshape(sides)
        arrays[name] = converted(numbers, kind, printable(name)[:80])
        place = end
    if start + place != stream.size:
        raise ValueError("bytes behind the last tensor")
    # The format keeps no order, and its writers sort by type and alphabet. Numbers of layers say their order.
    arrays = {name: arrays[name] for name in sorted(arrays, key=_numbered)}
    settings = {key: text for key, text in notes.items() if type(text) is str} if type(notes) is dict else {}
    return ForeignCheckpoint({"": ForeignNetwork(arrays, is_ordered=False)}, {}, settings)


def _described(name: str, claim: Any, where: str) -> tuple[str, str, list[int], int, int]:
    """Name, type, sides, begin and end of a tensor, which agree with each other."""
    shown = printable(name)[:80]
    if len(name) > MAX_NAME:
        raise ValueError(f"a name of {len(name)} characters")
    if type(claim) is not dict or set(claim) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"a tensor {shown} without type, shape and place")
    kind, sides, offsets = claim["dtype"], claim["shape"], claim["data_offsets"]
    if type(kind) is not str or kind not in KINDS:
        raise ArtifactError(
            f"{where}: types must be among {', '.join(KINDS)}. Received: {printable(kind)[:20]} of {shown}"
        )
    for numbers in (sides, offsets):
        if type(numbers) is not list or any(type(n) is not int or not 0 <= n <= 2**40 for n in numbers):
            raise ValueError(f"a tensor {shown} of sides or places that are no numbers")
    if len(sides) > 16 or len(offsets) != 2 or prod(side for side in sides if side) > 2**40:
        raise ValueError(f"a tensor {shown} of too many sides or places")
    begin, end = offsets
    if end - begin != prod(sides) * item_size(KINDS[kind]):
        raise ValueError(f"a tensor {shown} of {prod(sides)} numbers in {end - begin} bytes")
    return name, KINDS[kind], sides, begin, end


def _numbered(name: str) -> list[str | int]:
    """`main.10.weight` behind `main.9.weight`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # readers would differ in which one they take
        raise ValueError("a name that stands twice in the header")
    return found
