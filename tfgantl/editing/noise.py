"""Gaussian noise in pictures that are clipped, as those in files are: how strong it is, and what it leaves to fit."""

import numpy as np
import tensorflow as tf
from scipy.ndimage import convolve, median_filter

from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.random_streams import Stream

LEAST = 0.01  # noise that pictures of 8 bits have at least, from rounding
LEVELS = np.geomspace(LEAST, 2.0, 48)  # that are tried
CLIPPED = 1.0 - 1.0 / 255.0  # beyond it, a pixel of 8 bits is black or white
FAR = -5.0  # standard deviations below which float32 knows no probability
SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def noise_level(picture: np.ndarray) -> float:
    """Standard deviation of the noise in a picture, estimated from the picture alone.

    Second differences in both directions leave little of a picture but its noise; the median of their size is not
    moved by edges. Clipping shrinks it, by as much as there is black and white in the picture. So it is compared with
    the median that a smoothed version of the picture has when noise of known strength is added, and clipped.

    Args:
        picture: float32 (height, width, channels) in [-1, 1].

    Returns:
        At least 0.01, at most 2.

    Reference:
        Immerkær, 1996, https://doi.org/10.1006/cviu.1996.0060 (the differences); Donoho and Johnstone, 1994,
        https://doi.org/10.1093/biomet/81.3.425 (the median)
    """
    seen = _response(picture)
    smooth = median_filter(picture, (5, 5, 1), mode="reflect")
    noise = Stream.NOISE.generator(1).standard_normal(picture.shape, np.float32)
    simulated = [_response(np.clip(smooth + level * noise, -1.0, 1.0)) for level in LEVELS]
    return float(np.interp(seen, np.maximum.accumulate(simulated), LEVELS))


def surprise(images: tf.Tensor, pictures: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """How unlikely pictures with clipped Gaussian noise are, if images are what they show.

    A pixel within the range is as unlikely as its squared difference says; one that is black or white has had any value
    from there on, which is unlikely only if the image has something else there.

    Args:
        images: float32 (batch, height, width, channels) in [-1, 1].
        pictures: The same shape.
        level: Standard deviation of the noise, in a shape that broadcasts to that.

    Returns:
        Negative logarithms of the likelihood in the mean over pixels, (batch,), up to a constant.

    Reference:
        Tobin, 1958, https://doi.org/10.2307/1907382
    """
    black, white = -CLIPPED >= pictures, CLIPPED <= pictures
    within = 0.5 * tf.square((pictures - images) / level)
    beyond = tf.where(black, (-1.0 - images) / level, (images - 1.0) / level)
    return tf.reduce_mean(tf.where(black | white, -_log_below(beyond), within), axis=(1, 2, 3))


def expected_surprise(images: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """The `surprise` at pictures that is left when images are exactly what they show, in the mean over the noise.

    Args:
        images: float32 (batch, height, width, channels) in [-1, 1].
        level: As for `surprise`.

    Returns:
        float32 (batch,): 0.5 where nothing is clipped.
    """
    ends = [(-1.0 - images) / level, (images - 1.0) / level]  # both at most 0
    total = tf.constant(0.5)
    for end in ends:
        log_share = _log_below(end)
        share = tf.exp(log_share)
        squares = share - end * tf.exp(-0.5 * tf.square(end)) / np.float32(np.sqrt(2.0 * np.pi))  # of those beyond
        total += -share * log_share - 0.5 * squares
    return tf.reduce_mean(total, axis=(1, 2, 3))


class PixelNoise(Reconstruction):
    """How much more unlikely noisy pictures are than they would be, were images what they show."""

    def __init__(self) -> None:
        super().__init__(None, "likelihood of the noise")

    def __call__(self, images: tf.Tensor, pictures: tf.Tensor, weights: tf.Tensor | float = 1.0) -> tf.Tensor:
        """What is minimised, (batch,); below 0, where the noise explains what is left, it has no gradient.

        Args:
            images: float32 (batch, height, width, channels) in [-1, 1].
            pictures: The same shape, with noise.
            weights: One over the standard deviation of the noise, (batch, 1, 1, 1) or a number.
        """
        level = 1.0 / weights
        excess = surprise(images, pictures, level) - expected_surprise(tf.stop_gradient(images), level)
        return tf.where(excess > 0.0, excess, tf.stop_gradient(excess))


def _log_below(z: tf.Tensor) -> tf.Tensor:
    """Logarithm of the probability that standard normal noise is below z; far out, by its asymptote."""
    near = tf.math.log(0.5 * tf.math.erfc(-tf.maximum(z, FAR) / np.float32(np.sqrt(2.0))))
    far = tf.minimum(z, FAR)
    asymptote = -0.5 * tf.square(far) - tf.math.log(-far) - np.float32(0.5 * np.log(2.0 * np.pi))
    return tf.where(z < FAR, asymptote, near)


def _response(picture: np.ndarray) -> float:
    differences = convolve(picture, SECOND_DIFFERENCES[:, :, None], mode="reflect")
    return float(np.median(np.abs(differences)))
