"""Recognition: classifiers that are transferred between domains. Imports no TensorFlow.

`METHODS` are all methods by name; each is also an attribute of this package.
"""

from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods import *  # noqa: F403
from tfgantl.recognition.registry import METHODS

__all__ = ["METHODS", "Recognizer"]
__all__.extend(METHODS)
