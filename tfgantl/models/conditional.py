"""How labels enter a pair: an embedding beside the noise, and a projection on the features.

A label is a class, whose row of a table is learnt, or a caption, whose vector a text encoder has made: then a map from
such vectors is learnt in place of a row for each label, and what was learnt of some texts holds for others.

Reference:
    Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784 (conditional GAN);
    Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637 (projection discriminator);
    Reed et al., 2016, https://arxiv.org/abs/1605.05396 (text in place of classes)
"""

from typing import TypeAlias

import keras
from keras import layers

from tfgantl.models.layers import CaptionVectors

Inputs: TypeAlias = keras.KerasTensor | list[keras.KerasTensor]  # alone, or with labels
EMBEDDING, PROJECTION, VECTORS = "label_embedding", "label_projection", "caption_vectors"  # layers


def generator_inputs(
    latent_dim: int, num_classes: int | None, label_dim: int, dtype: str, text_dim: int | None = None
) -> tuple[Inputs, keras.KerasTensor]:
    """Starts a generator.

    Args:
        latent_dim: Length of the noise.
        num_classes: Number of classes, or of captions, or `None`.
        label_dim: Length of the embedding of a label.
        dtype: Keras dtype policy.
        text_dim: Length of the vectors of captions; `None` for classes.

    Returns:
        `(inputs, noise)`: the inputs of the functional model, and what its first layer should see: the noise
        (batch, latent_dim), with the label embedding (batch, label_dim) joined to it if there are classes.
    """
    latents = keras.Input((latent_dim,), name="latents")
    if num_classes is None:
        return latents, latents
    labels = keras.Input((), dtype="int32", name="labels")
    if text_dim is None:
        embedding = layers.Embedding(num_classes, label_dim, name=EMBEDDING, dtype=dtype)(labels)
    else:
        vectors = CaptionVectors(num_classes, text_dim, name=VECTORS)(labels)
        embedding = layers.Dense(label_dim, name=EMBEDDING, dtype=dtype)(vectors)
    return [latents, labels], layers.Concatenate(name="latents_and_label", dtype=dtype)([latents, embedding])


def discriminator_outputs(
    images: keras.KerasTensor,
    features: keras.KerasTensor,
    num_classes: int | None,
    dense: type[layers.Dense] = layers.Dense,
    text_dim: int | None = None,
) -> tuple[Inputs, keras.KerasTensor]:
    """Ends a discriminator.

    Args:
        images: Symbolic input images.
        features: Symbolic features (batch, units).
        num_classes: Number of classes, or of captions, or `None`.
        dense: Class of the dense unit.
        text_dim: Length of the vectors of captions; `None` for classes.

    Returns:
        `(inputs, logits)` of the functional model; logits are float32 (batch, 1): one dense unit, plus the inner
        product of the features with the embedding of the label.
    """
    logits = dense(1, name="logits", dtype="float32")(features)
    if num_classes is None:
        return images, logits
    labels = keras.Input((), dtype="int32", name="labels")
    units, float32 = features.shape[-1], {"name": PROJECTION, "dtype": "float32"}
    if text_dim is None:
        embedding = layers.Embedding(num_classes, units, embeddings_initializer="zeros", **float32)(labels)
    else:
        vectors = CaptionVectors(num_classes, text_dim, name=VECTORS)(labels)
        embedding = layers.Dense(units, kernel_initializer="zeros", **float32)(vectors)
    projection = layers.Dot(axes=1, name="projection", dtype="float32")([features, embedding])
    return [images, labels], layers.Add(name="conditional_logits", dtype="float32")([logits, projection])
