"""Specifications of network families, one file each. None imports TensorFlow at the top."""
