"""Transfer methods. A new one is a file here and a line below; command line, tests and documentation follow.

This module imports no TensorFlow, so that the command line can list methods quickly.
"""

# ruff: noqa: F401
from typing import TYPE_CHECKING

from tfgantl.transfer.adam import AdAM
from tfgantl.transfer.alternating import Alternating
from tfgantl.transfer.auto import Auto
from tfgantl.transfer.base import Transfer
from tfgantl.transfer.cdc import CDC
from tfgantl.transfer.ewc import EWC
from tfgantl.transfer.feature_distillation import FeatureDistillation
from tfgantl.transfer.finetune import FineTune
from tfgantl.transfer.freeze_d import FreezeD
from tfgantl.transfer.kernel_modulation import KernelModulation
from tfgantl.transfer.l2sp import L2SP
from tfgantl.transfer.latent_affine import LatentAffine
from tfgantl.transfer.lora import LoRA
from tfgantl.transfer.minegan import MineGAN
from tfgantl.transfer.perceptual import Perceptual
from tfgantl.transfer.rick import RICK
from tfgantl.transfer.rssa import RSSA
from tfgantl.transfer.scale_shift import ScaleShift
from tfgantl.transfer.scratch import Scratch
from tfgantl.transfer.svd import SVD
from tfgantl.transfer.text_direction import TextDirection

NAMES = sorted(name for name, value in list(globals().items()) if isinstance(value, type))
if not TYPE_CHECKING:  # type checkers cannot compute a list; without one they take all names
    __all__ = NAMES
