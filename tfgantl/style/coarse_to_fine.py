"""Optimises one picture from a small size to the full one, and can stop and go on between any two steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from tfgantl.images import to_unit
from tfgantl.style.color import match_colors
from tfgantl.style.objective import Objective, Weights, still_parts
from tfgantl.style.optimizing import Optimizer, PixelOptimizer
from tfgantl.style.pictures import resized, shape_at

NOISE = 0.3  # standard deviation of pixels in [-1, 1]


@dataclass(frozen=True)
class PaintingTask:
    """What to paint.

    Args:
        content: uint8 (height, width, 3), or `None` for texture synthesis.
        styles: uint8 pictures of any size; none for content reconstruction.
        shares: Share of each style.
        weights: Of the terms.
        sizes: Pixels of the longer side, from the coarsest to the last.
        steps: Steps in all, shared equally by the sizes.
        init: `content`, `style`, `noise`, or a uint8 picture to begin with.
        strength: Of the style.
        match: Whether the colours of styles are brought to those of the content first.
        masks: Regions uint8 (height, width, 1) of the size of the content, one for each style.
        before: The frame before, painted, and its content, uint8; the painting begins with it where it has not moved.
        optimizer: adam or lbfgs.
        learning_rate: Of Adam.
        seed: Of the noise.
    """

    content: np.ndarray | None
    styles: list[np.ndarray]
    shares: list[float]
    weights: Weights
    sizes: tuple[int, ...]
    steps: int
    init: str | np.ndarray
    strength: float = 1.0
    match: bool = False
    masks: list[np.ndarray] | None = None
    before: tuple[np.ndarray, np.ndarray] | None = None
    optimizer: Optimizer = "adam"
    learning_rate: float = 0.05
    seed: int = 0

    @property
    def shape(self) -> np.ndarray:
        """The picture that gives the result its proportions."""
        return self.content if self.content is not None else self.styles[0]

    def ends(self) -> list[int]:
        """Step after which each size ends."""
        return [round(self.steps * (i + 1) / len(self.sizes)) for i in range(len(self.sizes))]


@dataclass
class Painting:
    """Where a painting is.

    Args:
        image: Float32 (1, height, width, 3) in [-1, 1].
        step: Steps taken.
        terms: Scaled losses of the last step.
        effective: Term → what its plain loss is multiplied by, at the last size.
        seconds: Of all steps but the first of each size, and their number.
        state: Of the optimizer.
    """

    image: np.ndarray | None = None
    step: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    effective: dict[str, float] = field(default_factory=dict)
    seconds: tuple[float, int] = (0.0, 0)
    state: dict[str, np.ndarray] | None = None


def paint(
    task: PaintingTask, network: keras.Model, on_step: Callable[[Painting], bool], on_state: Callable[[Painting], None],
    painting: Painting | None = None, every: int = 50,
) -> Painting:  # fmt: skip
    """Paints a picture.

    Args:
        task: What to paint.
        network: `vgg16` for the content layer and the style layers.
        on_step: Sees steps and losses after each step, and says whether to stop.
        on_state: Sees the painting, image and all, every `every` steps, at the end of a size, and at a stop.
        painting: Where to go on: with Adam exactly as if it had not been interrupted; L-BFGS begins anew.
        every: Steps.

    Raises:
        DivergedError: If a loss is not finite.
    """
    painting, begin = painting or Painting(), 0
    for size, end in zip(task.sizes, task.ends(), strict=True):
        if painting.step < end:
            shape = shape_at(task.shape, size)
            start = starting_image(task, shape)
            objective = _objective(task, network, start, shape)
            painting.effective = dict(objective.effective)  # which a Module wraps
            image = _first(task, start, shape)
            if painting.step == begin and begin:
                image = tf.image.resize(painting.image, shape, "bicubic").numpy().clip(-1, 1)
            optimizer = PixelOptimizer(objective, image, task.optimizer, task.learning_rate)
            if painting.step > begin and painting.state is not None:
                optimizer.set_state(painting.state)
            if _run(optimizer, painting, end, every, on_step, on_state):
                break
        begin = end
    return painting


def _run(
    optimizer: PixelOptimizer,
    painting: Painting,
    end: int,
    every: int,
    on_step: Callable[[Painting], bool],
    on_state: Callable[[Painting], None],
) -> bool:
    """Takes the steps of one size; whether to stop."""
    stopped, traced, last = False, False, time.perf_counter()

    def keep() -> None:
        painting.image, painting.state = optimizer.image, optimizer.state()
        on_state(painting)

    def after(terms: dict[str, float]) -> bool:
        nonlocal stopped, traced, last
        seconds, count = painting.seconds
        if traced:
            painting.seconds = seconds + time.perf_counter() - last, count + 1
        painting.terms, painting.step, traced = terms, painting.step + 1, True
        stopped = on_step(painting)
        if painting.step % every == 0 and painting.step < end and not stopped:
            keep()
        last = time.perf_counter()
        return stopped

    optimizer.run(end - painting.step, after)
    if not stopped:
        painting.step = end  # L-BFGS may have found nothing lower before
    keep()
    return stopped


def starting_image(task: PaintingTask, shape: tuple[int, int]) -> np.ndarray:
    """Float32 (1, height, width, 3) in [-1, 1] to begin with."""
    if isinstance(task.init, np.ndarray):
        return to_unit(resized(task.init, shape))[None]
    if task.init == "noise":
        noise = np.random.default_rng(task.seed).normal(0, NOISE, (1, *shape, 3))
        return noise.astype(np.float32).clip(-1, 1)
    picture = task.styles[0] if task.init != "content" or task.content is None else task.content
    return to_unit(resized(picture, shape))[None]


def _first(task: PaintingTask, start: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What to begin with: the start, or the frame before where nothing has moved."""
    if task.before is None or task.content is None:
        return start
    painted, earlier, content = (to_unit(resized(p, shape))[None] for p in (*task.before, task.content))
    still = still_parts(content, earlier)
    return still * painted + (1 - still) * start


def _objective(task: PaintingTask, network: keras.Model, start: np.ndarray, shape: tuple[int, int]) -> Objective:
    content = None if task.content is None else to_unit(resized(task.content, shape))[None]
    styles = [to_unit(resized(style, shape_at(style, max(shape))))[None] for style in task.styles]
    if task.match and content is not None:
        styles = [match_colors(style, content) for style in styles]
    masks = None
    if task.masks is not None:
        masks = [resized(mask, shape)[..., 0].astype(np.float32) / 255 for mask in task.masks]
    before = None
    if task.before is not None:
        before = tuple(to_unit(resized(picture, shape))[None] for picture in task.before)
    return Objective(network, start, content, styles, task.shares, task.weights, task.strength, masks, before)
