"""A generator behind a miner, which chooses its latents."""

from dataclasses import replace
from typing import Any

import keras
from keras import layers

from tfgantl.models.copies import fresh_copy
from tfgantl.models.kernels import keras_kernels
from tfgantl.models.structure import Structure, structure_of

MINER = ("miner_hidden", "miner_change")


@keras.saving.register_keras_serializable(package="tfgantl")
class MinedGenerator(keras.Model):
    """Noise → miner → latents → generator → images; made by `MineGAN`.

    Args:
        generator: A generator of this package, or its serialised form; its architecture is taken, not its weights.
        units: Width of the miner's hidden layer.
        dtype: Keras dtype policy of the hidden layers.

    Attributes:
        mined: The generator behind the miner.

    Reference:
        Wang et al., 2020, https://arxiv.org/abs/1912.05270
    """

    def __init__(
        self,
        generator: keras.Model | dict[str, Any],
        units: int = 128,
        dtype: str = "float32",
        name: str = "generator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        if isinstance(generator, dict):
            generator = keras.saving.deserialize_keras_object(generator)
        mined = fresh_copy(generator, dtype)
        mined.name = "mined"
        latent_dim = mined.inputs[0].shape[-1]
        noise = keras.Input((latent_dim,), name="latents")
        x = layers.Dense(units, activation="relu", name=MINER[0], dtype=dtype)(noise)
        x = layers.Dense(latent_dim, kernel_initializer="zeros", name=MINER[1], dtype="float32")(x)
        latents = layers.Add(name="miner", dtype="float32")([noise, x])
        conditional = len(mined.inputs) == 2
        labels = keras.Input((), dtype="int32", name="labels") if conditional else None
        images = mined([latents, labels] if conditional else latents)
        super().__init__(inputs=[noise, labels] if conditional else noise, outputs=images, name=name, **kwargs)

        # === Config ===
        self.mined = mined
        self.image_size, self.channels = mined.output_shape[1], mined.output_shape[-1]
        self.latent_dim = latent_dim
        self.num_classes = getattr(mined, "num_classes", None)
        self.units = units
        self.hidden_dtype = dtype

    def structure(self) -> Structure:
        """That of the generator behind the miner, whose blocks have no features in the graph of the whole."""
        inner = structure_of(self.mined)
        of_miner = {id(self.get_layer(name).kernel) for name in MINER}
        miner = [kernel for kernel in keras_kernels(self) if id(kernel.variable) in of_miner]
        return Structure(
            network=self,
            blocks=tuple(replace(block, feature=None) for block in inner.blocks),
            norms=inner.norms,
            outputs=inner.outputs,
            kernels=(*miner, *inner.kernels),
            label_tables=inner.label_tables,
            latent_mapping=tuple(self.get_layer(name) for name in MINER),
            core=inner.core,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "generator": keras.saving.serialize_keras_object(self.mined),
            "units": self.units,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
