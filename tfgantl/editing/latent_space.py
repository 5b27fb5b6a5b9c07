"""Codes: the vectors that a generator makes images of, be it noise or what its mapping makes of noise."""

from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl import random_streams
from tfgantl.class_labels import checked_labels
from tfgantl.editing.drawn_images import LOOKED_AT, alike, drawn_by
from tfgantl.editing.names import MAX_NUMBER
from tfgantl.errors import ConfigError, DataError
from tfgantl.models.copies import weights_hash
from tfgantl.models.inference import predict
from tfgantl.models.structure import structure_of
from tfgantl.random_streams import Stream

STATISTICS = 4096  # codes that mean and spread of a mapping's outputs are measured on


class LatentSpace:
    """A space of codes of one generator, with what is typical there.

    `z` is the noise, which every generator has. `w` and `w+` are behind the mapping of a StyleGAN2: one vector for all
    layers, or one for each. Codes are searched in whitened coordinates, `code = mean + u · root`, where typical codes
    are standard normal in every space.

    Args:
        generator: Latents, or [latents, labels] → images in [-1, 1]; as `load_generator` gives it.
        name: `z`, `w` or `w+`; `auto` is `w+` where there is one, else `z`.

    Attributes:
        name: That of the space.
        shape: Of one code: (latent_dim,), (style_dim,) or (layers, style_dim).
        num_classes: Number of classes of the generator, or `None`.
        reads_labels: Whether labels matter to `decode`. Behind a mapping, codes know their class themselves.

    Raises:
        ConfigError: If the generator has no such space.

    Example:
        >>> space = LatentSpace(tfgantl.load_generator("rendered-digits"))
        >>> codes = space.sample(8, labels=np.arange(8))
        >>> space.images(codes, np.arange(8)).shape
        (8, 28, 28, 1)

    Reference:
        Abdal et al., 2019, https://arxiv.org/abs/1904.03189 (W+); Zhu et al., 2020, https://arxiv.org/abs/2012.09036
        (whitening)
    """

    def __init__(self, generator: keras.Model, name: str = "auto") -> None:
        structure = structure_of(generator)
        styles: Any = structure.styles
        known = ("z",) if structure.styles is None else ("z", "w", "w+")
        if name not in ("auto", *known):
            raise ConfigError(f"`space` must be auto or one of {', '.join(known)} for this model. Received: {name}")
        self.generator = generator
        self.name: str = known[-1] if name == "auto" else name
        self.num_classes: int | None = structure.num_classes
        self.image_shape = structure.image_shape
        self.latent_dim = structure.latent_dim
        self.reads_labels = self.name == "z" and self.num_classes is not None
        self._hash: str | None = None
        if self.name == "z":
            self.shape: tuple[int, ...] = (self.latent_dim,)
            self._decoder = generator
            self.mean, self.root = np.zeros(self.shape, np.float32), np.ones((), np.float32)
        else:
            self._mapping = keras.Model(generator.inputs, styles)
            self._decoder = keras.Model(styles, generator.outputs[0])
            self._layers, units = styles.shape[1:]
            self.shape = (units,) if self.name == "w" else (self._layers, units)
            self.mean, self.root = self._measured()

    @property
    def generator_hash(self) -> str:
        """Hash of the weights of the generator, by which files of codes and directions know whose they are."""
        if self._hash is None:
            self._hash = weights_hash(self.generator)
        return self._hash

    @cached_property
    def drawn(self) -> tuple[float, ...]:
        """What the generator draws of some noise: one of equal weights may draw something else of it."""
        return drawn_by(self.generator, self.labels(LOOKED_AT))

    def draws(self, drawn: Any) -> bool:
        """Whether the generator draws what was drawn once; files of earlier versions do not say what (`None`)."""
        return drawn is None or alike(drawn, self.drawn)

    def decode(self, codes: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Images (batch, height, width, channels) in [-1, 1] of codes (batch, *shape); gradients pass."""
        if self.name == "z":
            return self._decoder([codes, labels] if self.reads_labels else codes, training=False)
        vectors = tf.repeat(codes[:, None], self._layers, axis=1) if self.name == "w" else codes
        return self._decoder(vectors, training=False)

    def images(self, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """The same for arrays of any length: float32 (n, height, width, channels) in [-1, 1].

        Args:
            codes: float32 (n, *shape).
            labels: int (n,) where `reads_labels`.

        Raises:
            DataError: If codes have another shape, labels are no classes, or codes lead so far away that an image is
                none.
        """
        codes = np.asarray(codes)
        if codes.shape[1:] != self.shape:
            raise DataError(f"codes must be (n, {', '.join(map(str, self.shape))}). Received: {codes.shape}")
        if self.reads_labels:
            labels = self.checked(labels, len(codes))
        far = np.abs(codes).max(initial=0.0)
        if not far <= MAX_NUMBER:  # which NaN is not
            raise DataError(
                f"codes must lead to finite images. Received: some up to {far:.3g}, and not at most {MAX_NUMBER:g}"
            )
        if self.name == "w":
            codes = np.repeat(codes[:, None], self._layers, axis=1)
        images = predict(self._decoder, [codes, labels] if labels is not None and self.reads_labels else codes)
        if not np.isfinite(images).all():
            raise DataError(f"codes must lead to finite images. Received: some up to {far:.3g}")
        return images

    def of_latents(self, latents: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Codes float32 (n, *shape) of noise (n, latent_dim).

        Raises:
            DataError: If labels are no classes of the generator.
        """
        if self.num_classes is not None:
            labels = self.checked(labels, len(latents))
        if self.name == "z":
            return latents
        styles = predict(self._mapping, latents if labels is None else [latents, labels])
        return styles[:, 0] if self.name == "w" else styles

    def codes_of(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The same for tensors."""
        if self.name == "z":
            return latents
        styles = self._mapping(latents if labels is None else [latents, labels], training=False)
        return styles[:, 0] if self.name == "w" else styles

    def sample(
        self, count: int, labels: np.ndarray | None = None, seed: int = 0, stream: Stream = Stream.SAMPLES
    ) -> np.ndarray:
        """Codes float32 (count, *shape) of random noise.

        Args:
            count: Number of codes.
            labels: int (count,) for a conditional generator.
            seed: In [0, 2**32 - 1].
            stream: What they are for.
        """
        return self.of_latents(random_streams.latents(count, self.latent_dim, seed, stream), labels)

    def checked(self, labels: Any, count: int) -> np.ndarray:
        """Labels int32 (count,) of a conditional generator.

        Raises:
            DataError: If they are missing, or no classes of the generator.
        """
        if labels is None:
            raise DataError(f"labels must be given for a generator of {self.num_classes} classes. Received: none")
        return checked_labels(labels, count, self.num_classes or 0)

    def labels(self, count: int) -> np.ndarray | None:
        """Labels int32 (count,) that go through all classes; `None` if there are none."""
        return None if self.num_classes is None else (np.arange(count) % self.num_classes).astype(np.int32)

    def whitened(self, codes: np.ndarray) -> np.ndarray:
        """Coordinates u of codes, of the same shape, standard normal where codes are typical."""
        centred = codes - self.mean
        return centred if self.root.ndim == 0 else np.linalg.solve(self.root.T, centred[..., None])[..., 0]

    def from_whitened(self, u: tf.Tensor) -> tf.Tensor:
        """Codes of coordinates (batch, *shape)."""
        return self.mean + (u if self.root.ndim == 0 else tf.einsum("...i,ij->...j", u, self.root))

    def _measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and a root of the covariance of w: a symmetric one, so that coordinates keep their meaning."""
        labels = self.labels(STATISTICS)
        latents = random_streams.latents(STATISTICS, self.latent_dim, 0, Stream.CODES)
        w = predict(self._mapping, latents if labels is None else [latents, labels])[:, 0]
        values, vectors = np.linalg.eigh(np.cov(w, rowvar=False).reshape(w.shape[1], w.shape[1]))
        spread = np.sqrt(np.maximum(values, 1e-3 * values.max() + 1e-12))  # no direction is without any freedom
        root = (vectors * spread) @ vectors.T
        mean = w.mean(0)
        return (mean if self.name == "w" else np.tile(mean, (self._layers, 1))), root.astype(np.float32)


def atypical(u: tf.Tensor) -> tf.Tensor:
    """How far coordinates (batch, …) are outside of where typical ones are, (batch,): 0 within their mean length.

    Standard normal vectors of many dimensions lie near a sphere; shorter ones are images nearer to the average, and
    those beyond it are nothing that the generator has been trained on.
    """
    return tf.nn.relu(tf.reduce_mean(tf.square(tf.reshape(u, (tf.shape(u)[0], -1))), axis=1) - 1.0)
