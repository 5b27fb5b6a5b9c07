"""Discriminators that take the place of a pair's own, or stand beside it: their specifications."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tfgantl.errors import ConfigError, check_at_least, check_seed
from tfgantl.files import absolute_if_there
from tfgantl.models.feature_resolution import check_resolution

if TYPE_CHECKING:
    import keras


class Discriminators(ABC):
    """A discriminator for any generator, made from that of its pair: the specification in a recipe.

    Attributes:
        batch_size: Images a step, where nobody says how many.
    """

    batch_size: ClassVar[int] = 16
    adaptation: ClassVar[dict[str, Any]] = {}  # as that of `tfgantl.models.Networks`

    @abstractmethod
    def build(self, own: "keras.Model", num_classes: int | None = None, dtype: str = "float32") -> "keras.Model":
        """Makes the discriminator, with fresh weights where none are known.

        Args:
            own: Discriminator of the pair, which says sides and channels; it does not change.
            num_classes: Number of classes of the pair, or `None`.
            dtype: Keras dtype policy of the hidden layers.

        Returns:
            Images [, labels] → logits (batch, any number), each of which weighs the same.

        Raises:
            ConfigError: If an option does not fit the images, or the discriminator of the pair.
            ArtifactError: If weights are missing, damaged or of another network.
        """

    @abstractmethod
    def features_hash(self) -> str:
        """Hash of the weights that are not trained, which the results of a run depend on.

        Raises:
            ArtifactError: If they are missing, damaged or of another network.
        """

    def training(self, image_size: int, batch_size: int) -> dict[str, Any]:
        """As that of `tfgantl.models.Networks`: what its authors set otherwise."""
        return {}


@dataclass(frozen=True)
class Own(Discriminators):
    """That of the pair, and nothing else, where another one would be chosen."""

    def build(self, own: "keras.Model", num_classes: int | None = None, dtype: str = "float32") -> "keras.Model":
        return own

    def features_hash(self) -> str:
        return ""


@dataclass(frozen=True)
class Projected(Discriminators):
    """Heads on frozen features of VGG16 in place of the pair's own discriminator.

    Args:
        weights: Those of VGG16: imagenet, a file, or an address.
        resolution: Side in pixels that VGG16 sees, a multiple of 16; if not given, that of the images, at least 64.
        width: Channels of the mixed features and of the heads.
        seed: Chooses the fixed random convolutions.

    Reference:
        Sauer et al., 2021, https://arxiv.org/abs/2111.01007
    """

    weights: str = "imagenet"
    resolution: int | None = None
    width: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", absolute_if_there(self.weights))
        check_resolution(self.resolution)
        check_at_least(self, 1, "width")
        check_seed("seed", self.seed)

    def build(self, own: "keras.Model", num_classes: int | None = None, dtype: str = "float32") -> "keras.Model":
        from tfgantl.models.projected import ProjectedDiscriminator

        _, size, _, channels = own.inputs[0].shape
        network = ProjectedDiscriminator(size, channels, num_classes, self.resolution, self.width, self.seed, dtype)
        network.load_features(self.weights)
        return network

    def features_hash(self) -> str:
        from tfgantl.models.copies import weights_hash
        from tfgantl.models.projected import MAPS
        from tfgantl.models.vgg import vgg16

        return weights_hash(vgg16(tuple(MAPS), self.weights))

    def training(self, image_size: int, batch_size: int) -> dict[str, Any]:
        return {"loss": "hinge", "r1": 0.0, "beta_1": 0.0, "g_learning_rate": 2e-4, "d_learning_rate": 2e-4}


@dataclass(frozen=True)
class Ensemble(Projected):
    """The pair's own discriminator and a projected one together, with the same weight.

    Reference:
        Kumari et al., 2022, https://arxiv.org/abs/2112.09130
    """

    def build(self, own: "keras.Model", num_classes: int | None = None, dtype: str = "float32") -> "keras.Model":
        from tfgantl.models.copies import assign_weights
        from tfgantl.models.ensemble import EnsembleDiscriminator
        from tfgantl.models.projected import ProjectedDiscriminator

        if isinstance(own, EnsembleDiscriminator):
            own = own.own
        if isinstance(own, ProjectedDiscriminator):
            raise ConfigError(
                "`discriminator` Ensemble must have a discriminator of the pair's own beside the projected one. "
                "Received: a pair that has a projected one alone"
            )
        network = EnsembleDiscriminator(own, num_classes, self.resolution, self.width, self.seed, dtype)
        assign_weights(network.own, own.get_weights())
        network.load_features(self.weights)
        return network
