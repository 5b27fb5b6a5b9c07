"""Other classes for networks whose discriminator has spectral norms."""

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.refit.editable import EditableNetwork
from tfgantl.pretrained.refit.labels import LabelRefit


class SpectralRefit(LabelRefit):
    """Fits the networks of `FastGAN` and `SNGAN` to other classes, and refuses other sizes and channels.

    A kernel with a spectral norm cannot be spread over more channels, or stand for an identity, without being scaled:
    the discriminator would judge by another measure from one moment to the next.
    """

    def resize_generator(self, network: EditableNetwork, size: int) -> None:
        self._refuse(network, "image_size", size)

    def resize_discriminator(self, network: EditableNetwork, size: int, images: np.ndarray) -> None:
        self._refuse(network, "image_size", size)

    def change_channels(self, network: EditableNetwork, channels: int) -> None:
        self._refuse(network, "channels", channels)

    def _refuse(self, network: EditableNetwork, name: str, wanted: int) -> None:
        raise ArtifactError(
            f"`target.{name}` must be that of the source, {network.config[name]}, for a {network.kind.__name__}. "
            f"Received: {wanted}"
        )

    def fold_labels(self, network: EditableNetwork, rows: np.ndarray, how: str) -> None:
        if not network.makes_images:  # what counts is the kernel over its norm; logits stay in proportion
            kernel = network.arrays["logits/kernel"]
            network.arrays["logits/kernel"] = kernel / np.linalg.norm(kernel)
        super().fold_labels(network, rows, how)
