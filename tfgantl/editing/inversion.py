"""From pictures to codes: several starts for each picture, the weaker half of which is given up again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

import keras
import numpy as np
import tensorflow as tf

from tfgantl.editing.encoder import encode
from tfgantl.editing.latent_space import LatentSpace, atypical
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.errors import ConfigError
from tfgantl.models.inference import in_batches
from tfgantl.random_streams import Stream

TRIES = 256  # random codes among which the starts of all pictures are looked for
TYPICAL = 0.02  # weight of how atypical a code is
ROWS = 64  # codes that are optimised at a time


@dataclass(frozen=True)
class InversionSettings:
    """How hard codes are looked for.

    Args:
        steps: Adam steps of the code that is kept.
        restarts: Starts of each picture, a power of 2. Half of them are given up after equal shares of the steps.
        rate: Learning rate at the start of each round, in standard deviations of a code; it falls by a cosine over all.
        seed: Of the random starts.
        kept: Starts that are never given up, a power of 2; `Inverter.finalists` gives the codes of all of them.

    Raises:
        ConfigError: If a setting is not what is allowed.
    """

    steps: int = 120
    restarts: int = 4
    rate: float = 0.1
    seed: int = 0
    kept: int = 1

    def __post_init__(self) -> None:
        if self.restarts < 1 or self.restarts & (self.restarts - 1):
            raise ConfigError(f"`restarts` must be a power of 2, at least 1. Received: {self.restarts}")
        if not 1 <= self.kept <= self.restarts or self.kept & (self.kept - 1):
            raise ConfigError(f"`kept` must be a power of 2 from 1 to {self.restarts}. Received: {self.kept}")
        if self.steps < 0:
            raise ConfigError(f"`steps` must be at least 0. Received: {self.steps}")

    @property
    def rounds(self) -> list[tuple[int, int]]:
        """Starts and steps of each round: twice the steps for half of the starts."""
        count = (self.restarts // self.kept).bit_length()
        shares = [2**i / (2**count - 1) for i in range(count)]
        ends = [round(self.steps * sum(shares[: i + 1])) for i in range(count)]
        return [(self.restarts >> i, end - begin) for i, (begin, end) in enumerate(zip([0, *ends], ends, strict=False))]


@dataclass(frozen=True)
class Inversion:
    """What was found for pictures.

    Args:
        u: Whitened coordinates float32 (n, *space.shape).
        codes: Codes of the same shape.
        labels: int32 (n,), or `None` without classes.
        losses: What was minimised, (n,); NaN where no start had a finite loss.
    """

    u: np.ndarray
    codes: np.ndarray
    labels: np.ndarray | None
    losses: np.ndarray


class Inverter:
    """Finds codes of pictures. What TensorFlow traces serves all pictures.

    Args:
        space: Where codes are.
        reconstruction: Distance of images.
        settings: How hard to try.
        encoder: Gives one start of each picture, and the odds of its classes; without one, all starts are random.
        observe: Images → what is seen of them, differentiable, of any size: for the restoration of damaged pictures.
            Pictures are then given as they were observed.

    Example:
        >>> from tfgantl.editing.reconstruction import reconstruction_for
        >>> space = LatentSpace(tfgantl.load_generator("rendered-digits"))
        >>> inverter = Inverter(space, reconstruction_for(space.image_shape), InversionSettings(steps=20))
        >>> inverter(space.images(space.sample(2, np.array([3, 5])), np.array([3, 5]))).labels
        array([3, 5], dtype=int32)

    Reference:
        Zhu et al., 2016, https://arxiv.org/abs/1609.03552 (encoder, then optimisation); Karnin et al., 2013,
        http://proceedings.mlr.press/v28/karnin13.html (halving)
    """

    def __init__(
        self,
        space: LatentSpace,
        reconstruction: Reconstruction,
        settings: InversionSettings,
        encoder: keras.Model | None = None,
        observe: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self.space, self.reconstruction, self.settings, self.encoder = space, reconstruction, settings, encoder
        self.observe = observe or (lambda images: images)
        self._step = tf.function(self._one_step, autograph=False, reduce_retracing=True)
        self._tries: tuple[tuple[int, ...] | None, np.ndarray, np.ndarray | None, np.ndarray] | None = None

    def __call__(
        self,
        pictures: np.ndarray,
        labels: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> Inversion:
        """Inverts pictures.

        Args:
            pictures: float32 (n, height, width, channels) in [-1, 1].
            labels: int (n,) where the classes are known; they are found otherwise.
            weights: Of their pixels, (n, height, width, 1).
            on_step: Called with the number of optimised images after each step.

        Returns:
            The best code of each picture.
        """
        found = self.finalists(pictures, labels, weights, on_step)
        best = np.arange(len(pictures)), np.where(np.isnan(found.losses), np.inf, found.losses).argmin(1)
        labels = None if found.labels is None else found.labels[best]
        return Inversion(found.u[best], found.codes[best], labels, found.losses[best])

    def finalists(
        self,
        pictures: np.ndarray,
        labels: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> Inversion:
        """The same with all codes that were followed to the end, in the order of no merit.

        Args:
            pictures: As for a call, like all others.
            labels: Classes, if they are known.
            weights: Of pixels.
            on_step: Called after each step.

        Returns:
            Arrays with a second axis: (n, kept, …).
        """
        starts, classes = self.starts(pictures, labels, weights)
        losses = np.zeros(starts.shape[:2])
        taken, total = 0, max(1, self.settings.steps)
        for kept, steps in self.settings.rounds:
            order = np.argsort(losses, axis=1, kind="stable")[:, :kept]
            rows = np.arange(len(pictures))[:, None]
            starts, classes = starts[rows, order], classes[rows, order]
            starts, losses = self._optimised(pictures, starts, classes, weights, steps, taken / total, on_step)
            taken += steps
        codes = self.space.from_whitened(tf.constant(starts.reshape(-1, *self.space.shape)))
        return Inversion(
            u=starts,
            codes=np.asarray(codes).reshape(starts.shape),
            labels=None if self.space.num_classes is None else classes,
            losses=np.where(np.isfinite(losses), losses, np.nan),
        )

    def starts(
        self, pictures: np.ndarray, labels: np.ndarray | None, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where each picture begins: at the code of the encoder, and at those of the random images that are nearest.

        Classes that are not known are those of the starts: the encoder's two most likely ones, and those of the nearest
        random images, each of another class as long as there are any.

        Returns:
            Coordinates (n, restarts, *space.shape), and classes int32 (n, restarts), zeros without classes.
        """
        codes, own, images = self._random(labels)
        distances = self._distances(images, pictures, weights)
        count = self.settings.restarts
        found = None if self.encoder is None else encode(self.encoder, self.space, pictures)
        starts = np.zeros((len(pictures), count, *self.space.shape), np.float32)
        classes = np.zeros((len(pictures), count), np.int32)
        for i, row in enumerate(distances):
            chosen: list[tuple[np.ndarray, int]] = []
            if found is not None:
                u, odds = found
                likely = [0] if odds is None else list(np.argsort(-odds[i])[:2])
                likely = likely if labels is None or odds is None else [labels[i]]
                chosen = [(u[i], label) for label in likely][:count]
            order, used = np.argsort(row), set(label for _, label in chosen)
            if own is not None and labels is not None:
                order = order[own[order] == labels[i]]
            elif own is not None:  # first the nearest of each class that has none yet
                first = [j for j in order if own[j] not in used and not used.add(own[j])]  # type: ignore[func-returns-value]
                order = np.array([*first, *(j for j in order if j not in set(first))])
            chosen += [(codes[j], 0 if own is None else own[j]) for j in order[: count - len(chosen)]]
            for place in range(count):
                starts[i, place], classes[i, place] = chosen[place % len(chosen)]
        return starts, classes

    def _random(self, given: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Coordinates, classes and what is observed of random images, among them some of each class that may be sought.

        Of many classes, images are made for those that are given alone. They are kept until others are given.
        """
        classes, restarts = self.space.num_classes or 1, self.settings.restarts
        count = max(TRIES, classes if given is None else classes * restarts)
        sought = None if given is None or count == TRIES else tuple(np.unique(given))
        if self._tries is None or self._tries[0] != sought:
            labels = self.space.labels(count)
            codes = self.space.sample(count, labels, self.settings.seed, Stream.RESTARTS)
            if labels is not None and sought is not None:
                rows = np.flatnonzero(np.isin(labels, sought))
                codes, labels = codes[rows], labels[rows]
            images = in_batches(self.observe, [self.space.images(codes, labels)], ROWS)
            self._tries = sought, self.space.whitened(codes).astype(np.float32), labels, images
        return self._tries[1:]

    def _distances(self, images: np.ndarray, pictures: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """Mean absolute differences (n, tries) of pictures from random images."""

        def of(picture: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
            return tf.stack([self._pixels(images, one, w) for one, w in zip(picture, weight, strict=True)])

        ones = np.ones((len(pictures), 1, 1, 1), np.float32) if weights is None else weights
        return in_batches(of, [pictures, ones], ROWS)

    def _pixels(self, images: np.ndarray, picture: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(weight[None] * tf.abs(images - picture[None]), axis=(1, 2, 3))

    def _optimised(
        self,
        pictures: np.ndarray,
        starts: np.ndarray,
        classes: np.ndarray,
        weights: np.ndarray | None,
        steps: int,
        done: float,
        on_step: Callable[[int], None] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and losses after some steps from each start; `done` is the share of all steps before them."""
        count = starts.shape[1]
        flat = starts.reshape(-1, *self.space.shape)
        targets = np.repeat(pictures, count, axis=0)
        shares = np.ones((len(flat), 1, 1, 1), np.float32) if weights is None else np.repeat(weights, count, axis=0)
        share = steps / max(1, self.settings.steps)

        def optimise(u: tf.Tensor, labels: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tuple:
            first, rates = u, tf.ones(len(u))
            m, v = tf.zeros_like(u), tf.zeros_like(u)
            for t in range(steps):
                progress = done + share * t / max(1, steps)
                rate = self.settings.rate * (0.5 + 0.5 * cos(pi * progress))
                now = tf.constant(rate, tf.float32), tf.constant(t + 1.0)
                u, m, v, failed = self._step(u, m, v, labels, target, weight, first, rates, *now)
                rates = tf.where(failed, rates / 2, rates)  # what has diverged begins anew, more slowly
                if on_step is not None:
                    on_step(len(u))
            return u, self._losses(u, labels, target, weight)

        u, losses = in_batches(optimise, [flat, classes.reshape(-1), targets, shares], ROWS)
        losses = np.where(np.isfinite(losses), losses, np.inf).reshape(starts.shape[:2])
        return u.reshape(starts.shape), losses

    def _losses(self, u: tf.Tensor, labels: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        seen = self.observe(self.space.decode(self.space.from_whitened(u), labels))
        return self.reconstruction(seen, target, weight) + TYPICAL * atypical(u)

    def _one_step(
        self, u: tf.Tensor, m: tf.Tensor, v: tf.Tensor, labels: tf.Tensor, target: tf.Tensor, weight: tf.Tensor,
        first: tf.Tensor, rates: tf.Tensor, rate: tf.Tensor, t: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:  # fmt: skip
        """One step of Adam for each row by itself: rows come and go, which the variables of an optimizer cannot."""
        with tf.GradientTape() as tape:
            tape.watch(u)
            losses = self._losses(u, labels, target, weight)
        gradient = tape.gradient(losses, u)
        ones = [1] * (len(u.shape) - 1)
        finite = tf.reduce_all(tf.math.is_finite(tf.reshape(gradient, (tf.shape(u)[0], -1))), axis=1)
        finite &= tf.math.is_finite(losses)
        keep = tf.reshape(finite, [-1, *ones])
        m = tf.where(keep, 0.9 * m + 0.1 * gradient, 0.0)
        v = tf.where(keep, 0.999 * v + 0.001 * tf.square(gradient), 0.0)
        move = (m / (1.0 - 0.9**t)) / (tf.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
        return tf.where(keep, u - rate * tf.reshape(rates, [-1, *ones]) * move, first), m, v, ~finite
