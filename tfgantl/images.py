"""The one place that knows the pixel range: float32 in [-1, 1] inside networks, uint8 in [0, 255] everywhere else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from tfgantl.errors import ArtifactError
from tfgantl.provenance import marked

if TYPE_CHECKING:
    import tensorflow as tf

Pixels = TypeVar("Pixels", np.ndarray, "tf.Tensor")


def to_unit(images: Pixels) -> Pixels:
    """Maps uint8 pixels to the range that networks see.

    Args:
        images: Array or tensor of any shape, in [0, 255].

    Returns:
        The same shape, float32 in [-1, 1]; a tensor if a tensor was given.

    Example:
        >>> to_unit(np.array([0, 255], np.uint8))
        array([-1.,  1.], dtype=float32)
    """
    if isinstance(images, np.ndarray):
        return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    import tensorflow as tf

    return tf.cast(images, tf.float32) / 127.5 - 1.0


def finite_pixels(images: np.ndarray, what: str = "a generator") -> np.ndarray:
    """Maps images that a network has made to uint8, and refuses NaN, which would be black.

    Args:
        images: Array of any shape, in [-1, 1].
        what: Made them, for messages.

    Raises:
        ArtifactError: If a pixel is not finite.
    """
    if not np.isfinite(images).all():
        raise ArtifactError(f"{what} must make finite pixels. Received: NaN or infinity")
    return to_uint8(images)


def to_pixels(images: Pixels) -> Pixels:
    """Maps network outputs to [0, 255] without rounding or clipping, so that gradients pass.

    Args:
        images: Array or tensor of any shape, float in [-1, 1].

    Returns:
        The same shape and type, in [0, 255].
    """
    return (images + 1.0) * 127.5


def to_uint8(images: Pixels) -> Pixels:
    """Maps network outputs to pixels; the inverse of `to_unit` up to rounding.

    Args:
        images: Array or tensor of any shape, float in [-1, 1]; values outside are clipped.

    Returns:
        The same shape, uint8 in [0, 255]; a tensor if a tensor was given.
    """
    if isinstance(images, np.ndarray):
        return np.rint(np.clip((images.astype(np.float32) + 1.0) * 127.5, 0.0, 255.0)).astype(np.uint8)
    import tensorflow as tf

    scaled = tf.clip_by_value((tf.cast(images, tf.float32) + 1.0) * 127.5, 0.0, 255.0)
    return tf.cast(tf.round(scaled), tf.uint8)


def grid(images: np.ndarray, columns: int = 10, padding: int = 1) -> np.ndarray:
    """Lays images out row by row on one sheet.

    Args:
        images: uint8 (n, height, width, channels).
        columns: Images a row.
        padding: Gray pixels between images.

    Returns:
        uint8 (sheet height, sheet width, channels).
    """
    n, height, width, channels = images.shape
    columns = max(1, min(columns, n))
    rows = -(-n // columns)
    cell_h, cell_w = height + padding, width + padding
    sheet = np.full((rows * cell_h + padding, columns * cell_w + padding, channels), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = padding + (i // columns) * cell_h, padding + (i % columns) * cell_w
        sheet[top : top + height, left : left + width] = image
    return sheet


def side_by_side(sheets: list[np.ndarray], gap: int = 12) -> np.ndarray:
    """Puts uint8 (height, width, channels) sheets beside each other, white between and below them."""
    height = max(len(sheet) for sheet in sheets)
    padded = [np.pad(s, ((0, height - len(s)), (0, gap), (0, 0)), constant_values=255) for s in sheets]
    return np.concatenate(padded, axis=1)[:, :-gap]


def encode_png(image: np.ndarray, scale: int = 1, generated: bool = False) -> bytes:
    """Encodes one image as PNG.

    Args:
        image: uint8 (height, width, 1 or 3).
        scale: How many times to enlarge it, without smoothing.
        generated: Whether the file says that it was generated.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return marked(buffer.getvalue()) if generated else buffer.getvalue()


def save_png(path: str | Path, image: np.ndarray, scale: int = 1) -> None:
    """Writes one uint8 (height, width, 1 or 3) image to `path` as PNG."""
    Path(path).write_bytes(encode_png(image, scale))
