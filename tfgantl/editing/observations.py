"""What a damaged picture shows of an image: a differentiable function, its distance, and what of the picture stays."""

import numpy as np
import tensorflow as tf
from PIL import Image

from tfgantl.editing.blending import blended
from tfgantl.editing.holes import known_weights
from tfgantl.editing.noise import PixelNoise, noise_level
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.errors import ConfigError
from tfgantl.random_streams import Stream

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow converts to gray


class SquaredPixels(Reconstruction):
    """Mean squared difference of pixels.

    What is not damaged by noise has small errors everywhere, where the generator cannot show it exactly; squares find
    the class of such a picture more often than absolute differences do.
    """

    def __init__(self) -> None:
        super().__init__(None, "squares of pixels")

    def __call__(self, images: tf.Tensor, pictures: tf.Tensor, weights: tf.Tensor | float = 1.0) -> tf.Tensor:
        """What is minimised, (batch,), as for any `Reconstruction`."""
        return tf.reduce_mean(weights * tf.square(images - pictures), axis=(1, 2, 3))


class Observation:
    """A picture that shows all of an image; subclasses say what of it is lost.

    Attributes:
        distance: Of what is seen of generated images from what was observed.
    """

    distance: Reconstruction = SquaredPixels()

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """What is seen of images float32 (batch, height, width, channels) in [-1, 1]; gradients pass."""
        return images

    def damaged(self, pictures: np.ndarray, seed: int = 0) -> np.ndarray:
        """What is observed of whole pictures float32 (n, height, width, channels), as a file would hold it."""
        return np.clip(np.asarray(self(tf.constant(pictures))), -1.0, 1.0)

    def weights(self, observed: np.ndarray) -> np.ndarray | None:
        """How much each observed pixel counts, in a shape that broadcasts to (n, height, width, 1)."""
        return None

    def completed(self, images: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Images with what is known of the picture put back, float32 (n, height, width, channels) in [-1, 1]."""
        return images

    def unknown(self, shape: tuple[int, int]) -> np.ndarray:
        """Pixels that are not known, bool (height, width): where answers can differ."""
        return np.ones(shape, bool)


class WithHole(Observation):
    """A picture of which some pixels are missing.

    Args:
        hole: bool (height, width), true where they are.

    Example:
        >>> from tfgantl.editing.holes import named_hole
        >>> observation = WithHole(named_hole("centre", (8, 8)))
        >>> observation.unknown((8, 8)).sum()
        np.int64(16)

    Reference:
        Yeh et al., 2017, https://arxiv.org/abs/1607.07539
    """

    def __init__(self, hole: np.ndarray) -> None:
        self.hole = hole

    def damaged(self, pictures: np.ndarray, seed: int = 0) -> np.ndarray:
        return np.where(self.hole[:, :, None], np.float32(0.0), pictures)

    def weights(self, observed: np.ndarray) -> np.ndarray:
        return np.repeat(known_weights(self.hole)[None], len(observed), axis=0)

    def completed(self, images: np.ndarray, observed: np.ndarray) -> np.ndarray:
        return blended(images, observed, self.hole)

    def unknown(self, shape: tuple[int, int]) -> np.ndarray:
        return self.hole


class Reduced(Observation):
    """A picture of a fraction of the size, as Pillow's antialiased bicubic filter makes it.

    Args:
        side: Height and width of the images.
        factor: How many times smaller the picture is.

    Raises:
        ConfigError: If the size cannot be divided so.

    Example:
        >>> Reduced(28, 4)(tf.zeros((1, 28, 28, 1))).shape
        TensorShape([1, 7, 7, 1])

    Reference:
        Menon et al., 2020, https://arxiv.org/abs/2003.03808 (search among images that reduce to the picture); Wang et
        al., 2022, https://arxiv.org/abs/2212.00490 (what is known is put back by the pseudoinverse)
    """

    def __init__(self, side: int, factor: int) -> None:
        if side % factor or side <= factor:
            raise ConfigError(f"`factor` must divide the side of the images, {side}. Received: {factor}")
        self.side, self.factor = side, factor
        lines = Image.fromarray(np.eye(side, dtype=np.float32))
        self.filter = np.asarray(lines.resize((side, side // factor), Image.Resampling.BICUBIC))
        self._inverse = np.linalg.pinv(self.filter)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return tf.einsum("ih,bhwc,jw->bijc", self.filter, images, self.filter)

    def completed(self, images: np.ndarray, observed: np.ndarray) -> np.ndarray:
        error = observed - np.asarray(self(tf.constant(images)))
        lifted = np.einsum("hi,bijc,wj->bhwc", self._inverse, error, self._inverse)
        return np.clip(images + lifted, -1.0, 1.0).astype(np.float32)


class Gray(Observation):
    """A gray picture of an image in colour: its luminance, which answers keep."""

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return tf.tensordot(images, LUMINANCE, 1)[..., None]

    def completed(self, images: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Colours of the images at the luminance of the picture; saturation is lowered where it would not fit."""
        chroma = images - (images @ LUMINANCE)[..., None]
        room = np.where(chroma > 0, 1.0 - observed, 1.0 + observed) / np.maximum(np.abs(chroma), 1e-6)
        return (observed + chroma * np.minimum(room.min(-1, keepdims=True), 1.0)).astype(np.float32)


class Noisy(Observation):
    """A picture with Gaussian noise, clipped to [-1, 1] as files are.

    Args:
        level: Standard deviation where white is 1 and black -1; `None` to estimate that of each picture.

    Reference:
        Morozov, 1966 (the discrepancy principle: nothing is fitted more closely than the noise allows)
    """

    distance = PixelNoise()

    def __init__(self, level: float | None = None) -> None:
        self.level = level

    def damaged(self, pictures: np.ndarray, seed: int = 0) -> np.ndarray:
        if self.level is None:
            raise ConfigError("`level` must be known for noise to be added. Received: none")
        noise = Stream.NOISE.generator(seed).standard_normal(pictures.shape, np.float32)
        return np.clip(pictures + np.float32(self.level) * noise, -1.0, 1.0)

    def levels(self, observed: np.ndarray) -> np.ndarray:
        """Standard deviation of the noise of each picture, (n,)."""
        if self.level is not None:
            return np.full(len(observed), self.level, np.float32)
        return np.array([noise_level(picture) for picture in observed], np.float32)

    def weights(self, observed: np.ndarray) -> np.ndarray:
        return (1.0 / self.levels(observed))[:, None, None, None]
