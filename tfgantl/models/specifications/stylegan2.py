"""The specification of a StyleGAN2."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from tfgantl.errors import ConfigError, check_above, check_at_least, check_within
from tfgantl.models.specifications.base import Networks, Shapes, Sizes, check_images

if TYPE_CHECKING:
    import keras

Size = Literal["tiny", "auto", "paper256", "config_f", "custom"]
# What `size` stands for. Others than `tiny` are those of the published code.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"latent_dim": 128, "style_dim": 128, "mapping_layers": 2, "label_layers": 2, "base": 2048, "most": 64},
    "auto": {"latent_dim": 512, "style_dim": 512, "mapping_layers": 2, "label_layers": 8, "base": 16384, "most": 512},
    "paper256": {
        "latent_dim": 512, "style_dim": 512, "mapping_layers": 8, "label_layers": 8, "base": 16384, "most": 512,
    },
    "config_f": {
        "latent_dim": 512, "style_dim": 512, "mapping_layers": 8, "label_layers": 8, "base": 32768, "most": 512,
    },
}  # fmt: skip
OWN_LAYERS = (
    "batch_layers:DoubledImage", "batch_layers:ImageRange", "batch_layers:MinibatchDeviation",
    "dense_layers:LabelProjection", "dense_layers:LabelTable", "dense_layers:ScaledDense", "dense_layers:Style",
    "dense_layers:UnitRMS", "image_layers:Bias", "image_layers:LearntConstant", "image_layers:ModulatedConv2D",
    "image_layers:ScaledConv2D", "style_vectors:StyleVectors",
)  # fmt: skip
SMALLEST, LARGEST = 8, 1024


@dataclass(frozen=True)
class StyleGAN2(Networks):
    """StyleGAN2 (Karras et al., 2020, https://arxiv.org/abs/1912.04958) for images of 32 to 1024 pixels.

    The mapping turns noise into a vector w, which scales the kernels of every convolution; noise on feature maps makes
    the details. With classes as in StyleGAN2-ADA (https://arxiv.org/abs/2006.06676).

    Args:
        size: What the numbers below are where they are not given: tiny for a laptop; auto, paper256 and config_f as in
            the published code (with one exception: the discriminator's group is of 4).
        latent_dim: Length of the noise vector; 0 for that of `size`, as for all numbers below.
        style_dim: Length of w.
        mapping_layers: Dense layers from the noise to w.
        label_layers: Dense layers from a label to what the discriminator compares with its features.
        base: Feature maps of side r have base / r channels,
        most: and at most this many.
        style_mixing: Probability that a batch of a training step mixes the styles of two images; 0.9 in the paper.
        truncation: How far w is from its average when images are generated outside of training; below 1 for better and
            less diverse ones.
        group: Largest number of images whose deviation the discriminator sees.
        clamp: Bound of feature maps, for networks that were trained with one; none otherwise.
    """

    classes = (
        "tfgantl.models.stylegan2.generator:StyleGAN2Generator",
        "tfgantl.models.stylegan2.discriminator:StyleGAN2Discriminator",
    )
    own_layers = tuple(f"tfgantl.models.stylegan2.{path}" for path in OWN_LAYERS)
    refit = "tfgantl.pretrained.refit.stylegan2:StyleGAN2Refit"
    default_size = 64
    batch_size = 16

    size: Size = "tiny"
    latent_dim: int = 0
    style_dim: int = 0
    mapping_layers: int = 0
    label_layers: int = 0
    base: int = 0
    most: int = 0
    style_mixing: float = 0.0
    truncation: float = 1.0
    group: int = 4
    clamp: float | None = None

    def __post_init__(self) -> None:
        if self.size not in get_args(Size):
            raise ConfigError(f"`size` must be one of {', '.join(get_args(Size))}. Received: {self.size}")
        names = list(SIZES["tiny"])
        check_at_least(self, 0, *names)
        for name, value in SIZES.get(self.size, SIZES["tiny"]).items():
            object.__setattr__(self, name, getattr(self, name) or value)
        own = {name: getattr(self, name) for name in names}
        matching = [self.size, *SIZES]  # two have the same numbers where neither has classes
        size = next((name for name in matching if SIZES.get(name) == own), "custom")
        object.__setattr__(self, "size", size)
        check_within(self, "[0, 1]", "style_mixing", "truncation")
        check_at_least(self, 1, "group")
        check_above(self, 0, "clamp")

    def build(
        self, image_size: int, channels: int, num_classes: int | None = None, dtype: str = "float32"
    ) -> "tuple[keras.Model, keras.Model]":
        check_images(image_size, channels, num_classes)
        common: dict[str, Any] = {
            "image_size": image_size, "channels": channels, "num_classes": num_classes, "base": self.base,
            "most": self.most, "clamp": self.clamp, "dtype": dtype,
        }  # fmt: skip
        generator_class, discriminator_class = self.keras_classes()
        generator = generator_class(
            **common,
            latent_dim=self.latent_dim,
            style_dim=self.style_dim,
            mapping_layers=self.mapping_layers,
            style_mixing=self.style_mixing,
            truncation=self.truncation,
        )
        return generator, discriminator_class(**common, label_layers=self.label_layers, group=self.group)

    def training(self, image_size: int, batch_size: int) -> dict[str, Any]:
        """As StyleGAN2-ADA's `auto`, but for `path_length`, which few images do not need, and augmentation.

        Both rates are multiplied by k / (k + 1) there, since a penalty in every k-th step is a step of its own. Here it
        is a part of the step, and they are not.
        """
        return {
            "g_learning_rate": 0.0025, "d_learning_rate": 0.0025, "beta_1": 0.0, "beta_2": 0.99,
            "r1": 0.0002 * image_size**2 / batch_size, "r1_every": 16, "ema_decay": 0.5 ** (32 / 10_000),
        }  # fmt: skip

    def possible_sizes(self, shapes: Shapes) -> Iterator[Sizes]:
        shapes = list(shapes)
        blocks = (sum(len(shape) == 4 and shape.count(3) >= 2 and shape.count(1) == 0 for shape in shapes) + 1) / 2
        size = 2 ** (int(blocks) + 1)
        width = max(1, min(self.base // size, self.most))
        ends = {(1, 1, width, c): c for c in (1, 3)} | {(c, width, 1, 1): c for c in (1, 3)}
        first = {(self.latent_dim + extra, self.style_dim): bool(extra) for extra in (0, self.style_dim)}
        if blocks != int(blocks) or not SMALLEST <= size <= LARGEST:
            return
        for channels in {ends[shape] for shape in shapes if shape in ends}:
            for conditional in {known for shape, known in first.items() if shape in shapes}:
                if not conditional:
                    yield size, channels, None
                    continue
                tables = {shape[0] for shape in shapes if len(shape) == 2 and shape[1] == self.style_dim}
                yield from ((size, channels, count) for count in tables - {self.style_dim, first_length(self)})


def first_length(spec: StyleGAN2) -> int:
    """Inputs of the first mapping layer of a conditional generator: latents, and a label as long as w."""
    return spec.latent_dim + spec.style_dim
