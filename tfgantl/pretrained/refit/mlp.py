"""Another image size or other channels for a dense GAN: its weights next to the image are themselves images."""

import numpy as np

from tfgantl.pretrained.refit.channels import spread_channels
from tfgantl.pretrained.refit.editable import EditableNetwork
from tfgantl.pretrained.refit.labels import LabelRefit
from tfgantl.pretrained.refit.resampling import resize_pixels


class MLPRefit(LabelRefit):
    """Fits the networks of `MLP`."""

    def resize_generator(self, network: EditableNetwork, size: int) -> None:
        for path in ("to_images_dense/kernel", "to_images_dense/bias"):
            resize_pixels(network, path, size, axis=-1)
        network.config["image_size"] = size

    def resize_discriminator(self, network: EditableNetwork, size: int, images: np.ndarray) -> None:
        resize_pixels(network, "block1_dense/kernel", size, axis=0)
        network.config["image_size"] = size

    def change_channels(self, network: EditableNetwork, channels: int) -> None:
        side, old = network.config["image_size"], network.config["channels"]
        how = f"{old} → {channels} channels"
        if network.makes_images:
            for path in ("to_images_dense/kernel", "to_images_dense/bias"):
                values = network.arrays[path]
                maps = spread_channels(values.reshape(-1, side, side, old), 3, channels, True)
                network.change(path, maps.reshape(*values.shape[:-1], -1), how)
        else:
            maps = network.arrays["block1_dense/kernel"].reshape(side, side, old, -1)
            maps = spread_channels(maps, 2, channels, False)
            network.change("block1_dense/kernel", maps.reshape(side * side * channels, -1), how)
