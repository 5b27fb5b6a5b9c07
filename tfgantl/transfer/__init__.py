"""Transfer methods. A new one is a file here and a line below; command line, tests and documentation follow.

This module imports no TensorFlow, so that the command line can list methods quickly.
"""

from tfgantl.transfer.alternating import Alternating
from tfgantl.transfer.anchored import EWC, L2SP
from tfgantl.transfer.auto import Auto
from tfgantl.transfer.base import Transfer
from tfgantl.transfer.consistency import CDC, RSSA
from tfgantl.transfer.distillation import FeatureDistillation
from tfgantl.transfer.finetune import FineTune, Scratch
from tfgantl.transfer.freeze import FreezeD
from tfgantl.transfer.importance import RICK, AdAM
from tfgantl.transfer.latents import LatentAffine, MineGAN
from tfgantl.transfer.low_rank import SVD, KernelModulation, LoRA
from tfgantl.transfer.perceptual import Perceptual
from tfgantl.transfer.scale_shift import ScaleShift

__all__ = [
    "CDC", "EWC", "L2SP", "RICK", "RSSA", "SVD", "AdAM", "Alternating", "Auto", "FeatureDistillation", "FineTune",
    "FreezeD", "KernelModulation", "LatentAffine", "LoRA", "MineGAN", "Perceptual", "ScaleShift", "Scratch", "Transfer",
]  # fmt: skip
