"""Transfer methods. A new one is a file here and a line below; command line, tests and documentation follow.

This module imports no TensorFlow, so that the command line can list methods quickly.
"""

from tfgantl.transfer.alternating import Alternating
from tfgantl.transfer.base import Transfer
from tfgantl.transfer.finetune import FineTune, Scratch
from tfgantl.transfer.freeze import FreezeD

__all__ = ["Alternating", "FineTune", "FreezeD", "Scratch", "Transfer"]
