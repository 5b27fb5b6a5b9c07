"""The moving statistics of batch normalisation, measured anew."""

from collections.abc import Sequence

import keras


def recalibrate_batch_norm(average: keras.Model, live: keras.Model, batches: Sequence) -> None:
    """Sets the BatchNorm statistics of averaged weights to those that their own activations have.

    Averaged weights make other activations than the live ones, so the statistics of the live network do not fit them.
    Layers that are frozen in the live network are trained with the statistics that they have, and keep them.
    "Standing statistics" of Brock et al., 2019, https://arxiv.org/abs/1809.11096, appendix.

    Args:
        average: Network with averaged weights; its statistics change, and nothing else.
        live: Network of the same architecture that is being trained.
        batches: Inputs of the network.
    """
    pairs = zip(average._flatten_layers(), live._flatten_layers(), strict=True)
    norms = [x for x, y in pairs if isinstance(x, keras.layers.BatchNormalization) and y.trainable]
    if not norms:
        return
    settings = [(norm.momentum, norm.trainable) for norm in norms]
    for norm in norms:
        norm.trainable = True
    for i, inputs in enumerate(batches):
        for norm in norms:
            norm.momentum = i / (i + 1.0)  # makes the moving average the mean over all batches
        average(inputs, training=True)
    for norm, (momentum, trainable) in zip(norms, settings, strict=True):
        norm.momentum, norm.trainable = momentum, trainable
