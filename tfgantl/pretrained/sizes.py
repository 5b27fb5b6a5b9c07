"""What images a set of arrays makes: size, channels and classes, from the shapes that an architecture leaves free."""

from collections.abc import Iterable

from tfgantl.errors import ConfigError
from tfgantl.models import Networks
from tfgantl.models.families import FAMILIES, family_names


def infer_sizes(networks: Networks, shapes: Iterable[tuple[int, ...]], where: str) -> tuple[int, int, int | None]:
    """Finds the sizes of the generator that arrays of these shapes belong to.

    Args:
        networks: The architecture.
        shapes: Shapes of all arrays of the generator, in the layout of Keras or PyTorch.
        where: Name of the source for messages.

    Returns:
        `(image_size, channels, num_classes)`.

    Raises:
        ConfigError: If no size fits, or the architecture cannot tell; the message names what is needed.
    """
    shapes = list(shapes)
    possible = networks.possible_sizes(shapes)
    if possible is None:
        known = [family for family in FAMILIES if family.possible_sizes is not Networks.possible_sizes]
        raise ConfigError(
            f"`networks` must be {family_names(known)} to take bare weights. Received: {type(networks).__name__}"
        )
    sizes = sorted(set(possible))
    if len(sizes) != 1:
        expected = f"a first layer from {networks.latent_dim} or, with classes, more values, as `networks` says"
        raise ConfigError(
            f"`networks` must be the architecture of {where}: {expected}. Received: {networks}, "
            f"which fits {len(sizes)} ways to {_some(shapes)}"
        )
    return sizes[0]


def _some(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes[:4])) + (" …" if len(shapes) > 4 else "")
