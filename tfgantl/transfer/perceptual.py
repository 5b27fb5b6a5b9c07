"""Training scales and shifts of the generator for images that look like those of the target to VGG16."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import check_above, check_at_least
from tfgantl.transfer.scale_shift import ScaleShift

if TYPE_CHECKING:
    import tensorflow as tf

    from tfgantl.gan import GAN


@dataclass(frozen=True)
class Perceptual(ScaleShift):
    """BSA, perceptual: gamma and beta of the generator follow a perceptual loss, without a discriminator.

    Each target image of a batch pulls the generated image, of the same class, that is nearest to it:
    mean_i min_j d(x_i, G(z_j)), with d the VGG16 distance plus `pixel` times the mean absolute difference. The paper
    fits a latent to each target image instead of taking the nearest of a batch.

    Args:
        strength: Weight of the loss.
        pixel: Weight of the mean absolute difference of pixels within it.
        adversarial: Weight of the loss against the discriminator, which is trained in any case.
        weights: Those of VGG16: imagenet, a file, or an address.
        g_lr_multiplier: Factor on the learning rate of the generator.

    Reference:
        Noguchi and Harada, 2019, https://arxiv.org/abs/1904.01774; the nearest images are those of Li and Malik, 2018,
        https://arxiv.org/abs/1809.09087
    """

    cost = "VGG16, up to its third block, for real and generated images"
    strength: float = 10.0
    pixel: float = 0.1
    adversarial: float = 0.0
    weights: str = "imagenet"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above(self, 0, "strength")
        check_at_least(self, 0, "pixel", "adversarial")

    def facts(self) -> dict[str, str]:
        from tfgantl.models.vgg import vgg16_hash

        return {"VGG16": vgg16_hash(self.weights)}

    def prepare(self, gan: "GAN", source: "GAN | None") -> None:
        from tfgantl.penalties.nearest_images import NearestImages

        super().prepare(gan, source)
        gan.method_state = NearestImages(gan.generator.output_shape[1:], self.weights, self.pixel)

    def reconstruction_loss(
        self, gan: "GAN", images: "tf.Tensor", labels: "tf.Tensor | None", fakes: "tf.Tensor"
    ) -> "tf.Tensor":
        return self.strength * gan.method_state.loss(images, labels, fakes)
