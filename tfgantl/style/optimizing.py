"""Optimises the pixels of one image, by Adam or L-BFGS."""

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import Bounds, OptimizeResult, minimize

from tfgantl.errors import DivergedError
from tfgantl.style.objective import Objective
from tfgantl.style.state import check_shapes

Optimizer = Literal["adam", "lbfgs"]
CORRECTIONS = 10  # pairs of steps and gradients that L-BFGS remembers


class PixelOptimizer:
    """Takes steps on one image.

    Args:
        objective: What to minimise.
        image: Float32 (1, height, width, 3) in [-1, 1] to begin with.
        kind: `adam`, or `lbfgs` (scipy's L-BFGS-B, within [-1, 1]).
        learning_rate: Of Adam, in units of pixels in [-1, 1].
    """

    def __init__(self, objective: Objective, image: np.ndarray, kind: Optimizer = "adam", learning_rate: float = 0.03):
        self.kind = kind
        self._image = keras.Variable(image, dtype="float32", name="image")
        self._adam = keras.optimizers.Adam(learning_rate, epsilon=1e-8)
        self._adam.build([self._image])
        variable, adam = self._image.value, self._adam

        def evaluate(image: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(image)
                terms = objective(image)
            return terms, tape.gradient(terms["total"], image)

        # XLA makes a step on a processor several times as long.
        @tf.function(autograph=False, jit_compile=False)
        def step() -> dict[str, tf.Tensor]:
            terms, gradient = evaluate(tf.convert_to_tensor(variable))
            adam.apply([gradient], [self._image])
            variable.assign(tf.clip_by_value(variable, -1.0, 1.0))
            return terms

        self._step, self._evaluate = step, tf.function(evaluate, autograph=False, jit_compile=False)

    @property
    def image(self) -> np.ndarray:
        return self._image.numpy()

    def run(self, steps: int, on_step: Callable[[dict[str, float]], bool]) -> None:
        """Takes steps; L-BFGS begins to learn the curvature anew with each call.

        Args:
            steps: Number of steps; L-BFGS may take fewer if it cannot get lower.
            on_step: Gets the terms after each step, and says whether to stop.

        Raises:
            DivergedError: If a term is not finite.
        """
        if self.kind == "lbfgs":
            self._run_lbfgs(steps, on_step)
            return
        for _ in range(steps):
            terms = {name: float(value) for name, value in self._step().items()}
            check_terms(terms)
            if on_step(terms):
                return

    def _run_lbfgs(self, steps: int, on_step: Callable[[dict[str, float]], bool]) -> None:
        shape, last = self._image.shape, {}

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            terms, gradient = self._evaluate(tf.constant(flat.reshape(shape), tf.float32))
            last.update({name: float(value) for name, value in terms.items()})
            check_terms(last)
            return last["total"], gradient.numpy().ravel().astype(np.float64)

        def after(intermediate_result: OptimizeResult) -> None:
            self._image.assign(intermediate_result.x.reshape(shape))
            if on_step(last):
                raise StopIteration

        minimize(
            evaluate, self.image.ravel().astype(np.float64), jac=True, method="L-BFGS-B", bounds=Bounds(-1.0, 1.0),
            callback=after,
            options={"maxiter": steps, "maxfun": 20 * steps, "maxcor": CORRECTIONS, "ftol": 0, "gtol": 0},
        )  # fmt: skip

    def state(self) -> dict[str, np.ndarray]:
        """Arrays to keep, so that the next step is what it would have been."""
        moments = {f"adam{i}": variable.numpy() for i, variable in enumerate(self._adam.variables)}
        return {"image": self.image, **moments}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Takes up what `state` gave.

        Raises:
            RunError: If it is of a picture of another size.
        """
        variables = {"image": self._image, **{f"adam{i}": v for i, v in enumerate(self._adam.variables)}}
        check_shapes(state, {name: tuple(v.shape) for name, v in variables.items()}, "a painting")
        for name, variable in variables.items():
            variable.assign(state[name])


def check_terms(terms: dict[str, float]) -> None:
    """Raises `DivergedError` if a loss is not finite."""
    for name, value in terms.items():
        if not np.isfinite(value):
            raise DivergedError(f"the {name} loss must be finite; take lower weights or rates. Received: {value}")
