"""Layers of the package's own where those of Keras are slow on TensorFlow; same names, weights and numbers."""

from tfgantl.models.layers.batch_normalization import BatchNormalization
from tfgantl.models.layers.convolution import Conv2D, Conv2DTranspose

__all__ = ["BatchNormalization", "Conv2D", "Conv2DTranspose"]
