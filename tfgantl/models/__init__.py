"""Networks: functional Keras models, the specifications that build them, and what they are made of.

This module imports no TensorFlow, so that the command line can list and check networks quickly.
"""

from tfgantl.models.families import FAMILIES
from tfgantl.models.specifications.base import Networks
from tfgantl.models.specifications.dcgan import DCGAN
from tfgantl.models.specifications.discriminators import Discriminators, Ensemble, Projected
from tfgantl.models.specifications.fastgan import FastGAN
from tfgantl.models.specifications.mlp import MLP
from tfgantl.models.specifications.sngan import SNGAN
from tfgantl.models.specifications.stylegan2 import StyleGAN2

__all__ = [
    "DCGAN", "FAMILIES", "MLP", "SNGAN", "Discriminators", "Ensemble", "FastGAN", "Networks", "Projected", "StyleGAN2",
]  # fmt: skip
