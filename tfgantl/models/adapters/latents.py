"""z' = a z + b, written into the weights behind the latents, so that it merges away."""

from typing import Any

import keras
import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import Adapter
from tfgantl.models.structure import LatentInput, structure_of
from tfgantl.models.variable_names import names_of


def latent_inputs(generator: keras.Model) -> tuple[LatentInput, ...]:
    """Where latents enter a generator.

    Raises:
        ConfigError: If a scale and a shift of latents cannot be merged into its weights.
    """
    inputs = structure_of(generator).latent_inputs
    if not inputs:
        raise ConfigError(
            "`transfer` LatentAffine must have a generator that starts with a dense layer, with a bias or a batch "
            f"normalisation of each unit. Received: {type(generator).__name__}"
        )
    return inputs


class LatentScaleShift(Adapter):
    """Scale a (latents,), which starts at 1, and shift b (latents,), which starts at 0.

    Args:
        generator: Its `latent_inputs` take up both.
    """

    def __init__(self, generator: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        inputs = latent_inputs(generator)
        kernels, shifts = (names_of(generator, [getattr(x, name) for x in inputs]) for name in ("kernel", "shift"))
        self.places = list(zip(kernels, shifts, [x.factor for x in inputs], strict=True))
        self.latents = inputs[0].latents
        self.scale = self.add_weight(name="scale", shape=(self.latents,), initializer="ones")
        self.shift = self.add_weight(name="shift", shape=(self.latents,), initializer="zeros")
        self.built = True

    def adapt(self, weights: dict[str, Any]) -> dict[str, tf.Tensor]:
        changed = {}
        for kernel_name, shift_name, factor in self.places:
            kernel = tf.convert_to_tensor(weights[kernel_name])
            of_latents, of_labels = kernel[: self.latents], kernel[self.latents :]
            moved = tf.linalg.matvec(of_latents, tf.convert_to_tensor(self.shift), transpose_a=True)
            changed[kernel_name] = tf.concat([of_latents * self.scale[:, None], of_labels], axis=0)
            changed[shift_name] = tf.convert_to_tensor(weights[shift_name]) + factor * moved
        return changed
