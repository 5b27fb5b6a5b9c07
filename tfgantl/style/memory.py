"""How much memory a size takes, told before it is taken."""

from pathlib import Path

from tfgantl.errors import ConfigError

# Measured peaks over sizes from 128 to 1,024 pixels; what the network itself takes, and each pixel.
BASE = 600 * 2**20
PER_PIXEL = {"float32": 6_000, "mixed_bfloat16": 4_000}
PER_PIXEL_LBFGS = 3 * 8 * 2 * 12  # pairs of float64 images, and copies
GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def needed_bytes(pixels: int, dtype: str, lbfgs: bool = False) -> int:
    """Bytes that optimising an image of so many pixels takes at its peak."""
    return BASE + pixels * (PER_PIXEL[dtype] + (PER_PIXEL_LBFGS if lbfgs else 0))


def free_bytes() -> int | None:
    """Bytes that this process can still take, or `None` if the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    for path in GROUP_LIMITS:
        try:
            found = min(found, int(Path(path).read_text()))
        except (OSError, ValueError):  # no such group, or no limit
            continue
    return found


def check_memory(shape: tuple[int, int], dtype: str, lbfgs: bool = False) -> None:
    """Refuses a size that does not fit.

    Args:
        shape: Height and width in pixels.
        dtype: Keras dtype policy of VGG16.
        lbfgs: Whether L-BFGS keeps earlier images.

    Raises:
        ConfigError: If it does not; the message names the largest size that does.
    """
    free, pixels = free_bytes(), shape[0] * shape[1]
    if free is None or needed_bytes(pixels, dtype, lbfgs) <= free:
        return
    each = needed_bytes(1, dtype, lbfgs) - BASE
    largest = int(max(shape) * (max(0, free - BASE) / (each * pixels)) ** 0.5)
    raise ConfigError(
        f"`size` must fit in the {free / 2**30:.1f} GiB of memory that are free; {largest} does. "
        f"Received: {max(shape)}, which takes {needed_bytes(pixels, dtype, lbfgs) / 2**30:.1f} GiB"
    )
