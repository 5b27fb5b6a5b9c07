"""Importing this module registers all networks with Keras, so that `keras.models.load_model` knows them."""

from tfgantl.models import dcgan, mined, mlp, style_discriminator, stylizer, vgg

NETWORKS = (
    dcgan.DCGANGenerator,
    dcgan.DCGANDiscriminator,
    mined.MinedGenerator,
    mlp.MLPGenerator,
    mlp.MLPDiscriminator,
)
LAYERS = (
    style_discriminator.SpectralConv2D,
    style_discriminator.StyleDiscriminator,
    stylizer.ConditionalInstanceNorm,
    stylizer.ReflectionPadding,
    stylizer.Stylizer,
    vgg.FusedConv2D,
    vgg.ImageNetPreprocessing,
)
