"""The specification of a residual GAN with spectral norms."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

from tfgantl.errors import check_at_least
from tfgantl.models.specifications.base import (
    BASES,
    Networks,
    Shapes,
    Sizes,
    check_images,
    first_layers,
    possible_classes,
)

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SNGAN(Networks):
    """Residual GAN with spectral norms (Miyato et al., 2018, https://arxiv.org/abs/1802.05957), for 28 to 128 pixels.

    The image is a map of 4 to 7 pixels, doubled by as many residual blocks as it takes: 28, 32, 48, 64 … The authors
    have four times as many channels; the defaults are for a laptop.

    Args:
        latent_dim: Length of the noise vector.
        width: Channels next to the image, in both networks; twice as many wherever the side is halved,
        most: and at most this many.
        label_dim: Length of the label embedding that a conditional generator sees beside the noise.
    """

    classes = ("tfgantl.models.sngan:SNGANGenerator", "tfgantl.models.sngan:SNGANDiscriminator")
    refit = "tfgantl.pretrained.refit.spectral:SpectralRefit"
    default_size = 64
    batch_size = 32

    latent_dim: int = 128
    width: int = 16
    most: int = 256
    label_dim: int = 16

    def __post_init__(self) -> None:
        check_at_least(self, 1, "latent_dim", "width", "most", "label_dim")

    def build(
        self, image_size: int, channels: int, num_classes: int | None = None, dtype: str = "float32"
    ) -> "tuple[keras.Model, keras.Model]":
        check_images(image_size, channels, num_classes)
        common: dict[str, Any] = {
            "image_size": image_size, "channels": channels, "num_classes": num_classes, "width": self.width,
            "most": self.most, "dtype": dtype,
        }  # fmt: skip
        generator_class, discriminator_class = self.keras_classes()
        generator = generator_class(**common, latent_dim=self.latent_dim, label_dim=self.label_dim)
        return generator, discriminator_class(**common)

    def training(self, image_size: int, batch_size: int) -> dict[str, Any]:
        """As the authors, but that they take five steps of the discriminator for each of the generator."""
        return {
            "loss": "hinge", "g_learning_rate": 0.0002, "d_learning_rate": 0.0002, "beta_1": 0.0, "beta_2": 0.9,
            "r1": 0.0,
        }  # fmt: skip

    def possible_sizes(self, shapes: Shapes) -> Iterator[Sizes]:
        shapes = list(shapes)
        # Each block has one kernel of 1 x 1, in the layout of Keras or PyTorch.
        blocks = sum(len(shape) == 4 and (shape[:2] == (1, 1) or shape[2:] == (1, 1)) for shape in shapes)
        ends = {(3, 3, self._channels(0), c): c for c in (1, 3)} | {(c, self._channels(0), 3, 3): c for c in (1, 3)}
        for inputs, units in first_layers(shapes, (self.latent_dim, self.latent_dim + self.label_dim)):
            base = isqrt(units // self._channels(blocks))
            if base in BASES and base * base * self._channels(blocks) == units:
                for channels in {ends[shape] for shape in shapes if shape in ends}:
                    for classes in possible_classes(shapes, inputs, self.latent_dim, self.label_dim):
                        yield base * 2**blocks, channels, classes

    def _channels(self, halvings: int) -> int:
        return min(self.width * 2**halvings, self.most)
