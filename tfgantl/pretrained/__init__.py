"""Weights from anywhere to the networks of a target, with a report of what became of each."""

from tfgantl.pretrained.adopt import adopt
from tfgantl.pretrained.copying import copy_weights
from tfgantl.pretrained.discriminators import rebuild_discriminator
from tfgantl.pretrained.handles import load_generator, load_model, load_source, open_source
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.pretrained.refit.source import fit_source
from tfgantl.pretrained.wrap import WrappedGenerator
from tfgantl.untrusted.networks import check_finite, load_network

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
