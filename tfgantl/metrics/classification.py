"""Small classifiers: the judge of generated labels, and the pupil of generated images."""

import keras
import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.data.pipeline import batches
from tfgantl.images import to_unit
from tfgantl.models.classifier import small_cnn
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


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    steps: int,
    seed: int,
    batch_size: int = 64,
    augment=None,
    title: str | None = None,
) -> keras.Model:
    """Trains the small CNN with Adam and a cosine schedule.

    Args:
        images: uint8 (n, side, side, channels).
        labels: int (n,).
        num_classes: Number of classes.
        steps: Number of batches.
        seed: Sets initial weights, order and augmentation.
        batch_size: Images a step, at most n.
        augment: Keras layer or model applied to images in [-1, 1] during training.
        title: Shows a progress bar with this title; `None` shows none.

    Returns:
        The trained model, images in [-1, 1] → logits.
    """
    keras.utils.set_random_seed(seed)
    model = small_cnn(images.shape[1], images.shape[-1], num_classes)
    data = batches(Examples.from_arrays(images, labels, num_classes), min(batch_size, len(images)), seed)
    if augment is not None:
        data = data.map(lambda x, y: (augment(x, training=True), y))
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    model.fit(
        data, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False, callbacks=[StepBar(title)] if title else []
    )
    return model


def accuracy(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of uint8 images (n, side, side, channels) whose largest logit is that of their label."""
    logits = model.predict(to_unit(images), batch_size=256, verbose=0)
    return float((logits.argmax(1) == labels).mean())
