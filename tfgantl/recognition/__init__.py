"""Recognition methods. A new one is a class in the file of its family and a line below; the rest follows.

This module imports no TensorFlow, so that the command line can list methods quickly.
"""

from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.adversarial import ADDA, DANN, MCD
from tfgantl.recognition.methods.alignment import JAN, MMD, AdaBN, DeepCORAL
from tfgantl.recognition.methods.baselines import Pooled, SourceOnly, TargetOnly
from tfgantl.recognition.methods.boosting import TrAdaBoost
from tfgantl.recognition.methods.coupled import CoGAN
from tfgantl.recognition.methods.generate_to_adapt import GenerateToAdapt
from tfgantl.recognition.methods.generated import GANImages
from tfgantl.recognition.methods.instance import KLIEP, KMM, DensityRatio
from tfgantl.recognition.methods.meta import FOMAML, Reptile
from tfgantl.recognition.methods.multitask import MultiTask
from tfgantl.recognition.methods.parameters import L2SP, SHOT, FineTune
from tfgantl.recognition.methods.relation import RelationalDistillation, RelationPreserving
from tfgantl.recognition.methods.semi_supervised import PseudoLabels
from tfgantl.recognition.methods.sgan import SGAN, DiscriminatorProbe
from tfgantl.recognition.methods.translation import CyCADA, PixelDA
from tfgantl.recognition.methods.vgg16_head import VGG16Head

METHODS = {
    method.__name__: method
    for method in (
        SourceOnly, TargetOnly, Pooled, DensityRatio, KLIEP, KMM, TrAdaBoost, AdaBN, DeepCORAL, MMD, JAN, DANN, ADDA,
        MCD, FineTune, L2SP, SHOT, VGG16Head, RelationalDistillation, RelationPreserving, GANImages,
        PixelDA, GenerateToAdapt, CoGAN, CyCADA, SGAN, PseudoLabels, DiscriminatorProbe, MultiTask, Reptile, FOMAML,
    )
}  # fmt: skip

__all__ = ["METHODS", "Recognizer", *METHODS]
