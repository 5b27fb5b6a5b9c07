"""Another image size, other channels or other classes for a DCGAN."""

import numpy as np

from tfgantl.pretrained.refit.channels import spread_channels
from tfgantl.pretrained.refit.dcgan_discriminator import resize_discriminator
from tfgantl.pretrained.refit.dcgan_generator import resize_generator
from tfgantl.pretrained.refit.editable import EditableNetwork
from tfgantl.pretrained.refit.labels import LabelRefit


class DCGANRefit(LabelRefit):
    """Fits the networks of `DCGAN`; what growing and dropping stages means stands in two files of their own."""

    def resize_generator(self, network: EditableNetwork, size: int) -> None:
        resize_generator(network, size)

    def resize_discriminator(self, network: EditableNetwork, size: int, images: np.ndarray) -> None:
        resize_discriminator(network, size, images)

    def change_channels(self, network: EditableNetwork, channels: int) -> None:
        # Axis 2 of both kernels is that of the image: a transposed convolution has (height, width, out, in).
        path = "to_images_conv/kernel" if network.makes_images else "block1_conv/kernel"
        values = spread_channels(network.arrays[path], 2, channels, network.makes_images)
        network.change(path, values, f"{network.config['channels']} → {channels} channels")
