"""Whether the rows of a batch can depend on each other: requests of strangers are put together only if they cannot."""

import keras
import numpy as np
from keras import layers

# Layers of Keras that treat each row alone, in inference. What is not listed may do anything, and so may operations
# between layers, which change the batch as they change any side.
ROW_WISE = (
    layers.InputLayer, layers.Identity, layers.Dense, layers.Embedding, layers.Activation, layers.ReLU,
    layers.LeakyReLU, layers.ELU, layers.Softmax, layers.Rescaling, layers.Conv2D, layers.Conv2DTranspose,
    layers.DepthwiseConv2D, layers.SeparableConv2D, layers.MaxPooling2D, layers.AveragePooling2D,
    layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D, layers.BatchNormalization, layers.LayerNormalization,
    layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.Flatten, layers.Reshape,
    layers.ZeroPadding2D, layers.Cropping2D, layers.UpSampling2D, layers.Concatenate, layers.Add, layers.Multiply,
    layers.UnitNormalization,
)  # fmt: skip


def rows_are_independent(network: keras.Model) -> bool:
    """Whether each part of a network is known to treat each row alone, in inference.

    Networks and layers of this package do, unless they say that they run a foreign graph or mix rows. Networks made of
    Keras' layers do if all of these are listed, are called as in inference, keep the batch as the first side of all
    that they take and give, and work along no axis that is the batch.
    """
    return _is_row_wise(network)


def same_alone(alone: np.ndarray, together: np.ndarray) -> bool:
    """Whether the first row of a batch is what it is by itself, but for rounding; files are not compared."""
    if together.dtype.kind not in "fiub" or not len(together) or not np.isfinite(together).all():
        return True  # what is not finite is not published, which the check of the version tells
    first, scale = together[:1].astype(np.float64), 1e-3 * (1 + float(np.abs(together).max()))
    return alone.shape == first.shape and bool(np.allclose(alone.astype(np.float64), first, rtol=1e-3, atol=scale))


def _is_row_wise(part: keras.layers.Layer) -> bool:
    if getattr(part, "runs_foreign_graph", False) or getattr(part, "mixes_rows", False):
        return False
    inner = list(part._flatten_layers(include_self=False, recursive=False))
    if _is_ours(part):
        # What it is made of is ours, too, but for networks that it was given.
        return all(_is_row_wise(one) for one in inner if isinstance(one, keras.Model) or _is_ours(one))
    if isinstance(part, keras.Model):
        functional = getattr(part, "_functional", None) or part
        known = type(part).__module__.startswith("keras.src.models.")
        calls = all(map(_is_called_row_wise, getattr(functional, "operations", [None])))
        return known and calls and all(map(_is_row_wise, inner))
    return type(part) in ROW_WISE


def _is_ours(part: keras.layers.Layer) -> bool:
    return type(part).__module__.startswith("tfgantl.")


def _is_called_row_wise(operation: keras.Operation | None) -> bool:
    """Whether an operation of a graph of layers is a layer, and each of its calls leaves the batch what it is."""
    if not isinstance(operation, layers.Layer):
        return False
    axis = getattr(operation, "axis", ())
    if axis is None:  # all of them
        return False
    axes = set(np.ravel(axis).tolist())
    for node in operation._inbound_nodes:
        tensors = [*node.input_tensors, *node.output_tensors]
        # Labels are one number for each row, and are looked up.
        ranks = {len(tensor.shape) for tensor in tensors if not isinstance(operation, layers.InputLayer)}
        if any(tensor.shape[:1] != (None,) for tensor in tensors) or node.arguments.kwargs.get("training"):
            return False
        if not isinstance(operation, layers.Embedding) and not _is_ours(operation) and min(ranks, default=2) < 2:
            return False
        inputs = {len(tensor.shape) for tensor in node.input_tensors}
        if len(inputs) > 1 or axes & {0, *(-rank for rank in ranks)}:
            return False
    return True
