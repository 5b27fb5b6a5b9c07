"""Types of numbers in checkpoints, and how they become those that networks here are loaded from."""

import numpy as np

# Names of PyTorch → how NumPy reads the bytes; bfloat16 is the upper half of a float32.
TYPES = {
    "float32": "<f4", "float64": "<f8", "float16": "<f2", "bfloat16": "<u2", "complex64": "<c8", "complex128": "<c16",
    "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "|i1",
    "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "|u1", "bool": "|u1",
}  # fmt: skip
TORCH_TYPES = {f"torch.{name}": name for name in TYPES}
STORAGES = {
    f"torch.{name}Storage": kind
    for name, kind in {
        "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64",
        "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool",
        "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    }.items()
}  # fmt: skip


def item_size(kind: str) -> int:
    """Bytes of one number of a type in `TYPES`."""
    return np.dtype(TYPES[kind]).itemsize


def converted(array: np.ndarray, kind: str, name: str) -> np.ndarray:
    """Numbers as they are used here: floats as float32, all others as they are.

    Args:
        array: Numbers as the file has them, of any shape, read as `TYPES` says.
        kind: A key of `TYPES`.
        name: Of the array, for messages.

    Returns:
        An array of the same shape; the same memory if nothing had to be done.

    Raises:
        ValueError: If a finite number is too large for float32.
    """
    if kind == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    if kind == "bool":
        return array != 0
    if kind == "float16":
        return array.astype(np.float32)
    if kind == "float64":
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        if not np.array_equal(np.isfinite(single), np.isfinite(array)):
            raise ValueError(f"numbers of {name} that are too large for float32")
        return single
    return array
