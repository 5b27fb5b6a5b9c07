"""How well encoders describe held-out pictures, and find them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfgantl.crossmodal.description import describe_images
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.retrieval import measure_retrieval
from tfgantl.pipelines.describe.material import CaptionedMaterial


@dataclass(frozen=True)
class DescriptionMeasures:
    """What was measured on held-out pictures.

    Args:
        pictures: Number of them.
        captions: Number of different captions that they have.
        retrieval: Direction, or what chance would give of it → rank → recall.
        told: Name of what is told of pictures → share of those that show a value with a word, for which the likeliest
            word is the right one.
    """

    pictures: int
    captions: int
    retrieval: dict[str, dict[int, float]]
    told: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values, with ranks as text."""
        recall = {
            way: {f"recall@{rank}": round(share, 4) for rank, share in ranks.items()}
            for way, ranks in self.retrieval.items()
        }
        return {"pictures": self.pictures, "captions": self.captions, "retrieval": recall, "told": self.told}

    def flat(self) -> dict[str, float]:
        """Name → number, for the model card and the log."""
        found = {
            f"recall@{rank}, {way}": round(share, 4)
            for way, ranks in self.retrieval.items()
            for rank, share in ranks.items()
        }
        return found | {f"{name} told": share for name, share in self.told.items()}


def measure(encoders: TextImageEncoders, material: CaptionedMaterial) -> DescriptionMeasures:
    """Measures retrieval both ways, and how often class and attributes are told rightly."""
    images, captions = material.test_images, material.test_captions
    told: dict[str, float] = {}
    if material.facts is not None:
        beliefs = [description.beliefs for description in describe_images(encoders, images)]
        for column, name in enumerate(encoders.bank.names):
            words = encoders.bank.values[column]
            shown = [words[value] for value in material.facts[:, column]]
            likeliest = [max(one[name], key=one[name].__getitem__) for one in beliefs]
            right = [found == word for found, word in zip(likeliest, shown, strict=True) if word]
            told[name] = round(float(np.mean(right)), 4) if right else 0.0
    retrieval = measure_retrieval(encoders, images, captions)
    return DescriptionMeasures(len(images), len(captions.phrases), retrieval, told)
