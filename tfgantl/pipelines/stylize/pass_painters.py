"""Painters that need one pass: a module for arbitrary styles, and a network of many styles asked by a phrase."""

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf

from tfgantl.crossmodal.text_checks import told_unknown
from tfgantl.errors import ConfigError
from tfgantl.images import finite_pixels, to_unit
from tfgantl.models.copies import layers_hash, weights_hash
from tfgantl.models.stylizer import SMALLEST, paint
from tfgantl.pipelines.stylize.painters import place, write_painted
from tfgantl.pipelines.stylize.preparation import Job
from tfgantl.pipelines.stylize.trained import load_with_phrases
from tfgantl.style.arbitrary import load_module, paint_with
from tfgantl.style.color import match_colors, with_colors_of
from tfgantl.style.objective import held
from tfgantl.style.phrases import drawn_from
from tfgantl.style.pictures import read_picture, resized, shape_at
from tfgantl.style.regions import painted_in_regions
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize import StylizeConfig


class PassPainter(ABC):
    """Paints each picture in one pass.

    Args:
        config: The `StylizeConfig`.
        job: What to paint.
    """

    def __init__(self, config: "StylizeConfig", job: Job) -> None:
        self.config, self.job, self.steps = config, job, 1
        self.history: dict[str, list[dict]] = {}
        self.facts: dict[str, str] = {}
        self.told: dict[str, Any] = {}  # of every picture, for the result

    @abstractmethod
    def painted(self, content: np.ndarray) -> np.ndarray:
        """A picture float32 (height, width, 3) in [-1, 1], painted as strongly as can be."""

    def notes(self) -> list[str]:
        """Lines for the log."""
        return []

    def paint(self, run: RunDirectory, number: int) -> dict:
        """Paints one picture; losses are not known."""
        path, config = cast(Path, self.job.contents[number]), self.config  # one pass needs a content
        picture, start = self.job.read(path), time.perf_counter()
        content = to_unit(resized(picture, shape_at(picture, config.size)))
        painted = content + config.strength * (self.painted(content) - content)
        if config.preserve_color == "lum":
            painted = with_colors_of(painted, content)
        if config.smooth and number:
            painted = self._smoothed(run, number, content, painted)
        write_painted(run, place(run, path), finite_pixels(np.asarray(painted), "a network of styles"))
        seconds = round(time.perf_counter() - start, 4)
        plain: dict[str, Any] = {
            "content_loss": None,
            "style_loss": None,
            "seconds_per_step": seconds,
            "effective_weights": {},
        }
        return {**plain, **self.told}

    def _smoothed(self, run: RunDirectory, number: int, content: np.ndarray, painted: np.ndarray) -> np.ndarray:
        """Mixed with the frame before where the content has not moved."""
        earlier = cast(Path, self.job.contents[number - 1])
        shape = content.shape[:2]
        frame = self.job.read(earlier)
        result = read_picture(place(run, earlier), "content")
        before = to_unit(resized(result, shape)), to_unit(resized(frame, shape))
        return held(painted, content, before, self.config.smooth)


class ModulePainter(PassPainter):
    """Paints with a module for arbitrary styles; several styles are painted one by one and mixed.

    Args:
        config: The `StylizeConfig`.
        job: What to paint, and with which styles.
        hub: Handle of the module.
    """

    def __init__(self, config: "StylizeConfig", job: Job, hub: str) -> None:
        super().__init__(config, job)
        self.hub = hub
        self.module, self.facts = load_module(hub, config.allow_ops)

    def painted(self, content: np.ndarray) -> np.ndarray:
        """The mean of what the module paints in each style."""
        painted = np.zeros_like(content)
        for style, share in zip(self.job.styles, self.job.shares, strict=True):
            image = to_unit(style)
            image = match_colors(image, content) if self.config.preserve_color == "cov" else image
            painted = painted + share * paint_with(self.module, content, image, self.hub)
        return painted


class PhrasePainter(PassPainter):
    """Paints with a network of many styles, in the mix of them that a phrase asks for.

    Args:
        config: The `StylizeConfig`.
        job: What to paint.
        phrase: What to paint like.

    Raises:
        TfgantlError: If the network cannot be used, or the phrase has no word that is known.
    """

    def __init__(self, config: "StylizeConfig", job: Job, phrase: str) -> None:
        super().__init__(config, job)
        self.network, phrases = load_with_phrases(config.model)
        self.mix = phrases.mix(phrase, self.network.styles)
        shares = drawn_from(self.network.styles, self.mix)
        unknown = phrases.unknown_words(phrase)
        self.told = {"phrase": phrase.strip(), "drawn_from": shares, "unknown_words": unknown}
        self.facts = {
            "stylizer": weights_hash(self.network), "layers of the stylizer": layers_hash(self.network),
            "styles of the stylizer": ", ".join(self.network.styles),
            "phrases": phrases.encoders.hash, "what phrases say": phrases.encoders.facts_hash,
            "layers of the encoders of phrases": phrases.encoders.layers_hash,
        }  # fmt: skip

    def notes(self) -> list[str]:
        """Which styles are drawn from, and which words are not known."""
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.told["drawn_from"].items())
        return [f"`{self.told['phrase']}` draws from {shares}", *told_unknown(self.told["unknown_words"])]

    def painted(self, content: np.ndarray) -> np.ndarray:
        """What the network paints in the mix, or in a region for each of its styles."""
        if min(content.shape[:2]) < SMALLEST:
            raise ConfigError(f"`size` must give at least {SMALLEST} pixels a side. Received: {content.shape[:2]}")

        def in_mix(mix: np.ndarray) -> np.ndarray:
            return np.asarray(paint(self.network, tf.constant(content), tf.constant(mix), 1.0))

        if self.config.blend == "regions":
            return painted_in_regions(in_mix, content, self.mix)
        return in_mix(self.mix)
