"""Layers of the package's own where those of Keras are slow on TensorFlow; same names, weights and numbers."""

from tfgantl.models.layers.batch_normalization import BatchNormalization

__all__ = ["BatchNormalization"]
