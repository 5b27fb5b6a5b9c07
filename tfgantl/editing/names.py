"""Words that the command line knows of editing. Imports no TensorFlow."""

from typing import Literal, TypeAlias

SpaceName: TypeAlias = Literal["auto", "z", "w", "w+"]
HoleName: TypeAlias = Literal["centre", "random", "half", "grid"]
RestorationTask: TypeAlias = Literal["superresolve", "denoise", "decolorize"]

MAX_STRENGTH = 100  # standard deviations of codes that they are moved by; images are none long before
MAX_NUMBER = 1e6  # in codes: typical ones are below 5, and the squares of much larger numbers are infinite
