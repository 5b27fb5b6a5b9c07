"""Fitting a source to a target of another image size, with other channels or other classes."""
