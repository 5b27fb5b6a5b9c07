"""The one list of network families. Imports no TensorFlow.

What is listed here can be imported from `tfgantl` and `tfgantl.models`, named on the command line, is registered with
Keras, and is run through the shared tests.
A family of another package needs no line: its specification is a subclass of `Networks`, named by its class path.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from typing import TYPE_CHECKING

from tfgantl.models.specifications.base import Networks
from tfgantl.models.specifications.dcgan import DCGAN
from tfgantl.models.specifications.fastgan import FastGAN
from tfgantl.models.specifications.mlp import MLP
from tfgantl.models.specifications.sngan import SNGAN
from tfgantl.models.specifications.stylegan2 import StyleGAN2

if TYPE_CHECKING:
    import keras

FAMILIES: tuple[type[Networks], ...] = (DCGAN, MLP, StyleGAN2, SNGAN, FastGAN)
NAMES = [family.__name__ for family in FAMILIES]
if not TYPE_CHECKING:  # type checkers cannot compute a list; without one they take all names
    __all__ = NAMES


def family_of(network: keras.Model) -> type[Networks] | None:
    """The family that a generator or discriminator is of, be it listed or of another package; `None` if of none."""
    families, waiting = list(FAMILIES), list(Networks.__subclasses__())
    while waiting:
        family = waiting.pop()
        waiting += family.__subclasses__()
        if family not in families:
            families.append(family)
    return next((family for family in families if type(network) in family.keras_classes()), None)


def specification_of(generator: keras.Model) -> Networks | None:
    """What a generator was built from, as far as it tells; `None` if it is of no family."""
    family = family_of(generator)
    return family.from_generator(generator) if family else None


def suited_to(image_size: int, channels: int) -> Networks:
    """The networks that are trained where nobody names any: what does best from nothing (docs/benchmarks.md).

    Args:
        image_size: Height and width in pixels.
        channels: 1 for gray, 3 for RGB.

    Example:
        >>> suited_to(64, 3), suited_to(28, 1) == DCGAN()
        (FastGAN(latent_dim=128, width=16, most=256, label_dim=16), True)
    """
    is_power_of_2 = image_size & (image_size - 1) == 0
    return FastGAN() if channels == 3 and is_power_of_2 and image_size >= 32 else DCGAN.for_size(image_size)


def text_families() -> list[type[Networks]]:
    """The listed families that can be made text-conditional: their networks have the setting `text_dim`."""
    return [family for family in FAMILIES if "text_dim" in signature(family.keras_classes()[0]).parameters]


def family_names(families: Iterable[type[Networks]] = FAMILIES) -> str:
    """Names of the listed families, or of some of them, for messages."""
    *others, last = (family.__name__ for family in families)
    return f"{', '.join(others)} or {last}"
