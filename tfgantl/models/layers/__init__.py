"""Layers that several families share: where those of Keras are slow on TensorFlow, or do something else."""

from tfgantl.models.layers.batch_normalization import BatchNormalization
from tfgantl.models.layers.caption_vectors import CaptionVectors
from tfgantl.models.layers.convolution import Conv2D, Conv2DTranspose
from tfgantl.models.layers.dropout import Dropout
from tfgantl.models.layers.gates import GatedLinearUnit
from tfgantl.models.layers.linear_resizing import LinearResizing
from tfgantl.models.layers.noise import Noise
from tfgantl.models.layers.resampling import DoublingConv2D, HalvingSpectralConv2D
from tfgantl.models.layers.spectral import SpectralConv2D, SpectralDense

__all__ = [
    "BatchNormalization", "CaptionVectors", "Conv2D", "Conv2DTranspose", "DoublingConv2D", "Dropout",
    "GatedLinearUnit", "HalvingSpectralConv2D", "LinearResizing", "Noise", "SpectralConv2D", "SpectralDense",
]  # fmt: skip
