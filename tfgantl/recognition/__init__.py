"""Recognition methods. A new one is a class in the file of its family and a line below; the rest follows.

This module imports no TensorFlow, so that the command line can list methods quickly.
"""

from tfgantl.recognition.adversarial import ADDA, DANN, MCD
from tfgantl.recognition.alignment import JAN, MMD, AdaBN, DeepCORAL
from tfgantl.recognition.base import Recognizer
from tfgantl.recognition.baselines import Pooled, SourceOnly, TargetOnly
from tfgantl.recognition.generated import CoGAN, GANImages, GenerateToAdapt
from tfgantl.recognition.instance import KLIEP, KMM, DensityRatio
from tfgantl.recognition.parameters import L2SP, SHOT, FineTune
from tfgantl.recognition.relation import RelationalDistillation, RelationPreserving
from tfgantl.recognition.semi_supervised import PseudoLabels

__all__ = [
    "ADDA", "DANN", "JAN", "KLIEP", "KMM", "L2SP", "MCD", "MMD", "SHOT", "AdaBN", "DeepCORAL", "DensityRatio",
    "FineTune", "Pooled", "PseudoLabels", "Recognizer", "RelationPreserving", "RelationalDistillation", "SourceOnly",
    "TargetOnly",
]  # fmt: skip
from tfgantl.recognition.translation import CyCADA, PixelDA
