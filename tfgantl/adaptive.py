"""Adaptive discriminator augmentation: as much augmentation as the discriminator needs, and no more."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.regularizers import Controller
from tfgantl.replicas import drawn

# Spread of the random changes, as in the paper.
SHIFT = 0.125  # of the side, whole pixels
SCALE = 0.2  # standard deviation of log2
FRACTION = 0.125  # of the side, standard deviation
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # standard deviations, of the value, of log2, and of log2


@keras.saving.register_keras_serializable(package="tfgantl")
class AdaptiveAugment(Controller):
    """ADA: gives each image each of a list of random changes with probability p, and controls p.

    The changes are, in this order: left-right flip, quarter turns, shift by whole pixels, scaling, rotation, scaling of
    one axis against the other, rotation, and a shift by fractions; with `color` also brightness, contrast, a flip of
    the luma, a turn of the hue and saturation. All geometric ones make one affine map, and the image is resampled once,
    bilinearly, filled with the value of black. Geometry keeps the range [-1, 1]; colors may leave it, because to clip
    them would take the gradient. Unlike the paper's, resampling has no low-pass filter.

    Args:
        color: Whether to change colors; `None` for RGB images only. On one channel hue and saturation do nothing, and
            brightness, contrast and luma move the background of line drawings, which the generator would then have to
            imitate.
        **kwargs: As for `Controller`.

    Call arguments:
        images: float32 (batch, height, width, channels) in [-1, 1].
        seed: int (2,), the randomness of this call; equal seeds and p give equal results.

    Example:
        >>> gan.compile(g_optimizer, d_optimizer, augment=AdaptiveAugment())

    Reference:
        Karras et al., 2020, https://arxiv.org/abs/2006.06676
    """

    def __init__(self, color: bool | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.color = color

    def call(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        # At p = 0, where every run begins and some stay, nothing is paid for.
        return tf.cond(self.p.value > 0.0, lambda: self.change(images, seed), lambda: tf.identity(images))

    def change(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changes images with probability `p`, whatever it is."""
        dice = _Dice(tf.shape(images)[0], seed, self.p.value)
        images = resample(images, affine_maps(dice, images.shape[1], images.shape[2]))
        if images.shape[-1] == 3 if self.color is None else self.color:
            matrix, offset = color_maps(dice, images.shape[-1])
            images = tf.einsum("nhwc,ndc->nhwd", images, matrix) + offset[:, None, None]
        return images

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "color": self.color}


class _Dice:
    """Stateless draws (batch,), each of which is neutral, 0, with probability 1 - p."""

    def __init__(self, count: tf.Tensor, seed: tf.Tensor, p: tf.Tensor):
        self.count, self.p = count, p
        # Drawn at once, which is much faster than one by one.
        uniform, normal = (tf.random.experimental.stateless_fold_in(seed, stream) for stream in (1, 2))
        self.uniforms = iter(tf.unstack(drawn(tf.random.stateless_uniform, (count, 30), uniform), axis=1))
        self.normals = iter(tf.unstack(drawn(tf.random.stateless_normal, (count, 8), normal), axis=1))

    def gate(self, values: tf.Tensor, p: tf.Tensor | None = None) -> tf.Tensor:
        return tf.where(next(self.uniforms) < (self.p if p is None else p), values, 0.0)

    def uniform(self, low: float, high: float, p: tf.Tensor | None = None) -> tf.Tensor:
        return self.gate(low + (high - low) * next(self.uniforms), p)

    def whole(self, low: int, high: int) -> tf.Tensor:
        """Whole numbers of low … high, as floats."""
        return tf.floor(self.uniform(low, high + 1.0))

    def normal(self, sd: float) -> tf.Tensor:
        return self.gate(sd * next(self.normals))


