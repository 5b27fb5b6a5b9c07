"""Words that the command line knows of editing. Imports no TensorFlow."""

from typing import Literal, TypeAlias

SpaceName: TypeAlias = Literal["auto", "z", "w", "w+"]
HoleName: TypeAlias = Literal["centre", "random", "half", "grid"]
RestorationTask: TypeAlias = Literal["superresolve", "denoise", "decolorize"]
