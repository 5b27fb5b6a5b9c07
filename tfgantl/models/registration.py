"""Importing this module registers all networks with Keras, so that `keras.models.load_model` knows them."""

from tfgantl.models import ensemble, layers, mined, projected, style_discriminator, stylizer, vgg
from tfgantl.models.families import FAMILIES

NETWORKS = (*(network for family in FAMILIES for network in family.keras_classes()), mined.MinedGenerator)
DISCRIMINATORS = (projected.ProjectedDiscriminator, ensemble.EnsembleDiscriminator)
LAYERS = (
    layers.CaptionVectors,
    layers.DoublingConv2D,
    layers.GatedLinearUnit,
    layers.HalvingSpectralConv2D,
    layers.Noise,
    layers.Dropout,
    layers.LinearResizing,
    layers.SpectralConv2D,
    layers.SpectralDense,
    style_discriminator.StyleDiscriminator,
    stylizer.ConditionalInstanceNorm,
    stylizer.ReflectionPadding,
    stylizer.Stylizer,
    vgg.ConstantConv2D,
    vgg.FusedConv2D,
    vgg.ImageNetPreprocessing,
)
