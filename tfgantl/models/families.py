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


def text_families() -> list[type[Networks]]:
    """The listed families that can be made text-conditional: their networks have the setting `text_dim`."""
    return [family for family in FAMILIES if "text_dim" in signature(family.keras_classes()[0]).parameters]


def family_names(families: Iterable[type[Networks]] = FAMILIES) -> str:
    """Names of the listed families, or of some of them, for messages."""
    *others, last = (family.__name__ for family in families)
    return f"{', '.join(others)} or {last}"
