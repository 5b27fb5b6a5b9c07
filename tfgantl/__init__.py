"""tfgantl: adapt a GAN to your images, know whether the transfer helped, and serve it."""

__version__ = "0.2.0"
