"""Words that the command line knows of editing. Imports no TensorFlow."""

from typing import Literal, TypeAlias

SpaceName: TypeAlias = Literal["auto", "z", "w", "w+"]
HoleName: TypeAlias = Literal["centre", "random", "half", "grid"]
RestorationTask: TypeAlias = Literal["superresolve", "denoise", "decolorize"]

MAX_STRENGTH = 100  # standard deviations of codes that they are moved by; images are none long before
