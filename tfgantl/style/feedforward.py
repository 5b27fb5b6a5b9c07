"""Trains a network that paints in many styles, or the rows of new styles for one that is trained."""

import time
from collections.abc import Callable
from itertools import repeat

import keras
import numpy as np
import tensorflow as tf

from tfgantl import replicas
from tfgantl.models.stylizer import ConditionalInstanceNorm, Stylizer
from tfgantl.shared_step import shared
from tfgantl.style.adversary import Adversary
from tfgantl.style.crops import crops
from tfgantl.style.optimizing import check_terms
from tfgantl.style.painting import PaintingLoss
from tfgantl.style.state import check_shapes

ASKS = "asks to stop"


class StylizerTraining:
    """The steps of a training; images are painted in all styles in turn.

    Made and run in the scope of a strategy of `tf.distribute`, its replicas share each batch.

    Args:
        network: What is trained: all of it, or only its rows.
        loss: Of painted images.
        steps: Number of steps, over which the learning rate falls to a twentieth.
        learning_rate: Of Adam, at the beginning.
        rows_only: Whether kernels stay what they are.
        adversary: What else painted images have to please; it is trained beside.
    """

    def __init__(
        self, network: Stylizer, loss: PaintingLoss, steps: int, learning_rate: float = 3e-3, rows_only: bool = False,
        adversary: Adversary | None = None,
    ):  # fmt: skip
        self.network, self.steps, self.step, self._adversarial = network, steps, 0, adversary is not None
        for layer in network.layers:
            layer.trainable = not rows_only or isinstance(layer, ConditionalInstanceNorm)
        variables = network.trainable_variables
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.05))
        optimizer.build(variables)
        self._variables = [*variables, *optimizer.variables, *(adversary.variables if adversary else ())]

        def train_step(
            images: tf.Tensor, mix: tf.Tensor, reals: tf.Tensor | None, asks: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            with tf.GradientTape() as tape:
                painted = network([images, mix], training=True)
                terms = loss(images, painted, mix)
                total = tf.reduce_mean(terms["total"])
                if adversary is not None:
                    terms["adversarial"] = adversary.loss(painted, mix)
                    total += adversary.weight * terms["adversarial"]
                minimised = replicas.part(total)
            optimizer.apply_gradients(zip(tape.gradient(minimised, variables), variables, strict=True))
            if adversary is not None:
                terms["discriminator"] = adversary.train_step(reals, tf.stop_gradient(painted), mix)
            return {name: tf.reduce_mean(values) for name, values in {**terms, "total": total, ASKS: asks}.items()}

        self._train_step = shared(train_step)

    def run(
        self, pictures: list[np.ndarray], styles: list[np.ndarray], size: int, batch_size: int, seed: int,
        on_step: Callable[[dict[str, float], bool], bool], asks_to_stop: Callable[[], bool] = lambda: False,
    ) -> float:  # fmt: skip
        """Trains to the last step, or until `on_step` says to stop.

        Args:
            pictures: Content, uint8 (height, width, 3) of any size.
            styles: The same, one for each style; what an adversary learns from.
            size: Height and width of the crops in pixels, a multiple of 4.
            batch_size: Crops a step.
            seed: Chooses the crops.
            on_step: Called after each step with its losses, and whether a process that shares the steps asks to stop.
            asks_to_stop: Whether this process does, as the others are told in the next step.

        Returns:
            Seconds a step, without the first.

        Raises:
            DivergedError: If a loss is not finite.
        """
        seconds, reals = [], repeat(None)
        if self._adversarial:
            reals = crops(styles, size, batch_size, self.steps, seed, self.step, in_turn=True)
        contents = crops(pictures, size, batch_size, self.steps, seed, self.step)
        for images, real in zip(contents, reals, strict=False):
            start = time.perf_counter()
            number = (self.step * batch_size + np.arange(batch_size)) % self.network.num_styles
            mix = np.eye(self.network.num_styles, dtype=np.float32)[number]
            inputs = images, tf.constant(mix), real, tf.constant(float(asks_to_stop()))
            terms = {name: float(value) for name, value in self._train_step(*inputs).items()}
            one_asks = terms.pop(ASKS) > 0.0
            check_terms(terms)
            self.step += 1
            seconds.append(time.perf_counter() - start)
            if on_step(terms, one_asks):
                break
        return float(np.mean(seconds[1:] or seconds or [0.0]))

    def state(self) -> dict[str, np.ndarray]:
        """Arrays to keep, so that the next step is what it would have been."""
        return {f"v{i}": variable.numpy() for i, variable in enumerate(self._variables)}

    def set_state(self, state: dict[str, np.ndarray], step: int) -> None:
        """Takes up what `state` gave after `step` steps.

        Raises:
            RunError: If it is of a network of another form.
        """
        check_shapes(state, {f"v{i}": tuple(v.shape) for i, v in enumerate(self._variables)}, "a training of styles")
        for i, variable in enumerate(self._variables):
            variable.assign(state[f"v{i}"])
        self.step = step


def measured(loss: PaintingLoss, network: Stylizer, images: np.ndarray) -> dict[str, list[float]]:
    """Mean losses of images, float32 (n, size, size, 3), painted in each style: term → one number a style."""
    found: dict[str, list[float]] = {}
    for mix in np.eye(network.num_styles, dtype=np.float32):
        rows = np.repeat(mix[None], len(images), 0)
        for name, values in loss(images, network([images, rows], training=False), rows).items():
            found.setdefault(name, []).append(float(tf.reduce_mean(values)))
    return found


def for_new_styles(network: Stylizer, styles: list[str], dtype: str = "float32") -> Stylizer:
    """The same network with rows for other styles only, which begin as the means of the rows that it has.

    Args:
        network: Trained.
        styles: Names of the new styles.
        dtype: Keras dtype policy of the hidden layers.
    """
    fresh = Stylizer(len(styles), network.width, network.blocks, styles, dtype)
    _copy(network, fresh, lambda rows, layer, part: np.repeat(rows.mean(0, keepdims=True), len(styles), 0))
    return fresh


def with_styles_of(network: Stylizer, other: Stylizer) -> Stylizer:
    """A network with the styles of two, which differ in their rows alone, in float32."""
    both = Stylizer(network.num_styles + other.num_styles, network.width, network.blocks, network.styles + other.styles)
    further = {layer.name: layer for layer in other.norms()}
    _copy(network, both, lambda rows, layer, part: np.concatenate([rows, getattr(further[layer.name], part).numpy()]))
    return both


def _copy(
    source: Stylizer, target: Stylizer, rows_of: Callable[[np.ndarray, ConditionalInstanceNorm, str], np.ndarray]
) -> None:
    for layer in target.layers:
        if isinstance(layer, ConditionalInstanceNorm):
            for part in ("gamma", "beta"):
                old = getattr(source.get_layer(layer.name), part).numpy()
                getattr(layer, part).assign(rows_of(old, layer, part))
        elif layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())
