"""The text encoder: a phrase in, a point on the unit sphere out; its vocabulary is a part of it."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfgantl.crossmodal.image_encoder import standardised
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.models.inference import predict

PADDING, UNKNOWN = 0, 1  # numbers that stand for no word, and for any word that is not in the vocabulary
MAX_VOCABULARY = 20_000
AT_A_TIME = 1024  # phrases
SUGGESTED = 3  # known words that are named in place of an unknown one


@keras.saving.register_keras_serializable(package="tfgantl")
class TextEncoder(keras.Model):
    """Phrases, string (batch,) → vectors float32 (batch, dimension) of length 1.

    Words are looked up in the vocabulary, whatever their case and the signs between them, and read in both directions
    by gated recurrent units, so that their order counts: `three eights` is about the digit eight. What is read at each
    word is averaged, so that of a long caption the first word counts as much as the last. Words that are not known all
    mean the same; `unknown_words` tells which these are.

    Args:
        vocabulary: Known words, lower case, each once.
        dimension: Length of the vectors.
        width: Length of the vector of a word, and units of each direction.
        most_words: Words that are read of a phrase, at most.
        averages: Whether the vector is of the average over words, normalised over a batch in training; encoders of
            earlier versions tell by what has been read at both ends.

    Example:
        >>> encoder = TextEncoder.of(["a thick seven", "a thin eight"], dimension=8)
        >>> encoder(tf.constant(["a thick eight"])).shape
        TensorShape([1, 8])
        >>> encoder.unknown_words("a thicc eight")
        {'thicc': ['thick', 'thin']}

    Reference:
        Cho et al., 2014, https://arxiv.org/abs/1406.1078
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        dimension: int = 64,
        width: int = 48,
        most_words: int = 32,
        averages: bool = False,
        name: str = "text_encoder",
        **kwargs: Any,
    ):
        words = list(vocabulary)
        if not words or len(set(words)) != len(words) or len(words) > MAX_VOCABULARY:
            raise ConfigError(
                f"`vocabulary` must have 1 to {MAX_VOCABULARY} different words. Received: {len(words)}, "
                f"{len(set(words))} of them different"
            )
        if min(dimension, width, most_words) < 1:
            raise ConfigError(
                "`dimension`, `width` and `most_words` must be at least 1. "
                f"Received: {dimension}, {width}, {most_words}"
            )
        # === Functional Model ===
        text = keras.Input((), dtype="string", name="text")
        numbers = layers.TextVectorization(
            standardize=plain_words, output_sequence_length=most_words, vocabulary=words, name="numbers"
        )(text)
        x = numbers
        for layer in _reader(len(words), dimension, width, averages):
            x = layer(x)
        super().__init__(inputs=text, outputs=x, name=name, **kwargs)

        # === Config ===
        self.vocabulary = words
        self.dimension, self.width, self.most_words, self.averages = dimension, width, most_words, averages

    @classmethod
    def of(
        cls, phrases: Iterable[str], dimension: int = 64, width: int = 48, most_words: int = 32, limit: int = 8000
    ) -> Self:
        """An untrained encoder that knows the words of some phrases.

        Args:
            phrases: Whose words it is to know.
            dimension: Length of the vectors.
            width: Length of the vector of a word, and units of each direction.
            most_words: Words that are read of a phrase, at most.
            limit: Words of the vocabulary, at most; the rarest are left out.

        Raises:
            DataError: If no phrase has a word.
        """
        some = list(phrases)
        adapted = layers.TextVectorization(standardize=plain_words, max_tokens=limit + 2)
        if some:
            adapted.adapt(some, batch_size=1024)
        words = [str(word) for word in adapted.get_vocabulary(include_special_tokens=False)] if some else []
        if not words:
            raise DataError(f"captions must have words. Received: {len(some)} without any")
        return cls(words, dimension, width, most_words, averages=True)

    def numbers(self, phrases: Sequence[str]) -> np.ndarray:
        """Numbers of words int64 (n, most_words), 0 where there are none, and 1 for those that are not known.

        A phrase without a word is read as one that is not known.
        """
        numbers = self.get_layer("numbers")(tf.constant(list(phrases), tf.string, (len(phrases),))).numpy()
        numbers[(numbers == PADDING).all(1), 0] = UNKNOWN
        return numbers

    def of_numbers(self, numbers: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Vectors float32 (batch, dimension) of numbers of words int64 (batch, any number of words)."""
        x = numbers
        for layer in self.layers[2:]:
            x = layer(x, training=training) if layer.name in ("reader", "standard") else layer(x)
        return x

    def unknown_words(self, text: str) -> dict[str, list[str]]:
        """The words of a text that are not known, each with the known ones that are spelled most alike."""
        known = set(self.vocabulary)
        unknown = dict.fromkeys(word for word in words_of(text) if word not in known)
        return {word: difflib.get_close_matches(word, self.vocabulary, SUGGESTED) for word in unknown}

    def get_config(self) -> dict[str, Any]:
        return {
            "vocabulary": self.vocabulary,
            "dimension": self.dimension,
            "width": self.width,
            "most_words": self.most_words,
            "averages": self.averages,
            "name": self.name,
        }


def _reader(words: int, dimension: int, width: int, averages: bool) -> list[keras.layers.Layer]:
    """The layers from numbers of words to a vector."""
    embedding = layers.Embedding(words + 2, width, mask_zero=True, name="embedding")
    reader = layers.Bidirectional(layers.GRU(width, return_sequences=averages), name="reader")
    projection = layers.Dense(dimension, use_bias=not averages, name="projection")
    direction = layers.UnitNormalization(name="direction")
    if not averages:
        return [embedding, reader, projection, direction]
    return [embedding, reader, layers.GlobalAveragePooling1D(name="average"), projection, standardised(), direction]


def plain_words(text: tf.Tensor) -> tf.Tensor:
    """Texts in lower case with a space in place of whatever is neither letter nor digit; strings of any shape."""
    return tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), r"[^\p{L}\p{M}\p{N}]+", " ")


def read_phrases(encoder: keras.Model, phrases: Sequence[str]) -> np.ndarray:
    """Vectors float32 (n, dimension) that an encoder gives of phrases; of equal ones once.

    Args:
        encoder: Strings (batch,) → vectors (batch, dimension).
        phrases: n of them, whatever they are.

    Raises:
        ArtifactError: If it gives another number of vectors.
    """
    numbers = {phrase: i for i, phrase in enumerate(dict.fromkeys(phrases))}
    vectors = predict(encoder, np.array(list(numbers), object), AT_A_TIME)
    if len(vectors) != len(numbers):
        raise ArtifactError(
            f"a text encoder must give {len(numbers)} vectors for as many texts. Received: {len(vectors)}"
        )
    return np.asarray(vectors[[numbers[phrase] for phrase in phrases]], np.float32)


def check_apart(vectors: np.ndarray, phrases: Sequence[str]) -> None:
    """Refuses an encoder of which nothing can be learnt, as of one without its weights.

    Raises:
        ArtifactError: If phrases differ, and their vectors (n, dimension) do not.
    """
    if len(set(phrases)) > 1 and not np.ptp(vectors, axis=0).any():
        raise ArtifactError("a text encoder must tell texts apart. Received: the same vector for all of them")


def words_of(text: str) -> list[str]:
    """The words of a text, as the encoder reads them."""
    plain = plain_words(tf.constant(text.encode("utf-8", "replace"))).numpy()
    return plain.decode("utf-8", "replace").split()
