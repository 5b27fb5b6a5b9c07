"""The precision that networks are trained in."""

from pathlib import Path
from typing import Literal

Precision = Literal["auto", "float32", "mixed_bfloat16"]
COMPUTES_BFLOAT16 = (8, 0)  # compute capability of GPUs, from which on


def dtype_policy(precision: Precision) -> str:
    """The Keras dtype policy for a precision; `auto` takes bfloat16 where what trains computes in it.

    That is every GPU if there are any, and else the processor. GPUs that know float16 alone train in float32.

    Example:
        >>> dtype_policy("float32")
        'float32'
    """
    if precision != "auto":
        return precision
    gpus = _capabilities()
    computes = min(gpus) >= COMPUTES_BFLOAT16 if gpus else _processor_computes_bfloat16()
    return "mixed_bfloat16" if computes else "float32"


def _capabilities() -> list[tuple[int, int]]:
    """Compute capability of each GPU; (0, 0) for those that do not tell."""
    import tensorflow as tf

    details = (tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU"))
    return [detail.get("compute_capability") or (0, 0) for detail in details]


def _processor_computes_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
