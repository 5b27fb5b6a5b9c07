"""Convolutions that are faster than those of Keras where maps are small and channels many.

The gradient of a convolution with respect to its images is a transposed convolution, and that is what a generator
computes forward. Without AVX-512, TensorFlow's operation for it reaches a fifth of what its forward convolution does
there. Each of the stride² phases of the result is an ordinary convolution with a part of the kernel, of as many
multiplications in all.

The gradient with respect to the kernel reaches a quarter of what matrix products do in bfloat16. Once every stride x
stride places have become channels of one place, it is such a product for each of a few shifts.
"""

from functools import cache
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

MAX_PLACES = 64  # of the smaller map: beyond it the operations of TensorFlow are as fast, in either case
MIN_WEIGHTS = 64 * 64  # inputs times outputs of a place of the kernel


@keras.saving.register_keras_serializable(package="tfgantl")
class Conv2D(keras.layers.Conv2D):
    """Keras' layer, with a faster gradient; configuration, weights and results are those of Keras, to 1e-5.

    Whatever is not strided alike in both directions and padded to `same` is left to Keras.

    Example:
        >>> Conv2D(2, 5, strides=2, padding="same")(np.ones((1, 8, 8, 3), np.float32)).shape
        TensorShape([1, 4, 4, 2])
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        is_small = _is_small(inputs.shape, self.strides[0], kernel.shape)
        if not _fits(self) or self.groups != 1 or not is_small or not _is_faster(inputs.dtype):
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, tf.cast(tf.convert_to_tensor(kernel), inputs.dtype), self.strides[0])


@keras.saving.register_keras_serializable(package="tfgantl")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' layer, faster; configuration, weights and results are those of Keras, to 1e-5.

    Whatever is not strided alike in both directions and padded to `same` is left to Keras.

    Example:
        >>> Conv2DTranspose(2, 5, strides=2, padding="same")(np.ones((1, 4, 4, 3), np.float32)).shape
        TensorShape([1, 8, 8, 2])
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        stride, (_, height, width, _) = self.strides[0], inputs.shape
        large = None if None in (height, width) else (None, height * stride, width * stride, self.filters)
        fits = _fits(self) and self.output_padding is None and min(self.kernel_size) >= stride
        is_small = large is not None and _is_small(large, stride, self.kernel.shape)
        if not fits or not is_small or not _is_faster(inputs.dtype):
            return super().call(inputs)
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype)
        outputs = transposed(inputs, kernel, stride, (height * stride, width * stride))
        outputs = tf.nn.bias_add(outputs, tf.cast(self.bias, outputs.dtype)) if self.use_bias else outputs
        return outputs if self.activation is None else self.activation(outputs)


def convolve(images: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A convolution padded to `same`.

    Args:
        images: (batch, height, width, inputs), with static sides that `stride` divides.
        kernel: (height, width, inputs, outputs), of the same type.
        stride: In both directions.

    Returns:
        (batch, height / stride, width / stride, outputs).
    """
    size = (images.shape[1], images.shape[2])

    @tf.custom_gradient
    def forward(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return transposed(upstream, kernel, stride, size), kernel_gradient(images, upstream, kernel, stride)

        return tf.nn.conv2d(images, kernel, stride, "SAME"), gradient

    return forward(*_here(images, kernel))


def transposed(images: tf.Tensor, kernel: tf.Tensor, stride: int, size: tuple[int, int]) -> tf.Tensor:
    """The transpose of `convolve`: what it gives for images of this size, back to that size.

    Args:
        images: (batch, height, width, outputs).
        kernel: (height, width, inputs, outputs), at least `stride` a side.
        stride: In both directions.
        size: Height and width of the result: those of `images` times `stride`.

    Returns:
        (batch, *size, inputs).
    """

    @tf.custom_gradient
    def forward(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return convolve(upstream, kernel, stride), kernel_gradient(upstream, images, kernel, stride)

        if _is_plain_processor():
            return _phases(images, kernel, stride, size), gradient
        shape = (tf.shape(images)[0], *size, kernel.shape[2])
        return tf.nn.conv2d_transpose(images, kernel, shape, stride, "SAME"), gradient

    return forward(*_here(images, kernel))


def kernel_gradient(images: tf.Tensor, upstream: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """Gradient of `convolve` with respect to its kernel, for the gradient of what it gives; itself differentiable."""
    size = (images.shape[1], images.shape[2])

    @tf.custom_gradient
    def forward(images: tf.Tensor, upstream: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return transposed(upstream, second, stride, size), convolve(images, second, stride)

        if _multiplies(images.dtype):
            return _products(images, upstream, kernel.shape, stride), gradient
        found = tf.raw_ops.Conv2DBackpropFilter(
            input=images, filter_sizes=kernel.shape, out_backprop=upstream, strides=[1, stride, stride, 1],
            padding="SAME",
        )  # fmt: skip
        return found, gradient

    return forward(*_here(images, upstream))


def _here(*tensors: tf.Tensor) -> list[tf.Tensor]:
    """The same tensors in the graph that is being made: gradients of a branch find those of no other graph."""
    return [tf.identity(tf.convert_to_tensor(tensor)) for tensor in tensors]


def _phases(images: tf.Tensor, kernel: tf.Tensor, stride: int, size: tuple[int, int]) -> tf.Tensor:
    """Every place of the result sees those weights of the kernel that its distance to the grid of `images` selects."""
    sides = [_taps(side, large, stride) for side, large in zip(kernel.shape[:2], size, strict=True)]
    before, behind = (
        [max(0, *(edge(start, taps) for start, taps in phases)) for phases in sides]
        for edge in (lambda start, taps: -start, lambda start, taps: start + len(taps) - 1)
    )
    padded = tf.pad(images, [[0, 0], [before[0], behind[0]], [before[1], behind[1]], [0, 0]])
    turned = tf.transpose(kernel, (0, 1, 3, 2))
    height, width = size[0] // stride, size[1] // stride
    rows = []
    for first, vertical in sides[0]:
        row = []
        for second, horizontal in sides[1]:
            top, left = before[0] + first, before[1] + second
            seen = padded[:, top : top + height + len(vertical) - 1, left : left + width + len(horizontal) - 1]
            weights = tf.gather(tf.gather(turned, vertical, axis=0), horizontal, axis=1)
            row.append(tf.nn.conv2d(seen, weights, 1, "VALID"))
        rows.append(tf.stack(row, 3) if stride > 1 else row[0])
    if stride == 1:
        return rows[0]
    return tf.reshape(tf.stack(rows, 2), (-1, *size, kernel.shape[2]))


def _products(images: tf.Tensor, upstream: tf.Tensor, kernel: tf.TensorShape, stride: int) -> tf.Tensor:
    """The gradient of the kernel as a sum over places: for each shift, one product of what is seen and what came."""
    height, width = images.shape[1] // stride, images.shape[2] // stride
    shifts = [-(-side // stride) for side in kernel[:2]]
    padding = [[0, 0]]
    for side, large, small, count in zip(kernel[:2], images.shape[1:3], (height, width), shifts, strict=True):
        before = max((small - 1) * stride + side - large, 0) // 2
        padding.append([before, (small + count - 1) * stride - before - large])
    seen = tf.pad(images, [*padding, [0, 0]])
    seen = tf.nn.space_to_depth(seen, stride) if stride > 1 else seen
    came = tf.reshape(upstream, (-1, kernel[3]))
    found = tf.stack([
        tf.matmul(tf.reshape(seen[:, i : i + height, j : j + width], (-1, seen.shape[3])), came, transpose_a=True)
        for i in range(shifts[0]) for j in range(shifts[1])
    ])  # fmt: skip
    found = tf.reshape(found, (*shifts, stride, stride, kernel[2], kernel[3]))
    found = tf.transpose(found, (0, 2, 1, 3, 4, 5))
    found = tf.reshape(found, (shifts[0] * stride, shifts[1] * stride, kernel[2], kernel[3]))
    return found[: kernel[0], : kernel[1]]


def _taps(side: int, large: int, stride: int) -> list[tuple[int, list[int]]]:
    """For each phase of one direction: the first place that it sees, beside its own, and weights of the kernel."""
    small = large // stride
    padding = max((small - 1) * stride + side - large, 0) // 2
    phases = []
    for phase in range(stride):
        centre, first = divmod(phase + padding, stride)
        taps = list(range(first, side, stride))[::-1]
        phases.append((centre - len(taps) + 1, taps))
    return phases


def _fits(layer: keras.layers.Layer) -> bool:
    return (
        layer.padding == "same"
        and layer.data_format == "channels_last"
        and layer.strides[0] == layer.strides[1]
        and set(layer.dilation_rate if isinstance(layer.dilation_rate, tuple) else [layer.dilation_rate]) == {1}
    )


def _is_small(large: tuple[int | None, ...], stride: int, kernel: tuple[int, ...]) -> bool:
    """Whether maps have known shapes, the smaller one few places, and the kernel many channels."""
    _, height, width, _ = large
    if height is None or width is None or height % stride or width % stride or min(kernel[:2]) < stride:
        return False
    small = (height // stride) * (width // stride)
    return small <= MAX_PLACES and kernel[2] * kernel[3] >= MIN_WEIGHTS


def _is_faster(dtype: str | tf.DType) -> bool:
    """Whether there is anything faster than the operations of TensorFlow."""
    return _is_plain_processor() or _multiplies(dtype)


@cache
def _is_plain_processor() -> bool:
    """Whether convolutions run on a processor without AVX-512: TensorFlow has transposed ones of oneDNN with it."""
    if _has_gpu():
        return False
    try:
        return "avx512f" not in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _multiplies(dtype: str | tf.DType) -> bool:
    """Whether gradients of kernels are made of matrix products."""
    return tf.as_dtype(dtype) == tf.bfloat16 and not _has_gpu()


@cache
def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
