"""What a training left: the network that paints, the discriminator of a GAN, and what is known of phrases."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tfgantl.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from tfgantl.models.style_discriminator import StyleDiscriminator
    from tfgantl.models.stylizer import Stylizer
    from tfgantl.style.phrases import StylePhrases


Network = TypeVar("Network")

STYLIZER, DISCRIMINATOR, PHRASES = "stylizer.keras", "discriminator.keras", "phrases"
NAME = "text/stylize"  # of the shipped network that phrases are painted with
PART = "stylizer"  # of a preset


def load_stylizer(handle: str) -> "Stylizer":
    """A trained network from a `.keras` file, a run directory or a preset.

    Raises:
        ArtifactError: If it is missing, damaged, or no network that paints.
    """
    from tfgantl.models.stylizer import Stylizer

    if is_preset(handle):
        return _of_preset(_directory_of(handle))
    path = Path(handle)
    return _load(path / STYLIZER if path.is_dir() else path, Stylizer, "a network that paints")


def load_phrases(handle: str, network: "Stylizer") -> "StylePhrases | None":
    """What a network knows of phrases, or `None` if it was trained without captions.

    Args:
        handle: As for `load_stylizer`.
        network: The network behind it.

    Raises:
        ArtifactError: If it is damaged, or belongs to another network.
    """
    from tfgantl.style.phrases import StylePhrases

    path = Path(handle)
    beside = _directory_of(handle) if is_preset(handle) else (path if path.is_dir() else path.parent) / PHRASES
    return StylePhrases.load(beside, network.styles) if beside.is_dir() else None


def load_with_phrases(handle: str | None) -> "tuple[Stylizer, StylePhrases]":
    """A network that can be asked for styles by phrases; the shipped one if there is no handle.

    Raises:
        ArtifactError: If it is missing or damaged, or was trained without captions.
    """
    handle = handle or NAME
    network = load_stylizer(handle)
    phrases = load_phrases(handle, network)
    if phrases is None:
        raise ArtifactError(
            "`model` must be a network that knows phrases, as `tfgantl stylize train` leaves it with `captions`. "
            f"Received: {handle}, which knows none"
        )
    return network, phrases


def is_stylizer(handle: str) -> bool:
    """Whether a handle is that of a run that trained styles, or of the shipped network."""
    return handle == NAME or (Path(handle) / STYLIZER).is_file()


def is_preset(handle: str) -> bool:
    """Whether a handle is that of a network in half precision, as it is shipped."""
    return handle == NAME or (Path(handle) / "weights.npz").is_file()


def _directory_of(handle: str) -> Path:
    from tfgantl.models.presets import PRESETS

    return PRESETS / NAME if handle == NAME else Path(handle)


def _of_preset(directory: Path) -> "Stylizer":
    from tfgantl.models.presets import load_half
    from tfgantl.models.stylizer import Stylizer

    (network,), _ = load_half(directory, [PART])
    if not isinstance(network, Stylizer):
        raise ArtifactError(f"{directory}: must hold a network that paints. Received: {type(network).__name__}")
    return network


def load_discriminator(handle: str, network: "Stylizer") -> "StyleDiscriminator | None":
    """The discriminator that was trained beside a network, or `None` if it was trained without one.

    Args:
        handle: As for `load_stylizer`.
        network: The network behind it.

    Raises:
        ArtifactError: If it is damaged, no discriminator of styles, or that of another training.
    """
    from tfgantl.models.style_discriminator import StyleDiscriminator
    from tfgantl.pretrained.together import check_together

    path = Path(handle)
    directory = path if path.is_dir() else path.parent
    if not (directory / DISCRIMINATOR).is_file():
        return None
    found = _load(directory / DISCRIMINATOR, StyleDiscriminator, "a discriminator of styles")
    check_together(directory, {STYLIZER: network, DISCRIMINATOR: found})
    return found


def _load(path: Path, kind: type[Network], what: str) -> Network:
    from tfgantl.untrusted.networks import load_network

    try:
        network = load_network(path)
    except ConfigError as error:  # what the file gives as arguments
        raise ArtifactError(f"{path}: {error}") from error
    if not isinstance(network, kind):
        raise ArtifactError(f"{path}: must hold {what}. Received: {type(network).__name__}")
    return network
