"""Networks: functional Keras models with named blocks, and the specifications that build them.

This module imports no TensorFlow, so that the command line can list and check networks quickly.
"""

from tfgantl.models.networks import DCGAN, MLP, Networks

__all__ = ["DCGAN", "MLP", "Networks"]
