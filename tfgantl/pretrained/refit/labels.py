"""Labels of conditional networks: an embedding beside the noise, and a projection on the features."""

import numpy as np

from tfgantl.pretrained.refit.base import Refit
from tfgantl.pretrained.refit.editable import EditableNetwork


class LabelRefit(Refit):
    """Base for families whose labels enter as in `tfgantl.models.conditional`.

    The first layer of the generator must be `block0_dense`, with a bias or with a normalisation `block0_bn`.
    """

    def label_table(self, network: EditableNetwork) -> str:
        return "label_embedding/embeddings" if network.makes_images else "label_projection/embeddings"

    def add_labels(self, network: EditableNetwork) -> None:
        if network.makes_images:
            kernel = network.arrays["block0_dense/kernel"]
            nothing = np.zeros((network.config["label_dim"], kernel.shape[1]), np.float32)
            how = f"no → {network.config['num_classes']} classes"
            network.change("block0_dense/kernel", np.concatenate([kernel, nothing]), how)
        # The table of a generator stays at its initial value, so that the zeros above get gradients; that of a
        # discriminator starts at zero by itself.

    def fold_labels(self, network: EditableNetwork, rows: np.ndarray, how: str) -> None:
        label = rows.mean(0)
        if not network.makes_images:
            network.change("logits/kernel", network.arrays["logits/kernel"] + label[:, None], how)
            return
        size = network.config["latent_dim"]
        kernel = network.arrays["block0_dense/kernel"]
        network.change("block0_dense/kernel", kernel[:size], how)
        offset = label @ kernel[size:]
        if "block0_dense/bias" in network.arrays:
            network.change("block0_dense/bias", network.arrays["block0_dense/bias"] + offset, how)
            return
        mean = network.arrays["block0_bn/moving_mean"]
        # One statistic a channel cannot take up an offset that differs from place to place: its mean is the best
        # there is.
        network.change("block0_bn/moving_mean", mean - offset.reshape(-1, len(mean)).mean(0), how)
