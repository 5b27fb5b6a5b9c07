"""The precision that networks are trained in."""

from pathlib import Path
from typing import Literal

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
UnscaledPrecision = Literal["auto", "float32", "mixed_bfloat16"]  # of trainings that do not scale their loss
# Compute capability of GPUs, from which on they compute in it.
COMPUTES_BFLOAT16, COMPUTES_FLOAT16 = (8, 0), (7, 0)


def dtype_policy(precision: Precision, scales_loss: bool = False) -> str:
    """The Keras dtype policy for a precision; `auto` takes half precision where what trains computes in it.

    That is every GPU if there are any, and else the processor. bfloat16 comes first: float16 has five bits of exponent,
    so that small gradients are lost unless the loss is scaled.

    Args:
        precision: What was asked for.
        scales_loss: Whether the training scales its loss, as `GAN` does, so that float16 will do.

    Example:
        >>> dtype_policy("float32")
        'float32'
    """
    if precision != "auto":
        return precision
    gpus = _capabilities()
    if min(gpus) >= COMPUTES_BFLOAT16 if gpus else _processor_computes_bfloat16():
        return "mixed_bfloat16"
    return "mixed_float16" if gpus and min(gpus) >= COMPUTES_FLOAT16 and scales_loss else "float32"


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
