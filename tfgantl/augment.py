"""Differentiable augmentation of everything that the discriminator sees, as a Keras layer."""

from typing import Any

import keras
import tensorflow as tf

from tfgantl.errors import ConfigError
from tfgantl.replicas import drawn


def _uniform(
    images: tf.Tensor, seed: tf.Tensor, stream: int, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0
) -> tf.Tensor:
    """Stateless uniform numbers; `stream` separates the draws that share one seed."""
    seed = tf.random.experimental.stateless_fold_in(seed, stream)
    return drawn(tf.random.stateless_uniform, (tf.shape(images)[0], *shape), seed, low, high)


def translation(images: tf.Tensor, seed: tf.Tensor, ratio: float = 0.125) -> tf.Tensor:
    """Shifts each image by up to `ratio` of its side, filling with the value of black."""
    height, width = images.shape[1], images.shape[2]
    pad_y, pad_x = max(1, round(height * ratio)), max(1, round(width * ratio))
    shift = _uniform(images, seed, 1, (2,))
    top = tf.cast(shift[:, 0] * (2 * pad_y + 1), tf.int32)  # 0 .. 2 pad, uniform
    left = tf.cast(shift[:, 1] * (2 * pad_x + 1), tf.int32)
    padded = tf.pad(images, [[0, 0], [pad_y, pad_y], [pad_x, pad_x], [0, 0]], constant_values=-1.0)
    rows = tf.gather(padded, top[:, None] + tf.range(height), axis=1, batch_dims=1)
    columns = tf.gather(tf.transpose(rows, [0, 2, 1, 3]), left[:, None] + tf.range(width), axis=1, batch_dims=1)
    return tf.transpose(columns, [0, 2, 1, 3])


def cutout(images: tf.Tensor, seed: tf.Tensor, ratio: float = 0.5) -> tf.Tensor:
    """Blanks a rectangle of `ratio` of each side, whose centre lies anywhere in the image, to mid gray."""
    height, width = images.shape[1], images.shape[2]
    centre = _uniform(images, seed, 2, (2,))

    def outside(position: tf.Tensor, size: int) -> tf.Tensor:
        half = size * ratio / 2.0
        return tf.abs(tf.range(size, dtype=tf.float32) + 0.5 - position[:, None] * size) > half

    keep = outside(centre[:, 0], height)[:, :, None] | outside(centre[:, 1], width)[:, None, :]
    return images * tf.cast(keep[..., None], images.dtype)


def color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Changes brightness, saturation and contrast of each image; gray images are returned as they are.

    On one channel saturation does nothing, and brightness moves the background of line drawings, which the
    generator would then have to imitate.
    """
    if images.shape[-1] == 1:
        return images
    images = images + _uniform(images, seed, 3, (1, 1, 1), -0.5, 0.5)
    gray = tf.reduce_mean(images, axis=3, keepdims=True)
    images = gray + (images - gray) * _uniform(images, seed, 4, (1, 1, 1), 0.0, 2.0)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * _uniform(images, seed, 5, (1, 1, 1), 0.5, 1.5)


def affine(
    images: tf.Tensor, seed: tf.Tensor, turn: float = 0.25, shear: float = 0.2, zoom: float = 0.2, shift: float = 0.08
) -> tf.Tensor:
    """Turns (radians), shears, zooms and shifts (shares of the side) each image, filling with the value of black."""
    side = float(images.shape[1])
    angle, slant = (_uniform(images, seed, stream, (), -most, most) for stream, most in ((6, turn), (7, shear)))
    scale = _uniform(images, seed, 8, (2,), 1.0 - zoom, 1.0 + zoom)
    moved = _uniform(images, seed, 9, (2,), -shift, shift) * side
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a, b = cosine * scale[:, 0], (cosine * slant - sine) * scale[:, 1]
    c, d = sine * scale[:, 0], (sine * slant + cosine) * scale[:, 1]
    centre = (side - 1.0) / 2.0
    x = centre - a * centre - b * centre + moved[:, 0]
    y = centre - c * centre - d * centre + moved[:, 1]
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images, transforms=tf.stack([a, b, x, c, d, y, zero, zero], 1), output_shape=tf.shape(images)[1:3],
        fill_value=-1.0, interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip


def resolution(images: tf.Tensor, seed: tf.Tensor, lowest: float = 0.25) -> tf.Tensor:
    """Takes most images down to one of two random sizes, from `lowest` of the side on, and back up."""
    side = images.shape[1]
    choice = tf.cast(_uniform(images, seed, 10, (1, 1, 1)) * 3.0, tf.int32)
    for number in (1, 2):
        share = tf.random.stateless_uniform(
            (), tf.random.experimental.stateless_fold_in(seed, 10 + number), lowest, 1.0
        )
        small = tf.maximum(2, tf.cast(share * side, tf.int32))
        reduced = tf.image.resize(images, tf.stack([small, small]), antialias=True)
        coarse = tf.clip_by_value(tf.image.resize(reduced, (side, side), tf.image.ResizeMethod.BICUBIC), -1.0, 1.0)
        images = tf.where(choice == number, coarse, images)
    return images


POLICIES = {
    "translation": translation, "cutout": cutout, "color": color, "affine": affine, "resolution": resolution
}  # fmt: skip


@keras.saving.register_keras_serializable(package="tfgantl")
class DiffAugment(keras.layers.Layer):
    """Applies the same kinds of random, differentiable change to real and generated images.

    Args:
        policy: Comma-separated names out of `POLICIES`; empty for none.

    Call arguments:
        images: float32 (batch, height, width, channels) in [-1, 1].
        seed: int (2,), the randomness of this call; equal seeds give equal results.

    Example:
        >>> augment = DiffAugment("translation,cutout")
        >>> augment(keras.random.uniform((4, 28, 28, 1), -1, 1), seed=(0, 5)).shape
        TensorShape([4, 28, 28, 1])

    Raises:
        ConfigError: If a name in `policy` is unknown.

    Reference:
        Zhao et al., 2020, https://arxiv.org/abs/2006.10738
    """

    def __init__(self, policy: str = "translation,cutout,color", **kwargs: Any):
        super().__init__(**kwargs)
        self.policy = policy
        self.names = [name.strip() for name in policy.split(",") if name.strip()]
        for name in self.names:
            if name not in POLICIES:
                raise ConfigError(f"`augment` must name {', '.join(POLICIES)}, with commas. Received: {policy}")

    def call(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for name in self.names:
            images = POLICIES[name](images, seed)
        return images

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "policy": self.policy}
