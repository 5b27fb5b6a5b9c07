"""Sides of the images that frozen features are taken of. Imports no TensorFlow."""

from tfgantl.errors import ConfigError

SMALLEST, STEP = 32, 16  # of what VGG16 sees: its deepest map has a sixteenth of the side


def check_resolution(resolution: int | None) -> None:
    """Raises `ConfigError` unless the maps of VGG16 halve exactly, and the deepest one has several places."""
    if resolution is not None and (resolution < SMALLEST or resolution % STEP):
        raise ConfigError(f"`resolution` must be a multiple of {STEP} of at least {SMALLEST}. Received: {resolution}")
