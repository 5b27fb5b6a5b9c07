"""Images by their numbers: image i of a seed is always the same, whoever computes it and beside which others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data.classes import label_of, same_names
from tfgantl.errors import ConfigError, reason
from tfgantl.images import finite_pixels
from tfgantl.models.inference import predict, rows_at_a_time
from tfgantl.pipelines.evaluate.subjects import is_conditional
from tfgantl.pretrained import load_generator
from tfgantl.random_streams import latents_of_seeds
from tfgantl.training.class_names import class_names_behind

if TYPE_CHECKING:
    from tfgantl.pipelines.generate import GenerateConfig


class Drawn(NamedTuple):
    """Some generated images.

    Attributes:
        numbers: int64 (n,), which of the set they are.
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), or `None` of a generator without classes.
        seeds: int64 (n,); a served model makes the same image of it.
    """

    numbers: np.ndarray
    images: np.ndarray
    labels: np.ndarray | None
    seeds: np.ndarray


@dataclass(frozen=True)
class Sampler:
    """A generator, and what makes its images those of a set.

    Args:
        generator: Latents, or latents and labels, to images.
        seed: Of the set.
        labels: The classes that images have in turn; `None` without classes.
        names: Name of each class of the generator by its label; `None` if they are not known.
        batch_size: Images at a time. All batches are of one size, since kernels that are chosen by size round in
            ways of their own.
    """

    generator: keras.Model
    seed: int
    labels: tuple[int, ...] | None
    names: tuple[str, ...] | None
    batch_size: int

    @classmethod
    def of(cls, config: "GenerateConfig", generator: keras.Model, names: tuple[str, ...] | None) -> "Sampler":
        """The sampler of a configuration.

        Raises:
            ConfigError: If classes are asked for that the generator does not have.
        """
        labels = None
        if is_conditional(generator):
            count = int(generator.num_classes)
            labels = tuple(range(count)) if config.classes is None else _labels_of(config.classes, names, count)
        elif config.classes is not None:
            raise ConfigError(f"`classes` must be none for a generator without. Received: {', '.join(config.classes)}")
        return cls(generator, config.seed, labels, names, min(config.batch_size, rows_at_a_time(generator)))

    def draw(self, start: int, stop: int) -> Drawn:
        """Images `start` to `stop` of the set, at most `batch_size` of them.

        Raises:
            ArtifactError: If a pixel is not finite.
        """
        numbers = np.arange(start, stop, dtype=np.int64)
        padded = np.resize(numbers, self.batch_size)
        seeds = self.seed * 2**31 + padded
        noise = latents_of_seeds(tf.constant(seeds), self.generator.inputs[0].shape[-1]).numpy()
        labels = None if self.labels is None else np.array(self.labels, np.int64)[padded % len(self.labels)]
        try:
            images = predict(self.generator, noise if labels is None else [noise, labels], self.batch_size)
        except tf.errors.InvalidArgumentError as error:  # of a published model, which takes no more rows than it says
            raise ConfigError(
                f"`batch_size` must be one that the model takes. Received: {self.batch_size} ({reason(error)})"
            ) from error
        rows = slice(0, len(numbers))
        return Drawn(
            numbers, finite_pixels(images[rows]), None if labels is None else labels[rows], np.asarray(seeds)[rows]
        )


def load_sampled(config: "GenerateConfig") -> tuple[keras.Model, tuple[str, ...] | None]:
    """The generator of a configuration, and the names of its classes if they are known."""
    generator = load_generator(config.model, config.networks, config.allow_ops)
    names = class_names_behind(config.model)
    known = names if names and is_conditional(generator) and len(names) == generator.num_classes else None
    return generator, None if known is None else tuple(known)


def _labels_of(classes: tuple[str, ...], names: tuple[str, ...] | None, count: int) -> tuple[int, ...]:
    known = names or tuple(map(str, range(count)))
    by_name = dict(zip(asked := list(dict.fromkeys(classes)), same_names(asked, known), strict=True))
    labels = [label_of(name, known, count) if by_name[name] is None else by_name[name] for name in classes]
    if not labels or None in labels:
        unknown = classes[labels.index(None)] if labels else "none"
        raise ConfigError(f"`classes` must be out of {', '.join(known)}. Received: {unknown}")
    return tuple(label for label in labels if label is not None)
