"""What pictures show, in words: the likeliest caption, class and attributes, and the captions that fit next best."""

from dataclasses import dataclass

import numpy as np

from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.errors import ArtifactError


@dataclass(frozen=True)
class Description:
    """What a picture shows.

    Args:
        caption: The likeliest.
        confidence: Its probability among the captions that there are, of which those that say more are preferred.
        beliefs: What is told of pictures, such as `class` → word → probability.
        nearest: Captions and their probabilities, the likeliest first.
    """

    caption: str
    confidence: float
    beliefs: dict[str, dict[str, float]]
    nearest: tuple[tuple[str, float], ...]

    def lines(self) -> list[str]:
        """The description for people: a line for each thing that is told."""
        told = [f"{self.caption} ({self.confidence:.0%})"]
        for name, words in self.beliefs.items():
            likeliest = sorted(words.items(), key=lambda item: -item[1])[:3]
            shares = ", ".join(f"{word} {share:.0%}" for word, share in likeliest if share >= 0.005)
            told.append(f"  {name:12} {shares}")
        others = ", ".join(f"{caption} ({share:.0%})" for caption, share in self.nearest[1:])
        return [*told, f"  {'or':12} {others}"] if others else told


def describe_images(encoders: TextImageEncoders, images: np.ndarray, top: int = 3) -> list[Description]:
    """Describes images by the captions that lie nearest to them.

    Args:
        encoders: Trained on such images.
        images: uint8 (n, height, width, channels) in their size.
        top: Captions that are told of each.

    Raises:
        ArtifactError: If the images have another size, or their vectors are not finite.
    """
    return describe_vectors(encoders, encoders.embed_images(images), top)


def describe_vectors(encoders: TextImageEncoders, vectors: np.ndarray, top: int = 3) -> list[Description]:
    """Describes what the image encoder has given vectors float32 (n, dimension) of, as `describe_images` does."""
    if not np.isfinite(vectors).all():
        raise ArtifactError("vectors of pictures must be finite. Received: NaN or infinity")
    phrases = encoders.bank.phrases
    logits = encoders.scale * vectors @ encoders.embed_texts(phrases, check=False).T
    preferred = logits + encoders.bank.preference
    odds = np.exp(preferred - preferred.max(1, keepdims=True))
    shares = odds / odds.sum(1, keepdims=True)
    found = []
    for row, beliefs in zip(shares, encoders.bank.beliefs(logits), strict=True):
        best = np.argsort(-row, kind="stable")[:top]
        nearest = tuple((phrases[i], float(row[i])) for i in best)
        found.append(Description(*nearest[0], beliefs, nearest))
    return found