def _stack(rows: list[list[tf.Tensor]]) -> tf.Tensor:
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def affine_maps(dice: _Dice, height: int, width: int) -> tf.Tensor:
    """Random maps (batch, 2, 3) from pixels of the result to pixels of the image, both counted from the centre."""
    one, zero = tf.ones((dice.count,)), tf.zeros((dice.count,))

    def linear(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
        return _stack([[a, b, zero], [c, d, zero], [zero, zero, one]])

    def turn(angle: tf.Tensor) -> tf.Tensor:
        return linear(tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle))

    def shift(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return _stack([[one, zero, x], [zero, one, y], [zero, zero, one]])

    flip = 1.0 - 2.0 * dice.whole(0, 1)
    quarters = tf.cast(dice.whole(0, 3), tf.int32)
    # From a table, not by tf.cos, so that pixels stay on the grid.
    cosine, sine = (tf.gather(tf.constant(table), quarters) for table in ([1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]))
    pixels_x, pixels_y = round(width * SHIFT), round(height * SHIFT)
    scale = 2.0 ** dice.normal(SCALE)
    stretch = 2.0 ** dice.normal(SCALE)
    # Two rotations, of which at least one happens with probability p.
    either = 1.0 - tf.sqrt(1.0 - dice.p)
    before, after = (dice.uniform(-np.pi, np.pi, p=either) for _ in range(2))
    maps = linear(flip, zero, zero, one) @ linear(cosine, -sine, sine, cosine)
    maps @= shift(dice.whole(-pixels_x, pixels_x), dice.whole(-pixels_y, pixels_y))
    maps @= linear(scale, zero, zero, scale) @ turn(before) @ linear(stretch, zero, zero, 1.0 / stretch) @ turn(after)
    maps @= shift(dice.normal(FRACTION * width), dice.normal(FRACTION * height))
    return maps[:, :2]


def resample(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Looks up each pixel of the result in the image, bilinearly; what lies outside is black.

    Gathering has an exact gradient. That of TensorFlow's own projective transform resamples the gradient with the
    inverse map, which drops pixels wherever the map scales.

    Args:
        images: float32 (batch, height, width, channels).
        maps: float32 (batch, 2, 3), from (x, y, 1) of the result to (x, y) of the image, counted from the centre.
    """
    height, width, channels = images.shape[1:]
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    grid = tf.constant(np.stack([x.ravel(), y.ravel(), np.ones(x.size)]), tf.float32)
    where = tf.einsum("nij,jk->nik", maps, grid)
    # A frame of black pixels stands for all that is outside.
    framed = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-1.0)
    pixels = tf.reshape(framed, [-1, (height + 2) * (width + 2), channels])
    x = tf.clip_by_value(where[:, 0] + (width + 1) / 2, 0.0, width + 1.0)
    y = tf.clip_by_value(where[:, 1] + (height + 1) / 2, 0.0, height + 1.0)
    left, top = tf.minimum(tf.floor(x), float(width)), tf.minimum(tf.floor(y), float(height))
    right, low = (x - left)[..., None], (y - top)[..., None]  # weights of the right and of the lower neighbours
    index = tf.cast(top, tf.int32) * (width + 2) + tf.cast(left, tf.int32)

    def neighbour(offset: int) -> tf.Tensor:
        return tf.gather(pixels, index + offset, axis=1, batch_dims=1)

    upper = (1.0 - right) * neighbour(0) + right * neighbour(1)
    lower = (1.0 - right) * neighbour(width + 2) + right * neighbour(width + 3)
    return tf.reshape((1.0 - low) * upper + low * lower, tf.shape(images))


def color_maps(dice: _Dice, channels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Random matrices (batch, channels, channels) and offsets (batch, channels) for the colors of an image."""
    luma = np.ones((channels, channels), np.float32) / channels  # projects a color on its luma
    eye = np.eye(channels, dtype=np.float32)
    factor = 2.0 ** dice.normal(CONTRAST)
    offset = dice.normal(BRIGHTNESS) * factor
    flip = 2.0 * dice.whole(0, 1)

    def each(values: tf.Tensor) -> tf.Tensor:
        return values[:, None, None]

    matrix = each(factor) * eye
    matrix = (eye - each(flip) * luma) @ matrix
    offset *= 1.0 - flip  # it is the same for all channels, so only the luma moves it
    if channels == 3:
        angle = dice.uniform(-np.pi, np.pi)
        cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.sqrt(3.0, dtype=np.float32)
        hue = each(tf.cos(angle)) * (eye - luma) + each(tf.sin(angle)) * cross + luma
        saturation = luma + each(2.0 ** dice.normal(SATURATION)) * (eye - luma)
        matrix = saturation @ hue @ matrix
    return matrix, tf.repeat(offset[:, None], channels, axis=1)
