"""Checkpoints of PyTorch and of NVIDIA's GANs, read as data: nothing in them is imported, called or changed."""

from tfgantl.untrusted.torch_files.formats import read_checkpoint

__all__ = ["read_checkpoint"]
