"""Small classifiers: one predicts the labels of generated images, one is trained on them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfgantl import replicas
from tfgantl.data.examples import Examples
from tfgantl.data.pipeline import batches
from tfgantl.models.classifier import small_cnn
from tfgantl.models.inference import predict_pixels
from tfgantl.optimizers import Adam
from tfgantl.progress import bar
from tfgantl.shared_step import shared


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

    What has been traced serves all trainings: on few images, that takes longer than a training. In the scope of a
    strategy of `tf.distribute`, its replicas share each batch.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        num_classes: Number of classes.
        steps: Number of batches of each training.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int, steps: int):
        self.steps, self._kind = steps, (image_size, channels, num_classes)
        self.model = small_cnn(*self._kind)
        self._optimizer = Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
        self._optimizer.build(self.model.trainable_variables)
        self._train_step = shared(self._step)

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
        for variable in self._optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        data = batches(Examples.from_arrays(images, labels, self._kind[2]), min(batch_size, len(images)), seed)
        if augment is not None:
            data = data.map(lambda x, y: (augment(x, training=True), y))
        progress = bar(self.steps, title) if title else None
        for batch in data.take(self.steps):
            self._train_step(*batch)
            if progress is not None:
                progress.update()
        if progress is not None:
            progress.close()
        return self.model

    def _step(self, images: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
            minimised = replicas.part(loss)
        self._optimizer.apply(tape.gradient(minimised, weights), weights)
        return {"loss": loss}


def accuracy(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of uint8 images (n, side, side, channels) whose largest logit is that of their label."""
    logits = predict_pixels(model, images)
    return float((logits.argmax(1) == labels).mean())
