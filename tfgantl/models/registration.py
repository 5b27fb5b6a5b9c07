"""Importing this module registers all networks with Keras, so that `keras.models.load_model` knows them."""

from tfgantl.models import dcgan, mined, mlp, vgg

NETWORKS = (
    dcgan.DCGANGenerator,
    dcgan.DCGANDiscriminator,
    mined.MinedGenerator,
    mlp.MLPGenerator,
    mlp.MLPDiscriminator,
)
LAYERS = (vgg.FusedConv2D, vgg.ImageNetPreprocessing)
