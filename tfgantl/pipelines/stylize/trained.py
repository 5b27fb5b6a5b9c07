"""Networks that a training left: the one that paints, and the discriminator of a GAN."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tfgantl.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from tfgantl.models.style_discriminator import StyleDiscriminator
    from tfgantl.models.stylizer import Stylizer


Network = TypeVar("Network")

STYLIZER, DISCRIMINATOR = "stylizer.keras", "discriminator.keras"


def load_stylizer(handle: str) -> "Stylizer":
    """A trained network from a `.keras` file or a run directory.

    Raises:
        ArtifactError: If it is missing, damaged, or no network that paints.
    """
    from tfgantl.models.stylizer import Stylizer

    path = Path(handle)
    return _load(path / STYLIZER if path.is_dir() else path, Stylizer, "a network that paints")


def load_discriminator(handle: str) -> "StyleDiscriminator | None":
    """The discriminator that was trained beside a network, or `None` if it was trained without one.

    Args:
        handle: As for `load_stylizer`.

    Raises:
        ArtifactError: If it is damaged, or no discriminator of styles.
    """
    from tfgantl.models.style_discriminator import StyleDiscriminator

    path = Path(handle)
    beside = (path if path.is_dir() else path.parent) / DISCRIMINATOR
    return _load(beside, StyleDiscriminator, "a discriminator of styles") if beside.is_file() else None


def _load(path: Path, kind: type[Network], what: str) -> Network:
    from tfgantl.untrusted.networks import load_network

    try:
        network = load_network(path)
    except ConfigError as error:  # what the file gives as arguments
        raise ArtifactError(f"{path}: {error}") from error
    if not isinstance(network, kind):
        raise ArtifactError(f"{path}: must hold {what}. Received: {type(network).__name__}")
    return network
