"""A network of many styles and what reads phrases for it, as one model that can be published."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.models.stylizer import Stylizer
from tfgantl.style.phrases import StylePhrases, mixes_of_vectors

MOST_PHRASES = 8


class PhraseStylizer(keras.Model):
    """Phrases, string (batch,) → shares of the styles of a network, float32 (batch, styles).

    Args:
        stylizer: The network, which paints with such shares.
        phrases: What is known of phrases.

    Attributes:
        text_encoder: Phrases → vectors.
    """

    def __init__(self, stylizer: Stylizer, phrases: StylePhrases, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stylizer = stylizer
        self.text_encoder = phrases.encoders.text
        self.scale = phrases.encoders.scale
        at = [stylizer.styles.index(name) for name in phrases.styles]
        self.directions = self.add_weight(phrases.directions.shape, name="directions", trainable=False)
        self.directions.assign(phrases.directions)
        self.places = np.eye(stylizer.num_styles, dtype=np.float32)[at]
        self.built = True

    @property
    def num_classes(self) -> int:
        """The number of styles, by the name that exported examples know."""
        return self.stylizer.num_styles

    def call(self, texts: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Shares of the styles; those that no phrase knows get 0."""
        vectors = self.text_encoder(texts, training=False)
        shares = mixes_of_vectors(vectors, tf.convert_to_tensor(self.directions), self.scale)
        return tf.matmul(shares, self.places)


def example_phrases(phrases: StylePhrases) -> list[str]:
    """Some phrases that it can be asked by, for those who try it."""
    return list(phrases.encoders.bank.phrases[:MOST_PHRASES])
