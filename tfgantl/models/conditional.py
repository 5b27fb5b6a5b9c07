"""How class labels enter a pair: an embedding beside the noise, and a projection on the features.

Reference:
    Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784 (conditional GAN);
    Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637 (projection discriminator)
"""

from typing import TypeAlias

import keras
from keras import layers

Inputs: TypeAlias = keras.KerasTensor | list[keras.KerasTensor]  # alone, or with labels


def generator_inputs(
    latent_dim: int, num_classes: int | None, label_dim: int, dtype: str
) -> tuple[Inputs, keras.KerasTensor]:
    """Starts a generator.

    Returns:
        `(inputs, noise)`: the inputs of the functional model, and what its first layer should see: the noise
        (batch, latent_dim), with the label embedding (batch, label_dim) joined to it if there are classes.
    """
    latents = keras.Input((latent_dim,), name="latents")
    if num_classes is None:
        return latents, latents
    labels = keras.Input((), dtype="int32", name="labels")
    embedding = layers.Embedding(num_classes, label_dim, name="label_embedding", dtype=dtype)(labels)
    return [latents, labels], layers.Concatenate(name="latents_and_label", dtype=dtype)([latents, embedding])


def discriminator_outputs(
    images: keras.KerasTensor,
    features: keras.KerasTensor,
    num_classes: int | None,
    dense: type[layers.Dense] = layers.Dense,
) -> tuple[Inputs, keras.KerasTensor]:
    """Ends a discriminator.

    Args:
        images: Symbolic input images.
        features: Symbolic features (batch, units).
        num_classes: Number of classes, or `None`.
        dense: Class of the dense unit.

    Returns:
        `(inputs, logits)` of the functional model; logits are float32 (batch, 1): one dense unit, plus the inner
        product of the features with the embedding of the label.
    """
    logits = dense(1, name="logits", dtype="float32")(features)
    if num_classes is None:
        return images, logits
    labels = keras.Input((), dtype="int32", name="labels")
    embedding = layers.Embedding(
        num_classes, features.shape[-1], embeddings_initializer="zeros", name="label_projection", dtype="float32"
    )(labels)
    projection = layers.Dot(axes=1, name="projection", dtype="float32")([features, embedding])
    return [images, labels], layers.Add(name="conditional_logits", dtype="float32")([logits, projection])
