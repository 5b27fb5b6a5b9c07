"""Restoration with a generator as prior: several images for one damaged picture, and how much they differ."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tfgantl.editing.inversion import Inversion, InversionSettings, Inverter
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.observations import Observation
from tfgantl.errors import ConfigError

DIFFERENT = 0.1  # mean absolute difference of unknown pixels, of a range of 2, below which answers are one


@dataclass(frozen=True)
class Restoration:
    """Answers for some pictures, best first.

    Args:
        images: float32 (n, answers, height, width, channels) in [-1, 1], with what is known of each picture put back.
        found: Their codes, labels and losses, with the same first two axes. A loss is NaN where nothing finite was
            found; such answers come last.
        unknown: Pixels that are not known, bool (height, width).
    """

    images: np.ndarray
    found: Inversion
    unknown: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """Mean standard deviation over the answers of the pixels that are not known, (n,); 0 where all agree."""
        return self.images.std(axis=1)[:, self.unknown].mean(axis=(1, 2))


class Restorer:
    """Searches images of a generator that would look like the damaged pictures, were they damaged as these are.

    Twice as many starts as answers are followed to the end. Answers are ranked by how well they agree with what is
    known; of those that are almost the same, only the best is among the first.

    Args:
        space: Where codes are searched.
        observation: What is seen of an image.
        settings: How hard to try; `kept` follows from the number of answers.
        answers: Images for each picture, at most `restarts`.

    Raises:
        ConfigError: If there are fewer starts than answers.

    Example:
        >>> from tfgantl.editing.holes import named_hole
        >>> from tfgantl.editing.observations import WithHole
        >>> space = LatentSpace(tfgantl.load_generator("rendered-digits"))
        >>> hole = WithHole(named_hole("centre", (28, 28)))
        >>> restorer = Restorer(space, hole, InversionSettings(steps=20, restarts=8))
        >>> picture = space.images(space.sample(1, np.array([3])), np.array([3]))
        >>> restorer(hole.damaged(picture)).images.shape
        (1, 4, 28, 28, 1)

    Reference:
        Yeh et al., 2017, https://arxiv.org/abs/1607.07539; Menon et al., 2020, https://arxiv.org/abs/2003.03808
    """

    def __init__(
        self, space: LatentSpace, observation: Observation, settings: InversionSettings, answers: int = 4
    ) -> None:
        if not 1 <= answers <= settings.restarts:
            raise ConfigError(f"`answers` must be from 1 to `restarts`, {settings.restarts}. Received: {answers}")
        kept = min(settings.restarts, 1 << (2 * answers - 1).bit_length())
        self.space, self.observation, self.answers = space, observation, answers
        self.settings = replace(settings, kept=kept)
        self._inverter = Inverter(space, observation.distance, self.settings, observe=observation)

    def __call__(
        self,
        observed: np.ndarray,
        labels: np.ndarray | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> Restoration:
        """Restores pictures.

        Args:
            observed: float32 (n, height, width, channels) in [-1, 1], as the observation makes them.
            labels: int (n,) where the classes are known; answers may be of any class otherwise.
            on_step: Called with the number of optimised images after each step.

        Returns:
            The answers for each picture.
        """
        found = self._inverter.finalists(observed, labels, self.observation.weights(observed), on_step)
        images = self.images(found, observed)
        unknown = self.observation.unknown(self.space.image_shape[:2])
        rows = np.arange(len(observed))[:, None]
        order = np.stack([
            ranked(losses, some[:, unknown])[: self.answers]
            for losses, some in zip(found.losses, images, strict=True)
        ])  # fmt: skip
        labels = None if found.labels is None else found.labels[rows, order]
        chosen = Inversion(found.u[rows, order], found.codes[rows, order], labels, found.losses[rows, order])
        return Restoration(images[rows, order], chosen, unknown)

    def images(self, found: Inversion, observed: np.ndarray) -> np.ndarray:
        """Images of codes (n, count, …), with what is known of the n pictures put back; (n, count, height, …)."""
        n, count = found.losses.shape
        labels = None if found.labels is None else found.labels.reshape(-1)
        images = self.space.images(found.codes.reshape(-1, *self.space.shape), labels)
        return self.observation.completed(images, np.repeat(observed, count, axis=0)).reshape(
            n, count, *self.space.image_shape
        )


def ranked(losses: np.ndarray, images: np.ndarray) -> np.ndarray:
    """An order of answers: by loss, and those that are almost the same as a better one behind all others.

    Args:
        losses: (count,); NaN comes last.
        images: Their pixels that can differ, (count, …).

    Returns:
        Indices (count,).
    """
    first: list[int] = []
    again: list[int] = []
    for i in np.argsort(losses):  # NaN last
        if not np.isfinite(losses[i]) or any(np.abs(images[i] - images[j]).mean() < DIFFERENT for j in first):
            again.append(i)
        else:
            first.append(i)
    return np.array([*first, *again])
