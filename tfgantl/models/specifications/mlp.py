"""The specification of a dense GAN."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isqrt
from typing import TYPE_CHECKING

from tfgantl.models.specifications.base import Networks, Shapes, Sizes, check_images, first_layers, possible_classes

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class MLP(Networks):
    """The dense GAN: noise → Dense 128 → leaky ReLU → Dense → tanh → image, and the mirror image of it.

    Args:
        latent_dim: Length of the noise vector.
        units: Width of the hidden layers.
        label_dim: Length of the label embedding that a conditional generator sees beside the noise.
        negative_slope: Slope of the leaky ReLUs.
    """

    classes = ("tfgantl.models.mlp:MLPGenerator", "tfgantl.models.mlp:MLPDiscriminator")
    refit = "tfgantl.pretrained.refit.mlp:MLPRefit"

    latent_dim: int = 100
    units: int = 128
    label_dim: int = 16
    negative_slope: float = 0.01

    def build(
        self, image_size: int, channels: int, num_classes: int | None = None, dtype: str = "float32"
    ) -> "tuple[keras.Model, keras.Model]":
        check_images(image_size, channels, num_classes)
        generator_class, discriminator_class = self.keras_classes()
        common = {"image_size": image_size, "channels": channels, "num_classes": num_classes, "dtype": dtype}
        generator = generator_class(**common, **asdict(self))
        discriminator = discriminator_class(**common, units=self.units, negative_slope=self.negative_slope)
        return generator, discriminator

    def possible_sizes(self, shapes: Shapes) -> Iterator[Sizes]:
        shapes = list(shapes)
        widths = {side for shape in shapes if len(shape) == 2 and self.units in shape for side in shape}
        firsts = first_layers(shapes, (self.latent_dim, self.latent_dim + self.label_dim))
        for inputs in {inputs for inputs, units in firsts if units == self.units}:
            for pixels in widths - {self.units, inputs}:
                for count in (1, 3):
                    side = isqrt(pixels // count)
                    if side and side * side * count == pixels:
                        for classes in possible_classes(shapes, inputs, self.latent_dim, self.label_dim):
                            yield side, count, classes
