"""Whether a phrase paints what it asks for: a classifier of styles looks at photographs painted by phrases."""

from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tfgantl.data.textures import draw_texture
from tfgantl.images import to_uint8, to_unit
from tfgantl.models.stylizer import Stylizer, paint
from tfgantl.models.vgg import vgg16
from tfgantl.pipelines.stylize.captions import measured_words
from tfgantl.pipelines.stylize.trained import load_with_phrases
from tfgantl.style.crops import crops
from tfgantl.style.pictures import read_picture, resized, shape_at
from tfgantl.style.regions import painted_in_regions
from tfgantl.style.style_captions import StyleCaptions

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv2")  # no loss of a painting looks at these
PHOTOGRAPHS = ("astronaut", "rocket", "coffee")  # that the recipe of the shipped network does not train on
STYLE_SIDE, PHOTOGRAPH_SIDE, CROP = 128, 192, 64  # pixels; styles as trainings see them
CROPS = 24  # of each picture
PAIRS = 20


def styled(model: str | None, seed: int) -> dict[str, dict[str, Any]]:
    """Photographs painted by phrases, as a classifier of styles sees them.

    Args:
        model: Run of `tfgantl stylize train` with `--styles painted`; the shipped network if not given.
        seed: Chooses the wording of phrases, crops and pairs.

    Returns:
        Row of the table → share of paintings whose style is named, or whose two styles are the first two.
    """
    network, phrases = load_with_phrases(model)
    pictures = [draw_texture(name) for name in network.styles]
    captions = StyleCaptions(tuple(network.styles), measured_words(pictures))
    judge = StyleJudge(pictures, seed)
    rng, count = np.random.default_rng([seed, 22]), len(pictures)
    photographs = [read_picture(name, "content") for name in PHOTOGRAPHS]
    photographs = [resized(one, shape_at(one, PHOTOGRAPH_SIDE)) for one in photographs]
    every = list(combinations(range(count), 2))
    pairs = [every[i] for i in rng.permutation(len(every))[:PAIRS]]
    single = [((i,), captions.full(i, rng)) for i in range(count)]
    mixed = [((a, b), f"{captions.full(a, rng)} and {captions.full(b, rng)}") for a, b in pairs]
    halves = [((a, b), np.eye(count, dtype=np.float32)[[a, b]].mean(0)) for a, b in pairs]  # what the network can do

    def asked(phrases_of: list[tuple[tuple[int, ...], str]]) -> list[tuple[tuple[int, ...], np.ndarray]]:
        return [(wanted, phrases.mix(phrase, network.styles)) for wanted, phrase in phrases_of]

    return {
        "one style": _seen(judge, network, photographs, asked(single)),
        "two styles": _seen(judge, network, photographs, asked(mixed)),
        "two styles, in regions": _seen(judge, network, photographs, asked(mixed), "regions"),
        "the same two, half of each, without a phrase": _seen(judge, network, photographs, halves),
        "the style pictures themselves, other crops": {"asked": count, "seen": judge.accuracy(pictures, seed + 1)},
    }


class StyleJudge:
    """Tells styles apart by means and deviations of features of VGG16, learnt on crops of the style pictures.

    Args:
        pictures: Of the styles, uint8 (height, width, 3).
        seed: Chooses the crops.
    """

    def __init__(self, pictures: list[np.ndarray], seed: int) -> None:
        self.network = vgg16(LAYERS)
        features = [self.features(resized(one, shape_at(one, STYLE_SIDE)), seed) for one in pictures]
        labels = np.repeat(np.arange(len(pictures)), CROPS)
        self.classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        self.classifier.fit(np.concatenate(features), labels)

    def features(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """Float32 (crops, length) of a picture."""
        (images,) = crops([picture], CROP, CROPS, 1, seed)
        parts = []
        for layer in self.network(images, training=False):
            mean, variance = tf.nn.moments(layer, (1, 2))
            parts += [mean, tf.sqrt(variance)]
        return np.asarray(tf.concat(parts, 1))

    def ranked(self, picture: np.ndarray, seed: int) -> np.ndarray:
        """Numbers of the styles, the likeliest first, by the mean probability over crops."""
        return np.argsort(-self.classifier.predict_proba(self.features(picture, seed)).mean(0))

    def accuracy(self, pictures: list[np.ndarray], seed: int) -> float:
        """Share of style pictures that are named."""
        small = [resized(one, shape_at(one, STYLE_SIDE)) for one in pictures]
        return float(np.mean([self.ranked(one, seed)[0] == i for i, one in enumerate(small)]))


def _seen(
    judge: StyleJudge,
    network: Stylizer,
    photographs: list[np.ndarray],
    asked: list[tuple[tuple[int, ...], np.ndarray]],
    blend: str = "mix",
) -> dict[str, float]:
    """How often a mix has the styles first that are meant, and the judge names these first."""
    meant, seen = [], []
    for wanted, mix in asked:
        meant.append(set(np.argsort(-mix)[: len(wanted)]) == set(wanted))
        for photograph in photographs:
            image = to_unit(photograph)
            in_mix = partial(_painted, network, image)
            painted = painted_in_regions(in_mix, image, mix) if blend == "regions" else in_mix(mix)
            seen.append(set(judge.ranked(to_uint8(painted), 0)[: len(wanted)]) == set(wanted))
    return {"asked": len(asked), "meant": float(np.mean(meant)), "seen": float(np.mean(seen))}


def _painted(network: Stylizer, image: np.ndarray, mix: np.ndarray) -> np.ndarray:
    return paint(network, tf.constant(image), tf.constant(mix), 1.0).numpy()
