"""VGG16 with a new head: transfer from ImageNet, without a source domain of one's own."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.baselines import TargetOnly

if TYPE_CHECKING:
    import keras

    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class VGG16Head(Recognizer):
    """Trains a new head on the frozen convolutions of VGG16 (ImageNet); then block 5 with it.

    The network is its own whatever the backbone: images at `side` pixels, VGG16 without its top, flatten, one dense
    layer, dropout, and the logits.

    Args:
        side: Height and width in pixels that images are resized to.
        units: Width of the dense layer.
        dropout: Share dropped after it.
        frozen_share: Share of the steps with all of VGG16 frozen.
        lr_multiplier: Factor on the learning rate from then on.
        weights: As for `tfgantl.models.vgg.vgg16`; random for none.

    Reference:
        Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556; Yosinski et al., 2014,
        https://arxiv.org/abs/1411.1792
    """

    side: int = 150
    units: int = 256
    dropout: float = 0.5
    frozen_share: float = 0.5
    lr_multiplier: float = 0.05
    weights: str = "imagenet"

    family: ClassVar[str] = "model"
    uses: ClassVar[tuple[str, ...]] = ("labelled",)
    needs: ClassVar[tuple[str, ...]] = ("labelled",)

    def fit(self, trainer: "Trainer", title: str | None = None) -> "Fitted":
        task = trainer.task
        frozen_steps = min(max(1, round(self.frozen_share * task.steps)), task.steps)
        fitted = trainer.replace(features=self.features, steps=frozen_steps).train(TargetOnly(), title)
        if frozen_steps == task.steps:
            return fitted
        unfrozen = trainer.replace(
            features=partial(self.features, trainable=("block5",)),
            steps=task.steps - frozen_steps,
            learning_rate=self.lr_multiplier * task.learning_rate,
        )
        return unfrozen.train(TargetOnly(), title, fitted.model)

    def facts(self) -> dict[str, str]:
        from tfgantl.models.vgg import vgg16_hash

        return {} if self.weights == "random" else {"VGG16": vgg16_hash(self.weights)}

    def features(self, image_size: int, channels: int, trainable: tuple[str, ...] = ()) -> "keras.Model":
        """Images → features (batch, units), with some blocks of VGG16 to train."""
        import keras
        from keras import layers

        from tfgantl.models.vgg import vgg16

        weights = None if self.weights == "random" else self.weights
        base = vgg16(("block5_pool",), weights, (self.side, self.side, channels), trainable=trainable)
        images = keras.Input((image_size, image_size, channels), name="images")
        x = layers.Flatten(name="flatten")(base(layers.Resizing(self.side, self.side, name="resize")(images)))
        x = layers.Dense(self.units, activation="relu", name="dense")(x)
        return keras.Model(images, layers.Dropout(self.dropout, seed=1, name="dropout")(x), name="features")
