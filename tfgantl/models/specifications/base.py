"""What a family of networks is: the specification in a recipe, and what must be known of its networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import Field
from importlib import import_module
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    import keras

BASES = (4, 5, 6, 7)  # sides of the smallest map
SMALLEST, LARGEST = 8, 1024  # images in pixels
Shapes = Iterable[tuple[int, ...]]
Sizes = tuple[int, int, int | None]


class Networks(ABC):
    """A generator and a discriminator that fit each other: the specification of a family of networks.

    Image size, channels and number of classes come from the data; the rest is the architecture, as the fields of a
    frozen dataclass. What a network is made of, it says itself, see `tfgantl.models.structure`.

    Attributes:
        latent_dim: Length of the noise vector.
        classes: `module:Class` of the generator and of the discriminator; strings, so that TensorFlow is not imported.
        own_layers: `module:Class` of each layer that is registered with Keras and used by this family alone, so that
            files that hold it can be read before its module is imported.
        refit: `module:Class` of the `tfgantl.pretrained.refit.base.Refit` that fits trained networks to another image
            size, other channels or other classes; a string, since it is loaded only if it is needed. Empty if they
            cannot be fitted.
        default_size: Height and width in pixels for images that may have any.
        batch_size: Images a step, where nobody says how many.
        adaptation: Settings of `tfgantl.training.optimization.Optimization` that suit an adaptation of them better than
            the usual ones.
    """

    __dataclass_fields__: ClassVar[dict[str, Field]]  # what makes subclasses dataclasses
    latent_dim: int
    classes: ClassVar[tuple[str, ...]] = ()
    own_layers: ClassVar[tuple[str, ...]] = ()
    refit: ClassVar[str] = ""
    default_size: ClassVar[int] = 28
    batch_size: ClassVar[int] = 64
    adaptation: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def build(
        self, image_size: int, channels: int, num_classes: int | None = None, dtype: str = "float32"
    ) -> tuple[keras.Model, keras.Model]:
        """Makes the pair with fresh weights.

        Args:
            image_size: Height and width in pixels.
            channels: 1 for gray, 3 for RGB.
            num_classes: Makes the pair class-conditional; `None` for unconditional.
            dtype: Keras dtype policy of the hidden layers; images and logits are always float32.

        Returns:
            `(generator, discriminator)`: latents (batch, latent_dim) [, labels (batch,)] → images
            (batch, image_size, image_size, channels) in [-1, 1], and images [, labels] → logits (batch, 1).

        Raises:
            ConfigError: If the architecture cannot make images of that size.
        """

    @classmethod
    def keras_classes(cls) -> tuple[type[keras.Model], ...]:
        """Classes of the generator and of the discriminator; importing them registers them with Keras."""
        paths = (path.split(":") for path in cls.classes)
        return tuple(getattr(import_module(module), name) for module, name in paths)

    @classmethod
    def from_generator(cls, generator: keras.Model) -> Networks:
        """The specification that a generator of the family was built from, as far as it follows from the generator.

        Args:
            generator: Instance of the first of `keras_classes`.
        """
        config = generator.get_config()
        return cls(**{name: config[name] for name in cls.__dataclass_fields__ if name in config})

    def training(self, image_size: int, batch_size: int) -> dict[str, Any]:
        """Settings of `tfgantl.training.optimization.Optimization` that the authors trained the architecture with.

        Args:
            image_size: Height and width in pixels.
            batch_size: Images a step.

        Returns:
            Name → value, of those that differ from the defaults of this package.
        """
        return {}

    def possible_sizes(self, shapes: Shapes) -> Iterator[Sizes] | None:
        """Sizes of all generators of this architecture that arrays of these shapes can belong to.

        Args:
            shapes: Shapes of all arrays of a generator, in the layout of Keras or PyTorch.

        Returns:
            `(image_size, channels, num_classes)` of each, or `None` if the family cannot tell sizes from shapes.
        """
        return None


def check_images(image_size: int, channels: int, num_classes: int | None) -> None:
    """Refuses images that no network can make.

    Raises:
        ConfigError: If a number is no whole number of at least 1.
    """
    numbers = {"image_size": image_size, "channels": channels, "num_classes": num_classes}
    for name, number in numbers.items():
        if name == "num_classes" and number is None:
            continue
        if not isinstance(number, Integral) or isinstance(number, bool) or number < 1:
            raise ConfigError(f"`{name}` must be a whole number of at least 1. Received: {number}")


def sides(image_size: int) -> list[int]:
    """Sides of the feature maps of a network that doubles them up to the image: 64 → 4, 8, 16, 32, 64.

    Args:
        image_size: Height and width in pixels: 4 to 7, times a power of 2.

    Raises:
        ConfigError: If it is another size.

    Example:
        >>> sides(28)
        [7, 14, 28]
    """
    found = [image_size]
    while found[0] > BASES[-1] and found[0] % 2 == 0:
        found.insert(0, found[0] // 2)
    if found[0] not in BASES or not SMALLEST <= image_size <= LARGEST:
        raise ConfigError(
            f"the image size must be 4, 5, 6 or 7 times a power of 2, from {SMALLEST} to {LARGEST}, for networks that "
            f"double the side of maps. Received: {image_size}"
        )
    return found


def doubled_widths(image_size: int, width: int, most: int) -> list[int]:
    """Channels of the maps of `sides`: twice as many wherever the side is halved, at most `most`."""
    return [min(width * image_size // side, most) for side in sides(image_size)]


def first_layers(shapes: Shapes, allowed: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """(inputs, outputs) of every array that can be a dense first layer, in the layout of Keras or PyTorch.

    Args:
        shapes: Shapes of all arrays.
        allowed: Numbers of inputs.
    """
    for shape in shapes:
        if len(shape) == 4:  # PyTorch's transposed convolution from 1 x 1
            shape = (shape[0], shape[1] * shape[2] * shape[3])
        if len(shape) == 2:
            yield from (pair for pair in {shape, shape[::-1]} if pair[0] in allowed)


def possible_classes(shapes: Shapes, inputs: int, latent_dim: int, label_dim: int) -> Sequence[int | None]:
    """Numbers of classes that a generator with so many inputs of its first layer can have.

    Args:
        shapes: Shapes of all arrays.
        inputs: Latents, with the label embedding if there is one.
        latent_dim: Length of the noise vector.
        label_dim: Length of the label embedding.
    """
    if inputs == latent_dim:
        return [None]
    first = [shape for shape in shapes if len(shape) == 2 and shape[1] == label_dim]
    return sorted({shape[0] for shape in first if shape[0] != inputs})
