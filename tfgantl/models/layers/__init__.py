"""Layers of the package's own, where those of Keras are slow on TensorFlow, or do something else."""

from tfgantl.models.layers.batch_normalization import BatchNormalization
from tfgantl.models.layers.convolution import Conv2D, Conv2DTranspose
from tfgantl.models.layers.linear_resizing import LinearResizing
from tfgantl.models.layers.spectral import SpectralConv2D, SpectralDense

__all__ = ["BatchNormalization", "Conv2D", "Conv2DTranspose", "LinearResizing", "SpectralConv2D", "SpectralDense"]
