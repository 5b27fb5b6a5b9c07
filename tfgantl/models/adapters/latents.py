"""z' = a z + b, written into the weights behind the latents, so that it merges away."""

import keras
import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.models.adapters.base import Adapter


def first_layer(generator: keras.Model):
    """The dense layer that sees the latents, and the weight that can take up a shift of them.

    Returns:
        `(kernel, shift, sign)`: the kernel (latent_dim [+ label_dim], units); the bias of the layer with sign 1, or
        the moving mean of the batch normalisation behind it with sign -1.

    Raises:
        ConfigError: If there is no such layer.
    """
    names = {layer.name: layer for layer in generator.layers}
    dense, norm = names.get("block0_dense"), names.get("block0_bn")
    if dense is None or not (dense.use_bias or norm is not None):
        raise ConfigError(
            "`transfer` LatentAffine must have a generator that starts with a layer block0_dense, with a bias or a "
            f"batch normalisation block0_bn. Received: {', '.join(names)}"
        )
    return (dense.kernel, dense.bias, 1.0) if dense.use_bias else (dense.kernel, norm.moving_mean, -1.0)


class LatentScaleShift(Adapter):
    """Scale a (latent_dim,), which starts at 1, and shift b (latent_dim,), which starts at 0."""

    def __init__(self, generator: keras.Model, **kwargs):
        super().__init__(**kwargs)
        kernel, shift, self.sign = first_layer(generator)
        self.kernel_path, self.shift_path = kernel.path, shift.path
        self.latent_dim = generator.inputs[0].shape[-1]
        self.scale = self.add_weight(name="scale", shape=(self.latent_dim,), initializer="ones")
        self.shift = self.add_weight(name="shift", shape=(self.latent_dim,), initializer="zeros")
        self.built = True

    def adapt(self, weights):
        kernel = tf.convert_to_tensor(weights[self.kernel_path])
        of_latents, of_labels = kernel[: self.latent_dim], kernel[self.latent_dim :]
        moved = tf.linalg.matvec(of_latents, tf.convert_to_tensor(self.shift), transpose_a=True)
        return {
            self.kernel_path: tf.concat([of_latents * self.scale[:, None], of_labels], axis=0),
            self.shift_path: tf.convert_to_tensor(weights[self.shift_path]) + self.sign * moved,
        }
