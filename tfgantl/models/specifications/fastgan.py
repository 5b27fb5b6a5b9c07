"""The specification of a FastGAN."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfgantl.errors import ConfigError, check_at_least
from tfgantl.models.specifications.base import (
    LARGEST,
    SMALLEST,
    Networks,
    Shapes,
    Sizes,
    check_images,
    doubled_widths,
    first_layers,
    possible_classes,
)

if TYPE_CHECKING:
    import keras

START = 4  # side of the first map


@dataclass(frozen=True)
class FastGAN(Networks):
    """FastGAN (Liu et al., 2021, https://arxiv.org/abs/2101.04775) for few images, of 32 to 1024 pixels.

    Its discriminator learns to reconstruct real images beside telling them from others. The authors have four times as
    many channels; the defaults are for a laptop.

    Args:
        latent_dim: Length of the noise vector.
        width: Channels next to the image, in both networks; twice as many wherever the side is halved,
        most: and at most this many.
        label_dim: Length of the label embedding that a conditional generator sees beside the noise.
    """

    classes = (
        "tfgantl.models.fastgan.generator:FastGANGenerator",
        "tfgantl.models.fastgan.discriminator:FastGANDiscriminator",
    )
    refit = "tfgantl.pretrained.refit.spectral:SpectralRefit"
    default_size = 64
    batch_size = 16
    adaptation = {"ema_decay": 0.995}

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
        return {
            "loss": "hinge", "g_learning_rate": 0.0002, "d_learning_rate": 0.0002, "beta_1": 0.5, "beta_2": 0.999,
            "r1": 0.0, "ema_decay": 0.999,
            "augment": "translation",  # not theirs: behind cutout and colours too little is left for these widths
        }  # fmt: skip

    def possible_sizes(self, shapes: Shapes) -> Iterator[Sizes]:
        shapes = list(shapes)
        # One kernel of 3 x 3 in each block, another one in those of odd number, and one to images.
        kernels = sum(len(shape) == 4 and (shape[:2] == (3, 3) or shape[2:] == (3, 3)) for shape in shapes)
        image_size = START * 2 ** (2 * (kernels - 1) // 3)
        if not SMALLEST <= image_size <= LARGEST:
            return
        first, *_, last = doubled_widths(image_size, self.width, self.most)
        ends = {(3, 3, last, c): c for c in (1, 3)} | {(c, last, 3, 3): c for c in (1, 3)}
        for inputs, units in first_layers(shapes, (self.latent_dim, self.latent_dim + self.label_dim)):
            if units == START * START * 2 * first:
                for channels in {ends[shape] for shape in shapes if shape in ends}:
                    for classes in possible_classes(shapes, inputs, self.latent_dim, self.label_dim):
                        yield image_size, channels, classes


def check_size(image_size: int) -> None:
    """Refuses sizes of images that are no power of 2, or beyond what anybody trains.

    Raises:
        ConfigError: If it is one.
    """
    if image_size & (image_size - 1) or not SMALLEST <= image_size <= LARGEST:
        raise ConfigError(
            f"the image size must be a power of 2 from {SMALLEST} to {LARGEST} for FastGAN. Received: {image_size}"
        )
