"""The convolution that comes nearest to a known input and output, by ridge regression on patches."""

import numpy as np
import tensorflow as tf

RIDGE = 1e-4  # of the mean diagonal


def fit_convolution(
    inputs: np.ndarray, outputs: np.ndarray, kernel_size: int, with_bias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fits a convolution of stride 2 with `padding="same"`.

    Args:
        inputs: float32 (n, side, side, channels).
        outputs: float32 (n, side / 2, side / 2, filters).
        kernel_size: Side of the kernel.
        with_bias: Whether there is a bias.

    Returns:
        `(kernel, bias)`: (kernel_size, kernel_size, channels, filters), and (filters,), zero without a bias.
    """
    solution = _solve(inputs, outputs, kernel_size, 2, "SAME", with_bias)
    size = kernel_size * kernel_size * inputs.shape[-1]
    kernel = solution[:size].reshape(kernel_size, kernel_size, inputs.shape[-1], -1)
    return kernel, solution[size] if with_bias else np.zeros(kernel.shape[-1], np.float32)


def fit_transposed(inputs: np.ndarray, outputs: np.ndarray, kernel_size: int, stride: int) -> np.ndarray:
    """Fits a transposed convolution with `padding="same"` and without a bias.

    Args:
        inputs: float32 (n, side, side, channels).
        outputs: float32 (n, side * stride, side * stride, filters).
        kernel_size: Side of the kernel.
        stride: Of the convolution.

    Returns:
        Kernel (kernel_size, kernel_size, filters, channels).
    """
    n, side, _, channels = inputs.shape
    spread = np.zeros((n, side * stride, side * stride, channels), np.float32)
    spread[:, ::stride, ::stride] = inputs
    before = max(kernel_size - stride, 0) // 2
    pads = (kernel_size - 1 - before, before)
    solution = _solve(np.pad(spread, ((0, 0), pads, pads, (0, 0))), outputs, kernel_size, 1, "VALID", False)
    kernel = solution.reshape(kernel_size, kernel_size, channels, -1)[::-1, ::-1]  # it scatters; patches gather
    return kernel.transpose(0, 1, 3, 2)


def _solve(
    inputs: np.ndarray,
    outputs: np.ndarray,
    kernel_size: int,
    stride: int,
    padding: str,
    with_bias: bool,
    batch: int = 16,
) -> np.ndarray:
    left = right = np.zeros((), np.float32)
    for start in range(0, len(inputs), batch):
        sides, steps = (1, kernel_size, kernel_size, 1), (1, stride, stride, 1)
        patches = tf.image.extract_patches(inputs[start : start + batch], sides, steps, (1, 1, 1, 1), padding).numpy()
        rows = patches.reshape(-1, patches.shape[-1])
        rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], 1) if with_bias else rows
        left = left + rows.T @ rows
        right = right + rows.T @ outputs[start : start + batch].reshape(len(rows), -1)
    ridge = RIDGE * np.trace(left) / len(left)
    return np.linalg.solve(left + ridge * np.eye(len(left), dtype=np.float32), right).astype(np.float32)
