"""Networks that are trained beside a classifier: generators, translators, discriminators; frozen copies."""

import keras
from keras import layers

from tfgantl.errors import ConfigError
from tfgantl.models.copies import assign_weights
from tfgantl.models.dcgan import DCGANDiscriminator, DCGANGenerator
from tfgantl.models.structure import structure_of


def latent_generator(
    latent_dim: int, image_size: int, channels: int, width: int = 32, name: str = "generator"
) -> keras.Model:
    """Vectors (batch, latent_dim) → images (batch, image_size, image_size, channels) in [-1, 1]."""
    _check_size(image_size)
    return DCGANGenerator(image_size, channels, latent_dim, (4 * width, 2 * width, width), (1, 2, 2), name=name)


def domain_discriminator(units: int, width: int = 256) -> keras.Model:
    """Features (batch, units) → logit (batch, 1) of the source; dropout, and no batch normalisation."""
    features = keras.Input((units,))
    x = features
    for number in (1, 2):
        x = layers.Dense(width, activation="relu")(x)
        x = layers.Dropout(0.3, seed=number)(x)
    return keras.Model(features, layers.Dense(1)(x), name="domain")


def frozen_copy(network: keras.Model) -> keras.Model:
    """A copy of a functional network that is not trained."""
    copy = keras.models.clone_model(network)
    assign_weights(copy, network.get_weights())
    copy.trainable = False
    return copy


def image_discriminator(
    image_size: int, channels: int, outputs: int, width: int = 32, dropout: float = 0.3, name: str = "judge"
) -> keras.Model:
    """Images → (logits (batch, outputs), features (batch, d)).

    The default name is older than the function's; results of equal seeds depend on it in their last bits.
    """
    network = DCGANDiscriminator(image_size, channels, (width, 2 * width), dropout=dropout)
    features = structure_of(network).last_features
    return keras.Model(network.inputs, [layers.Dense(outputs)(features), features], name=name)


def translator(
    image_size: int, channels: int, latent_dim: int = 0, width: int = 32, blocks: int = 3, name: str = "translator"
) -> keras.Model:
    """Images [and noise (batch, latent_dim)] → images of the same size, by residual blocks at half of the size.

    The output is what is added to the image, before a limit to [-1, 1]; it starts near 0, so that labels stay true.
    """
    _check_size(image_size)
    images = keras.Input((image_size, image_size, channels))
    x, inputs = images, images
    if latent_dim:
        noise = keras.Input((latent_dim,))
        plane = layers.Reshape((image_size, image_size, 1))(layers.Dense(image_size**2, use_bias=False)(noise))
        x, inputs = layers.Concatenate()([images, plane]), [images, noise]
    x = layers.Conv2D(width, 5, padding="same", activation="relu")(x)
    x = layers.Conv2D(2 * width, 3, 2, padding="same", activation="relu")(x)
    for _ in range(blocks):
        y = layers.Conv2D(2 * width, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(2 * width, 3, padding="same")(y)])
    x = layers.Conv2DTranspose(width, 4, 2, padding="same", activation="relu")(x)
    small = keras.initializers.RandomNormal(stddev=1e-2, seed=1)
    change = layers.Conv2D(channels, 5, padding="same", kernel_initializer=small)(layers.Concatenate()([x, images]))
    return keras.Model(inputs, keras.ops.clip(images + 2.0 * keras.ops.tanh(change), -1.0, 1.0), name=name)


def _check_size(image_size: int) -> None:
    if image_size % 4:
        raise ConfigError(
            f"`image_size` must be a multiple of 4 for methods that generate images. Received: {image_size}"
        )
