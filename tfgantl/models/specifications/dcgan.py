"""The specification of a DCGAN."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt, prod
from typing import TYPE_CHECKING, Any, cast

from tfgantl.errors import ConfigError
from tfgantl.models.specifications.base import Networks, Shapes, Sizes, check_images, first_layers, possible_classes

if TYPE_CHECKING:
    import keras


EPSILON = 1e-3  # of batch normalisations
MOST = 256  # channels of the first maps of networks that are made for a size


@dataclass(frozen=True)
class DCGAN(Networks):
    """Deep convolutional GAN (Radford et al., 2016, https://arxiv.org/abs/1511.06434).

    The default values are the classic tutorial network at 28 px: Dense 7·7·256, transposed convolutions 128, 64 and
    the image, 5 x 5 kernels; discriminator convolutions 64 and 128. For 32 px take strides (2, 2, 2); for 64 px
    one filter and one stride more.

    Args:
        latent_dim: Length of the noise vector.
        filters: Channels of the first feature map and of each block after it.
        strides: Growth at each transposed convolution, the last of which makes the image. Its product must divide
            the image size.
        kernel_size: Side of all kernels in pixels.
        label_dim: Length of the label embedding that a conditional generator sees beside the noise.
        dropout: Share dropped after each discriminator block.
        negative_slope: Slope of the leaky ReLUs.
        generator_slope: Slope of those of the generator, if it differs; 0 for plain ReLUs.
        norm_per_channel: Normalise the first feature map of the generator as all others, one statistic a channel.
        discriminator_filters: Channels of the discriminator blocks, from the image on; if not given, those of the
            generator but the first, in reverse.
        discriminator_norm: Normalise every discriminator block but the first; the blocks then have no bias.
        norm_epsilon: Added to the variance in batch normalisations; if not given, 1e-3, as Keras does, and 1e-5 for
            weights of PyTorch, as it does.
        norm_momentum: Share of the old moving statistics that a training step keeps.
    """

    classes = ("tfgantl.models.dcgan:DCGANGenerator", "tfgantl.models.dcgan:DCGANDiscriminator")
    refit = "tfgantl.pretrained.refit.dcgan:DCGANRefit"

    latent_dim: int = 100
    filters: tuple[int, ...] = (256, 128, 64)
    strides: tuple[int, ...] = (1, 2, 2)
    kernel_size: int = 5
    label_dim: int = 16
    dropout: float = 0.3
    negative_slope: float = 0.3
    generator_slope: float | None = None
    norm_per_channel: bool = False
    discriminator_filters: tuple[int, ...] | None = None
    discriminator_norm: bool = False
    norm_epsilon: float | None = None
    norm_momentum: float = 0.99

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(self.filters))
        object.__setattr__(self, "strides", tuple(self.strides))
        if self.discriminator_filters is not None:
            object.__setattr__(self, "discriminator_filters", tuple(self.discriminator_filters))
        if len(self.filters) != len(self.strides) or len(self.filters) < 2:
            raise ConfigError(
                "`filters` and `strides` must have the same length, of at least 2. "
                f"Received: {list(self.filters)} and {list(self.strides)}"
            )

    @classmethod
    def classic(cls) -> "DCGAN":
        """The network of the classic tutorial, exactly; trained with Adam at 1e-4, non-saturating."""
        return cls()

    @classmethod
    def for_size(cls, image_size: int) -> "DCGAN":
        """A network for images of that size: with as many halvings as it allows for, down to a map of 4 to 7 px.

        Args:
            image_size: Height and width in pixels.

        Example:
            >>> DCGAN.for_size(28) == DCGAN.classic(), DCGAN.for_size(64).filters
            (True, (256, 128, 64, 32))
        """
        halvings = 0
        while image_size % 2 ** (halvings + 1) == 0 and image_size // 2 ** (halvings + 1) >= 4:
            halvings += 1
        depth, width = max(3, halvings), 64 if halvings <= 3 else 32
        filters = tuple(min(MOST, width * 2**i) for i in range(depth))[::-1]
        return cls(filters=filters, strides=(1,) * (depth - halvings) + (2,) * halvings)

    @classmethod
    def pytorch_tutorial(cls, width: int = 64) -> "DCGAN":
        """The 64 px network of PyTorch's DCGAN tutorial, exactly: its weights can be adopted from its files.

        Args:
            width: Channels next to the image, on both sides (`ngf` and `ndf` there).
        """
        return cls(
            filters=(8 * width, 4 * width, 2 * width, width), strides=(2, 2, 2, 2), kernel_size=4, dropout=0.0,
            negative_slope=0.2, generator_slope=0.0, norm_per_channel=True,
            discriminator_filters=(width, 2 * width, 4 * width, 8 * width), discriminator_norm=True, norm_epsilon=1e-5,
            norm_momentum=0.9,
        )  # fmt: skip

    @classmethod
    def from_generator(cls, generator: "keras.Model") -> Networks:
        found = cast(DCGAN, super().from_generator(generator))
        return replace(found, norm_epsilon=None) if found.norm_epsilon == EPSILON else found

    def training(self, image_size: int, batch_size: int) -> dict[str, Any]:
        """Not of the authors, but measured: no worse, and up to a fifth faster (docs/methods.md)."""
        return {"reuse_fakes": True}

    def build(
        self, image_size: int, channels: int, num_classes: int | None = None, dtype: str = "float32"
    ) -> "tuple[keras.Model, keras.Model]":
        check_images(image_size, channels, num_classes)
        if image_size % prod(self.strides):
            raise ConfigError(
                f"`strides` must have a product that divides the image size {image_size}. "
                f"Received: {list(self.strides)} (product {prod(self.strides)})"
            )
        common = {"image_size": image_size, "channels": channels, "num_classes": num_classes, "dtype": dtype}
        norm = {
            "norm_epsilon": EPSILON if self.norm_epsilon is None else self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
        }
        generator_class, discriminator_class = self.keras_classes()
        generator = generator_class(
            **common,
            **norm,
            latent_dim=self.latent_dim,
            filters=self.filters,
            strides=self.strides,
            kernel_size=self.kernel_size,
            label_dim=self.label_dim,
            negative_slope=self.negative_slope if self.generator_slope is None else self.generator_slope,
            norm_per_channel=self.norm_per_channel,
        )
        discriminator = discriminator_class(
            **common,
            **norm,
            filters=self.discriminator_filters or self.filters[:0:-1],
            kernel_size=self.kernel_size,
            dropout=self.dropout,
            negative_slope=self.negative_slope,
            batch_norm=self.discriminator_norm,
        )
        return generator, discriminator

    def possible_sizes(self, shapes: Shapes) -> Iterator[Sizes]:
        shapes = list(shapes)
        width, last, kernel = self.filters[0], self.filters[-1], self.kernel_size
        ends = {(kernel, kernel, c, last): c for c in (1, 3)} | {(last, c, kernel, kernel): c for c in (1, 3)}
        channels = {ends[shape] for shape in shapes if shape in ends}
        for inputs, units in first_layers(shapes, (self.latent_dim, self.latent_dim + self.label_dim)):
            side = isqrt(units // width)
            if side and side * side * width == units:
                for count in channels:
                    for classes in possible_classes(shapes, inputs, self.latent_dim, self.label_dim):
                        yield side * prod(self.strides), count, classes
