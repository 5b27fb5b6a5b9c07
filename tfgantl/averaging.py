"""The averaged generator: an exponential moving average of the weights, which makes better images than the last ones.

Reference:
    Yazıcı et al., 2019, https://arxiv.org/abs/1806.04498
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfgantl.models.adapters.base import Adapter, effective_weights
from tfgantl.models.copies import float32_copy
from tfgantl.models.variable_names import named_variables


def averaged_copy(generator: keras.Model) -> keras.Model:
    """The float32 network that is to hold the average, with the present weights; nothing trains it."""
    average = float32_copy(generator)
    average.trainable = False
    return average


def update_average(
    average: keras.Model, live: keras.Model, adapters: Sequence[Adapter], step: tf.Tensor, decay: float
) -> None:
    """Moves the average towards the weights that a network computes with.

    Args:
        average: Network that holds the average, statistics of batch normalisation among it. What layers name as their
            `buffers`, such as averages of their own, is copied.
        live: Network of the same architecture that is being trained.
        adapters: Those of `live`; the average has them merged.
        step: Number of steps taken, int32.
        decay: Share of the old average that is kept; less in the first steps, which it follows closely.
    """
    step = tf.cast(step, tf.float32)
    share = 1.0 - tf.minimum(decay, (1.0 + step) / (10.0 + step))
    adapted = effective_weights(live, adapters)
    buffers = {id(v) for layer in live._flatten_layers() for v in getattr(layer, "buffers", ())}
    for old, (name, new) in zip(average.variables, named_variables(live).items(), strict=True):
        if id(new) in buffers:
            old.assign(new)
        elif keras.backend.is_float_dtype(new.dtype):
            # old - share * (old - new), which is one pass over the weights
            difference = old - adapted.get(name, new)
            rate = tf.cast(share, new.dtype)
            tf.raw_ops.ResourceApplyGradientDescent(var=old.value.handle, alpha=rate, delta=difference)
