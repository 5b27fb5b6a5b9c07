"""Sides of the images that frozen features are taken of. Imports no TensorFlow."""

from tfgantl.errors import ConfigError

# Of what VGG16 sees: its deepest map has a sixteenth of the side, and its largest ones take 270 MB an image at 1024.
SMALLEST, LARGEST, STEP = 32, 1024, 16


def check_resolution(resolution: int | None) -> None:
    """Raises `ConfigError` unless maps of VGG16 halve exactly, have several places, and fit into a memory."""
    if resolution is not None and (not SMALLEST <= resolution <= LARGEST or resolution % STEP):
        raise ConfigError(
            f"`resolution` must be a multiple of {STEP} of at least {SMALLEST}, and at most {LARGEST}. "
            f"Received: {resolution}"
        )
