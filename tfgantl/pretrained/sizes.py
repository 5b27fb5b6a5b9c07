"""What images a set of arrays makes: size, channels and classes, from the shapes that an architecture leaves free."""

from collections.abc import Iterable
from math import isqrt, prod

from tfgantl.errors import ConfigError
from tfgantl.models import DCGAN, MLP, Networks


def infer_sizes(networks: Networks, shapes: Iterable[tuple[int, ...]], where: str) -> tuple[int, int, int | None]:
    """Finds the sizes of the generator that arrays of these shapes belong to.

    Args:
        networks: The architecture.
        shapes: Shapes of all arrays of the generator, in the layout of Keras or PyTorch.
        where: Name of the source for messages.

    Returns:
        `(image_size, channels, num_classes)`.

    Raises:
        ConfigError: If no size fits, or the architecture is not known; the message names what is needed.
    """
    shapes = list(shapes)
    find = {DCGAN: _dcgan, MLP: _mlp}.get(type(networks))
    if find is None:
        raise ConfigError(f"`networks` must be DCGAN or MLP to take bare weights. Received: {type(networks).__name__}")
    found = sorted(set(find(networks, shapes)))
    if len(found) != 1:
        expected = f"a first layer from {networks.latent_dim} or, with classes, more values, as `networks` says"
        raise ConfigError(
            f"`networks` must be the architecture of {where}: {expected}. Received: {networks}, "
            f"which fits {len(found)} ways to {_some(shapes)}"
        )
    return found[0]


def _dcgan(networks, shapes):
    width, last, kernel = networks.filters[0], networks.filters[-1], networks.kernel_size
    ends = {(kernel, kernel, c, last): c for c in (1, 3)} | {(last, c, kernel, kernel): c for c in (1, 3)}
    channels = {ends[shape] for shape in shapes if shape in ends}
    for inputs, units in _first_layers(networks, shapes):
        side = isqrt(units // width)
        if side and side * side * width == units:
            for count in channels:
                for classes in _classes(networks, shapes, inputs):
                    yield side * prod(networks.strides), count, classes


def _mlp(networks, shapes):
    widths = {side for shape in shapes if len(shape) == 2 and networks.units in shape for side in shape}
    for inputs in {a for a, b in _first_layers(networks, shapes) if b == networks.units}:
        for pixels in widths - {networks.units, inputs}:
            for count in (1, 3):
                side = isqrt(pixels // count)
                if side and side * side * count == pixels:
                    for classes in _classes(networks, shapes, inputs):
                        yield side, count, classes


def _first_layers(networks, shapes):
    """(inputs, outputs) of every array that could be the first layer."""
    allowed = (networks.latent_dim, networks.latent_dim + networks.label_dim)
    for shape in shapes:
        if len(shape) == 4:  # PyTorch's transposed convolution from 1 x 1
            shape = (shape[0], prod(shape[1:]))
        if len(shape) == 2:
            yield from (pair for pair in {shape, shape[::-1]} if pair[0] in allowed)


def _classes(networks, shapes, inputs):
    if inputs == networks.latent_dim:
        return [None]
    first = [shape for shape in shapes if len(shape) == 2 and shape[1] == networks.label_dim]
    return sorted({shape[0] for shape in first if shape[0] != inputs})


def _some(shapes):
    return ", ".join(map(str, shapes[:4])) + (" …" if len(shapes) > 4 else "")
