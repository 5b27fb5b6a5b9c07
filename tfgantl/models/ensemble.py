"""Two discriminators as one: that of a pair, and one on frozen features."""

from math import lcm, prod
from typing import Any

import keras
from keras import layers

from tfgantl.models.copies import fresh_copy
from tfgantl.models.outputs import check_discriminator
from tfgantl.models.projected import ProjectedDiscriminator
from tfgantl.models.structure import Structure, structure_of


@keras.saving.register_keras_serializable(package="tfgantl")
class EnsembleDiscriminator(keras.Model):
    """Images [and labels] → logits of a discriminator and of a projected one, side by side.

    The logits of both are repeated until there are as many of either, so that a mean weighs both alike. The layers of
    the first are layers of the whole, so that methods find its blocks where they were.

    Args:
        own: The first, or its serialised form; its architecture is taken, not its weights.
        num_classes: Number of classes, or `None`.
        resolution: As for `ProjectedDiscriminator`, like the others.
        width: Channels of the mixed maps and of the heads.
        seed: Chooses the random convolutions.
        dtype: Keras dtype policy of the hidden layers of both.

    Attributes:
        own: The first discriminator.
        projected: The second.

    Raises:
        ConfigError: If `resolution` is not allowed, or `own` gives probabilities.

    Reference:
        Kumari et al., 2022, https://arxiv.org/abs/2112.09130
    """

    def __init__(
        self,
        own: keras.Model | dict[str, Any],
        num_classes: int | None = None,
        resolution: int | None = None,
        width: int = 64,
        seed: int = 0,
        dtype: str = "float32",
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        if isinstance(own, dict):
            own = keras.saving.deserialize_keras_object(own)
        check_discriminator(own)
        own = fresh_copy(own, dtype)
        _, size, _, channels = own.inputs[0].shape
        projected = ProjectedDiscriminator(size, channels, num_classes, resolution, width, seed, dtype, "projected")
        inputs = own.inputs if len(own.inputs) > 1 else own.inputs[0]
        logits = own.outputs[0], projected(inputs)
        count = lcm(*(prod(x.shape[1:]) for x in logits))
        repeated = [_repeated(x, count, name) for x, name in zip(logits, ("own", "its"), strict=True)]
        both = layers.Concatenate(name="both_logits", dtype="float32")(repeated)
        super().__init__(inputs=inputs, outputs=both, name=name, **kwargs)

        # === Config ===
        self.own, self.projected = own, projected
        self.image_size, self.channels, self.num_classes = size, channels, num_classes
        self.hidden_dtype = dtype
        if hasattr(own, "self_supervision"):  # what the first one learns by itself, it learns here, too
            self.supervised_maps, self.self_supervision = own.supervised_maps, own.self_supervision

    def load_features(self, weights: str) -> None:
        """As that of `ProjectedDiscriminator`."""
        self.projected.load_features(weights)

    def structure(self) -> Structure:
        """That of the first discriminator; the heads of the second are outputs beside its own."""
        own, projected = structure_of(self.own), self.projected.structure()
        return Structure(
            network=self,
            blocks=own.blocks,
            norms=own.norms,
            outputs=(*own.outputs, *projected.outputs),
            kernels=(*own.kernels, *projected.kernels),
            label_tables=(*own.label_tables, *projected.label_tables),
            patches=own.patches,
            core=self,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "own": keras.saving.serialize_keras_object(self.own),
            "num_classes": self.num_classes,
            "resolution": self.projected.resolution,
            "width": self.projected.width,
            "seed": self.projected.random_seed,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }


def _repeated(logits: keras.KerasTensor, count: int, name: str) -> keras.KerasTensor:
    """Logits (batch, …) → (batch, count)."""
    flat = layers.Flatten(name=f"{name}_flat_logits", dtype="float32")(logits)
    rows = layers.RepeatVector(count // flat.shape[1], name=f"{name}_repeated_logits", dtype="float32")(flat)
    return layers.Flatten(name=f"{name}_many_logits", dtype="float32")(rows)
