"""A generator that is told in words what to draw: a text encoder and what it conditions, as one model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.crossmodal.text_conditioning import from_vectors, is_text_conditional
from tfgantl.crossmodal.text_encoder import read_phrases
from tfgantl.errors import ArtifactError
from tfgantl.images import finite_pixels
from tfgantl.models import presets
from tfgantl.models.inference import predict
from tfgantl.pretrained.drawn import check_draws
from tfgantl.pretrained.together import check_together
from tfgantl.random_streams import latents_of_seeds
from tfgantl.untrusted.networks import load_network

GENERATOR, ENCODER = "generator.keras", "text_encoder.keras"  # in the directory of a run
PRESET = presets.PRESETS / "text" / "imagine"
NAME = "imagine-digits"  # of the shipped model
BATCH = 128
MOST_PHRASES = 8


class TextToImage(keras.Model):
    """Latents and phrases → images.

    Args:
        generator: [latents (batch, latent_dim), vectors (batch, dimension)] → images in [-1, 1].
        text_encoder: Phrases, string (batch,) → vectors of unit length.

    Attributes:
        phrases: Some that it can draw, for those who try it.
    """

    def __init__(
        self, generator: keras.Model, text_encoder: keras.Model, phrases: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.generator = generator
        self.text_encoder = text_encoder
        self.phrases = tuple(phrases) or tuple(getattr(text_encoder, "vocabulary", ())[:MOST_PHRASES])
        self.built = True

    @property
    def latent_dim(self) -> int:
        """Length of the noise."""
        return self.generator.inputs[0].shape[-1]

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Images of (latents, phrases), as they are outside of training, whatever `training` says."""
        latents, phrases = inputs
        return self.generator([latents, self.text_encoder(phrases, training=False)], training=False)

    def draw(self, phrases: Sequence[str], seeds: np.ndarray | Sequence[int]) -> np.ndarray:
        """Draws a picture of each phrase, as a server does.

        Args:
            phrases: What to draw.
            seeds: One for each; a picture depends on its own phrase and seed alone.

        Returns:
            uint8 (n, height, width, channels).
        """
        latents = latents_of_seeds(tf.constant(np.asarray(seeds, np.int64)), self.latent_dim).numpy()
        return finite_pixels(predict(self.generator, [latents, read_phrases(self.text_encoder, phrases)], BATCH))


def is_text_to_image(handle: str) -> bool:
    """Whether a handle is that of a model that draws what a text says: a directory with a text encoder, or the name."""
    return handle == NAME or (Path(handle) / ENCODER).is_file()


def load_text_to_image(handle: str | None = None) -> TextToImage:
    """Loads what `tfgantl imagine train` has left, or the shipped model.

    Args:
        handle: Run directory; the shipped model of digits, `imagine-digits`, if not given.

    Raises:
        ArtifactError: If there is no generator with a text encoder, or they do not fit each other.
    """
    directory = PRESET if handle in (None, NAME) else Path(str(handle))
    if not (directory / ENCODER).is_file():
        raise ArtifactError(
            f"`model` must be the directory of a run of `tfgantl imagine train`, with {GENERATOR} and {ENCODER}. "
            f"Received: {directory}"
        )
    if (directory / "config.json").is_file():
        (network,), metadata = presets.load_half(directory, ["generator"])
    else:
        network, metadata = load_network(directory / GENERATOR), {}
    encoder = load_network(directory / ENCODER)
    check_together(directory, {GENERATOR: network, ENCODER: encoder})
    if not is_text_conditional(network) or encoder.output_shape[-1:] != (network.text_dim,):
        raise ArtifactError(
            f"{directory}: must hold a text-conditional generator and the text encoder that it was trained with. "
            f"Received: a {type(network).__name__} and {encoder.output_shape}"
        )
    generator = from_vectors(network)
    check_draws(generator, str(directory))
    return TextToImage(generator, encoder, metadata.get("phrases", ()))
