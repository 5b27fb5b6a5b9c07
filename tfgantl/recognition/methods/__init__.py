"""Recognition methods by family: what is transferred from the source to the target.

A new method is a class in the file of its family, or in a new one, and a name in the lines below; command line, tables
and tests follow. Methods import TensorFlow when they run, not before, so that the command line can list them quickly;
nor do their files postpone annotations, or the parser would import what is only there for type checkers.
"""

# ruff: noqa: F401
from typing import TYPE_CHECKING

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
from tfgantl.recognition.methods.parameters import SHOT, FineTuneClassifier, L2SPClassifier
from tfgantl.recognition.methods.relation import RelationalDistillation, RelationPreserving
from tfgantl.recognition.methods.semi_supervised import PseudoLabels
from tfgantl.recognition.methods.sgan import SGAN, DiscriminatorProbe
from tfgantl.recognition.methods.translation import CyCADA, PixelDA
from tfgantl.recognition.methods.vgg16_head import VGG16Head

NAMES = [name for name, value in list(globals().items()) if isinstance(value, type)]
if not TYPE_CHECKING:  # type checkers cannot compute a list; without one they take all names
    __all__ = NAMES
