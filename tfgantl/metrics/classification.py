"""Small classifiers: one predicts the labels of generated images, one is trained on them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data.examples import Examples
from tfgantl.data.pipeline import batches
from tfgantl.images import to_unit
from tfgantl.models.classifier import small_cnn
from tfgantl.models.inference import predict
from tfgantl.optimizers import Adam
from tfgantl.progress import StepBar


def affine_augmentation(seed: int = 0) -> keras.Sequential:
    """Small random shifts, turns and zooms, filled with black: what any classifier of few images should get."""
    options = {"fill_mode": "constant", "fill_value": -1.0}
    return keras.Sequential(
        [
            keras.layers.RandomTranslation(0.08, 0.08, seed=seed, **options),
            keras.layers.RandomRotation(0.03, seed=seed + 1, **options),
            keras.layers.RandomZoom(0.1, seed=seed + 2, **options),
        ],
        name="affine_augmentation",
    )


class SmallClassifier:
    """The small CNN, trained with Adam and a cosine schedule as often as is asked for, each time from the beginning.

    What Keras has compiled serves all trainings: on few images, that takes longer than a training.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        num_classes: Number of classes.
        steps: Number of batches of each training.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int, steps: int):
        self.steps, self._kind = steps, (image_size, channels, num_classes)
        self.model = small_cnn(*self._kind)
        self.model.compile(
            Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )

    def train(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        seed: int,
        batch_size: int = 64,
        augment: Callable[..., tf.Tensor] | None = None,
        title: str | None = None,
    ) -> keras.Model:
        """Trains it.

        Args:
            images: uint8 (n, side, side, channels).
            labels: int (n,).
            seed: Sets initial weights, order and augmentation.
            batch_size: Images a step, at most n.
            augment: Keras layer or model applied to images in [-1, 1] during training.
            title: Shows a progress bar with this title; `None` shows none.

        Returns:
            The model, images in [-1, 1] → logits; the next training changes it.
        """
        keras.utils.set_random_seed(seed)
        for variable, fresh in zip(self.model.variables, small_cnn(*self._kind).variables, strict=True):
            variable.assign(fresh)  # also the state of dropout
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        data = batches(Examples.from_arrays(images, labels, self._kind[2]), min(batch_size, len(images)), seed)
        if augment is not None:
            data = data.map(lambda x, y: (augment(x, training=True), y))
        shown = [StepBar(title)] if title else []
        self.model.fit(data, steps_per_epoch=self.steps, epochs=1, verbose=0, shuffle=False, callbacks=shown)
        return self.model


def accuracy(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of uint8 images (n, side, side, channels) whose largest logit is that of their label."""
    logits = predict(model, to_unit(images))
    return float((logits.argmax(1) == labels).mean())
