"""How much memory a size takes, told before it is taken."""

from pathlib import Path

from tfgantl.errors import ConfigError

# Fitted to peaks measured at 128 to 1,024 pixels a side: what the network and TensorFlow take, and each pixel.
BASE = 300 * 2**20
PER_PIXEL = {"float32": 2700, "mixed_bfloat16": 1650}
PER_PIXEL_LBFGS = 1100  # earlier images and gradients, in float64
PER_PIXEL_REGION = 400  # features within a mask, and their gradients
PER_CHANNEL = 25  # of a network that paints in one pass, for each channel of its width
GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def bytes_per_pixel(dtype: str, lbfgs: bool = False, regions: int = 0) -> int:
    """Bytes that a pixel takes at the peak.

    Args:
        dtype: Keras dtype policy of VGG16.
        lbfgs: Whether L-BFGS keeps earlier images.
        regions: Number of masks.
    """
    return PER_PIXEL[dtype] + lbfgs * PER_PIXEL_LBFGS + regions * PER_PIXEL_REGION


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


def check_memory(shape: tuple[int, int], per_pixel: int) -> None:
    """Refuses a size that does not fit.

    Args:
        shape: Height and width in pixels.
        per_pixel: Bytes, of `bytes_per_pixel`.

    Raises:
        ConfigError: If it does not; the message names the largest size that does.
    """
    free, pixels = free_bytes(), shape[0] * shape[1]
    needed = BASE + pixels * per_pixel
    if free is None or needed <= free:
        return
    largest = int(max(shape) * (max(0, free - BASE) / (per_pixel * pixels)) ** 0.5)
    raise ConfigError(
        f"`size` must fit in the {free / 2**30:.1f} GiB of memory that are free; {largest} does. "
        f"Received: {max(shape)}, which takes {needed / 2**30:.1f} GiB"
    )
