"""Networks: functional Keras models, the specifications that build them, and what they are made of.

This module imports no TensorFlow, so that the command line can list and check networks quickly. The families are those
of `families.py`; each is also an attribute of this package.
"""

from tfgantl.models.families import *  # noqa: F403
from tfgantl.models.families import FAMILIES, NAMES
from tfgantl.models.specifications.base import Networks
from tfgantl.models.specifications.discriminators import Discriminators, Ensemble, Own, Projected

__all__ = ["FAMILIES", "Discriminators", "Ensemble", "Networks", "Own", "Projected"]
__all__.extend(NAMES)
