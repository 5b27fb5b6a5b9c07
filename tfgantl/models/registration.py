"""Importing this module registers all networks with Keras, so that `keras.models.load_model` knows them."""

from tfgantl.models import dcgan, mined, mlp

NETWORKS = (
    dcgan.DCGANGenerator,
    dcgan.DCGANDiscriminator,
    mined.MinedGenerator,
    mlp.MLPGenerator,
    mlp.MLPDiscriminator,
)
