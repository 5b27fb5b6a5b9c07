"""Words that the command line knows of editing. Imports no TensorFlow."""

from typing import Literal, TypeAlias

SpaceName: TypeAlias = Literal["auto", "z", "w", "w+"]
