"""Whether the rows of a batch can depend on each other: requests of strangers are put together only if they cannot."""

from collections.abc import Iterable

import keras
import numpy as np

# Layers of Keras, and operations between them, that treat each row alone. What is not listed may do anything.
ROW_WISE = frozenset(
    """
    InputLayer Identity Dense Embedding Activation ReLU LeakyReLU PReLU ELU Softmax Rescaling Normalization
    Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D SeparableConv1D
    SeparableConv2D MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D BatchNormalization LayerNormalization GroupNormalization UnitNormalization
    RMSNormalization SpectralNormalization Dropout SpatialDropout1D SpatialDropout2D AlphaDropout GaussianDropout
    GaussianNoise ActivityRegularization Flatten Reshape Permute RepeatVector Cropping1D Cropping2D ZeroPadding1D
    ZeroPadding2D UpSampling1D UpSampling2D Resizing CenterCrop Concatenate Add Subtract Multiply Average Maximum
    Minimum Divide TrueDivide Negative Square Sqrt Rsqrt Exp Log Tanh Sigmoid Relu Relu6 Silu Gelu Softplus
    HardSigmoid HardSilu Cast Clip Absolute Power
    """.split()
)


def rows_are_independent(network: keras.Model) -> bool:
    """Whether each layer of a network is known to treat each row alone, in inference.

    Layers of this package do, unless they say that they run a foreign graph or mix rows; of Keras' own, those that are
    listed, with no axis that is the batch; all others may not.
    """
    return all(_is_row_wise(operation) for operation in _operations(network))


def same_alone(alone: np.ndarray, together: np.ndarray) -> bool:
    """Whether the first row of a batch is what it is by itself, but for rounding; files are not compared."""
    if together.dtype.kind not in "fiub" or not len(together):
        return True
    first, scale = together[:1].astype(np.float64), 1e-3 * (1 + float(np.abs(together).max()))
    return alone.shape == first.shape and bool(np.allclose(alone.astype(np.float64), first, rtol=1e-3, atol=scale))


def _operations(network: keras.Model) -> Iterable[keras.Operation]:
    """All layers, however deep, and the operations between them."""
    for layer in network._flatten_layers():
        yield layer
        functional = getattr(layer, "_functional", None) or layer
        yield from (one for one in getattr(functional, "operations", ()) if not isinstance(one, keras.layers.Layer))


def _is_row_wise(operation: keras.Operation) -> bool:
    kind = type(operation)
    if getattr(operation, "runs_foreign_graph", False) or getattr(operation, "mixes_rows", False):
        return False
    if kind.__module__.startswith(("tfgantl.", "keras.src.models.")):
        return True
    return kind.__module__.startswith("keras.") and kind.__name__ in ROW_WISE and not _works_on_the_batch(operation)


def _works_on_the_batch(operation: keras.Operation) -> bool:
    """Whether the axis that something is done along is, or may be, the first."""
    axis = getattr(operation, "axis", None)
    if axis is None:
        return False
    ranks = {len(tensor.shape) for node in operation._inbound_nodes for tensor in node.input_tensors}
    return any(
        one == 0 or (one < -1 or not ranks) and one + rank == 0 for one in np.ravel(axis) for rank in ranks or {-one}
    )
