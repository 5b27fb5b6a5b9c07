"""Recognition methods. A new one is a class in the file of its family and a line below; the rest follows.

This module imports no TensorFlow, so that the command line can list methods quickly.
"""

from tfgantl.recognition.adversarial import ADDA, DANN, MCD
from tfgantl.recognition.alignment import JAN, MMD, AdaBN, DeepCORAL
from tfgantl.recognition.base import Recognizer
from tfgantl.recognition.baselines import Pooled, SourceOnly, TargetOnly
from tfgantl.recognition.boosting import TrAdaBoost
from tfgantl.recognition.coupled import CoGAN
from tfgantl.recognition.generate_to_adapt import GenerateToAdapt
from tfgantl.recognition.generated import GANImages
from tfgantl.recognition.instance import KLIEP, KMM, DensityRatio
from tfgantl.recognition.meta import FOMAML, Reptile
from tfgantl.recognition.multitask import MultiTask
from tfgantl.recognition.parameters import L2SP, SHOT, FineTune
from tfgantl.recognition.pretrained import VGG16Head
from tfgantl.recognition.relation import RelationalDistillation, RelationPreserving
from tfgantl.recognition.semi_supervised import PseudoLabels
from tfgantl.recognition.sgan import SGAN, DiscriminatorProbe
from tfgantl.recognition.translation import CyCADA, PixelDA

METHODS = {
    method.__name__: method
    for method in (
        SourceOnly, TargetOnly, Pooled, DensityRatio, KLIEP, KMM, TrAdaBoost, AdaBN, DeepCORAL, MMD, JAN, DANN, ADDA,
        MCD, FineTune, L2SP, SHOT, VGG16Head, RelationalDistillation, RelationPreserving, GANImages,
        PixelDA, GenerateToAdapt, CoGAN, CyCADA, SGAN, PseudoLabels, DiscriminatorProbe, MultiTask, Reptile, FOMAML,
    )
}  # fmt: skip

__all__ = ["METHODS", "Recognizer", *METHODS]
