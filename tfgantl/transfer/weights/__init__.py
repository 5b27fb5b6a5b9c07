"""Weights from anywhere to the networks of a target, with a report of what became of each."""

from tfgantl.transfer.weights.adopt import adopt
from tfgantl.transfer.weights.copying import check_finite, copy_weights
from tfgantl.transfer.weights.differences import fit_source
from tfgantl.transfer.weights.discriminators import rebuild_discriminator
from tfgantl.transfer.weights.handles import load_generator, load_model, load_source, open_source
from tfgantl.transfer.weights.report import LoadReport
from tfgantl.transfer.weights.wrap import WrappedGenerator
from tfgantl.untrusted.networks import load_network

__all__ = [
    "LoadReport",
    "WrappedGenerator",
    "adopt",
    "check_finite",
    "copy_weights",
    "fit_source",
    "load_generator",
    "load_model",
    "load_network",
    "load_source",
    "open_source",
    "rebuild_discriminator",
]
