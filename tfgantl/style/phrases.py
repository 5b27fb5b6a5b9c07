"""Phrases that ask for styles: which styles of a network they mean, and by how much; and words for a style."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgantl.crossmodal.description import Description, describe_vectors
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.text_checks import check_text
from tfgantl.errors import ArtifactError, intact
from tfgantl.models.inference import predict

MOST_STYLES = 3  # in a mix; rows of more than these average to mud
LEAST_SIZE = 32  # of crops, in pixels
LEAST_SHARE = 0.1  # of the largest share, below which a style is left out
STYLES, DIRECTIONS, SIZE = "styles", "directions", "size"  # in the metadata of the encoders


@dataclass(frozen=True, eq=False)
class StylePhrases:
    """What a network of many styles knows of words.

    Args:
        encoders: Of phrases, and of statistics of styles, into one space.
        styles: Names of the styles.
        directions: Where each lies, float32 (styles, dimension), of length 1.
        size: Height and width of the crops that statistics are taken of, in pixels.
    """

    encoders: TextImageEncoders
    styles: tuple[str, ...]
    directions: np.ndarray
    size: int

    def mix(self, text: str, known: Sequence[str] | None = None) -> np.ndarray:
        """Shares float32 (styles,) of the styles that a phrase asks for; they sum to 1.

        Args:
            text: The phrase.
            known: Names of all styles of a network, of which those that no phrase knows get 0; `styles` if not given.

        Raises:
            DataError: If it is empty, too long, has control characters, or no word that is known.
            ArtifactError: If the encoder gives a vector that is not finite.
        """
        text = check_text(text, self.encoders.text, "styles")
        vectors = _finite(self.encoders.embed_texts([text], check=False), "phrases")
        shares = self.mixes(tf.constant(vectors)).numpy()[0]
        mix = np.zeros(len(known or self.styles), np.float32)
        mix[[list(known or self.styles).index(name) for name in self.styles]] = shares
        return mix

    def mixes(self, vectors: tf.Tensor) -> tf.Tensor:
        """Shares float32 (batch, styles) of vectors of phrases (batch, dimension), in a graph or outside of one."""
        return mixes_of_vectors(vectors, self.directions, self.encoders.scale)

    def unknown_words(self, text: str) -> dict[str, list[str]]:
        """Words of a phrase that are not known, each with the known ones that are spelled most alike."""
        return self.encoders.text.unknown_words(text)

    def describe(self, statistics: np.ndarray) -> tuple[Description, dict[str, float]]:
        """Words for a picture, and the styles that it is like.

        Args:
            statistics: Of crops of the picture, or of all of it, float32 (n, length).

        Returns:
            The description, and shares by names of styles, the largest first.

        Raises:
            ArtifactError: If the statistics are of another network than that of the training, or not finite.
        """
        if statistics.shape[1:] != self.encoders.image.input_shape[1:]:
            raise ArtifactError(
                f"`weights` must be those of VGG16, whose statistics are {self.encoders.image.input_shape[1]} numbers. "
                f"Received: {statistics.shape[1]}"
            )
        vectors = _finite(predict(self.encoders.image, statistics).mean(0, keepdims=True), "pictures")
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        (description,) = describe_vectors(self.encoders, vectors)
        return description, drawn_from(self.styles, self.mixes(tf.constant(vectors)).numpy()[0])

    def save(self, directory: Path) -> None:
        """Writes all of it into a new directory, which appears as a whole.

        Raises:
            RunError: If it exists.
        """
        told = {STYLES: list(self.styles), DIRECTIONS: np.round(self.directions, 6).tolist(), SIZE: self.size}
        self.encoders.metadata |= told
        self.encoders.save(directory)

    @classmethod
    def load(cls, directory: Path, known: Sequence[str]) -> "StylePhrases":
        """Reads what `save` has written.

        Args:
            directory: Where from.
            known: Names of the styles of the network that it belongs to.

        Raises:
            ArtifactError: If it is missing, damaged, or of other styles, or its directions have another length than 1.
        """
        encoders = TextImageEncoders.load(directory)
        with intact(f"{directory}: must hold phrases of styles"):
            styles = tuple(map(str, encoders.metadata[STYLES]))
            directions = np.array(encoders.metadata[DIRECTIONS], np.float32)
            size = int(encoders.metadata[SIZE])
        shape = (len(styles), encoders.image.output_shape[-1])
        if (
            not styles
            or not set(styles) <= set(known)
            or len(set(styles)) < len(styles)
            or directions.shape != shape
            or size < LEAST_SIZE
            or not np.allclose(np.linalg.norm(directions.astype(np.float64), axis=1), 1, atol=1e-3)
        ):
            raise ArtifactError(
                f"{directory}: must hold phrases of styles of the network beside it, each once, with directions of "
                f"length 1, and crops of {LEAST_SIZE} pixels or more. Received: {', '.join(styles)}, directions of "
                f"{directions.shape}, and crops of {size}"
            )
        return cls(encoders, styles, directions, size)


def _finite(vectors: np.ndarray, what: str) -> np.ndarray:
    """The vectors, of which anything could be said if they were no numbers."""
    if not np.isfinite(vectors).all():
        raise ArtifactError(f"vectors of {what} must be finite. Received: NaN or infinity")
    return vectors


def mixes_of_vectors(vectors: tf.Tensor, directions: np.ndarray | tf.Tensor, scale: float | tf.Tensor) -> tf.Tensor:
    """Shares of styles by cosines: at most three of each row, none below a tenth of the largest, with a sum of 1.

    Args:
        vectors: Of phrases or of pictures, float32 (batch, dimension), of length 1.
        directions: Of styles, float32 (styles, dimension), of length 1.
        scale: What cosines are multiplied by.

    Returns:
        float32 (batch, styles).
    """
    shares = tf.nn.softmax(scale * tf.matmul(vectors, directions, transpose_b=True))
    largest = tf.math.top_k(shares, min(MOST_STYLES, shares.shape[-1])).values
    least = tf.maximum(largest[:, -1:], LEAST_SHARE * largest[:, :1])
    kept = tf.where(shares >= least, shares, 0.0)
    return kept / tf.reduce_sum(kept, 1, keepdims=True)


def drawn_from(styles: Sequence[str], mix: np.ndarray) -> dict[str, float]:
    """Name → share of each style that a mix has something of, the largest first, to three digits."""
    order = np.argsort(-mix, kind="stable")
    return {styles[i]: round(float(mix[i]), 3) for i in order if mix[i] > 0}
