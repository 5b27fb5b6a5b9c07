"""Attributes that are learnt: a column of a table about pictures, or a class of a classifier."""

from pathlib import Path

import keras
import numpy as np

from tfgantl.data.classes import label_of
from tfgantl.data.splits import digests_of
from tfgantl.editing.attributes import Attribute
from tfgantl.editing.picture_tables import read_column
from tfgantl.errors import ConfigError, DataError
from tfgantl.files import expanded
from tfgantl.images import to_unit
from tfgantl.metrics.classification import SmallClassifier, affine_augmentation
from tfgantl.models.classifier import small_cnn
from tfgantl.models.classifier_pixels import in_our_range
from tfgantl.models.inference import predict_pixels
from tfgantl.models.outputs import last_activation
from tfgantl.optimizers import Adam
from tfgantl.progress import bar, log
from tfgantl.training.class_names import class_names_behind
from tfgantl.untrusted.networks import load_network

STEPS = 300  # of the network that learns a column
BATCH = 64
HELD_OUT = 5  # every fifth picture shows how well it has learnt
MAX_WORDS = 2  # values of a column that are no numbers


def class_attribute(path: str | Path, wanted: str, image_shape: tuple[int, int, int]) -> Attribute:
    """How clearly a classifier sees a class: its log odds.

    Args:
        path: `.keras` file: images, in [-1, 1] unless its first layers say otherwise, → logits, or probabilities; one
            output is that of class 1 of two, and sigmoids side by side are labels of which each is there or not.
        wanted: Number of the class, or its name where it is known.
        image_shape: Of the images that it will look at.

    Raises:
        ArtifactError: If it is no such file.
        ConfigError: If it takes other images, or has no such class.
    """
    path = expanded(path)
    network = in_our_range(load_network(path), str(path))
    shape, classes = tuple(network.input_shape[1:]), max(2, network.output_shape[-1])
    if shape != tuple(image_shape):
        raise ConfigError(f"{path}: must be a classifier of images of {tuple(image_shape)}. Received: one of {shape}")
    names = class_names_behind(str(path), classes) or []
    label = label_of(wanted, names, classes)
    if label is None:
        known = f", or one of {', '.join(names)}" if names else ""
        raise ConfigError(f"{path}: a class must be a number from 0 to {classes - 1}{known}. Received: {wanted}")

    are_shares = last_activation(network) in ("sigmoid", "hard_sigmoid")

    def log_odds(images: np.ndarray) -> np.ndarray:
        scores = predict_pixels(network, images).astype(np.float64)
        if scores.shape[1] == 1:
            scores = np.hstack([1 - scores, scores] if are_shares else [np.zeros_like(scores), scores])
        if are_shares:
            shares = np.clip(scores[:, label], 1e-12, 1 - 1e-12)
            return np.log(shares / (1 - shares))
        if (scores >= 0).all() and np.allclose(scores.sum(1), 1, atol=1e-3):  # probabilities
            scores = np.log(np.maximum(scores, 1e-12))
        others = np.delete(scores, label, axis=1)
        return scores[:, label] - np.logaddexp.reduce(others, axis=1)

    return Attribute(names[label] if names else f"class-{label}", "log odds", log_odds, (shape[-1],), two_valued=True)


def table_attribute(
    path: str | Path, column: str, image_shape: tuple[int, int, int], seed: int = 0, steps: int = STEPS
) -> Attribute:
    """A column of a table, learnt from its pictures: numbers, of which two are as good as two words, or two words.

    Args:
        path: CSV with a heading. One of its columns names pictures, relative to where the file is.
        column: The heading of the column.
        image_shape: Of the images that it will be told of.
        seed: Of the training.
        steps: Training steps of a small network.

    Raises:
        DataError: If it is not there, names too few pictures, or the column has neither numbers nor two words.
        ConfigError: If there is no such column.
    """
    pictures, values = read_column(expanded(path), column, image_shape)
    numbers = _numbers(values)
    told = values if numbers is None else numbers.tolist()
    words = sorted(set(told))  # of numbers, the larger one is the second
    if len(words) == MAX_WORDS:
        labels = np.array([words.index(value) for value in told])
        return _two_valued(
            column, pictures, labels, [f"{word:g}" if numbers is not None else word for word in words], seed, steps
        )
    if numbers is None or len(words) < MAX_WORDS:
        raise DataError(f"{path}: {column} must have numbers, or two words. Received: {len(words)} words, {words[0]} …")
    return _regressed(column, pictures, numbers, seed, steps)


def _two_valued(
    name: str, images: np.ndarray, labels: np.ndarray, words: list[str], seed: int, steps: int
) -> Attribute:
    test = _held_out(images)
    side, channels = images.shape[2:]
    network = SmallClassifier(side, channels, 2, steps).train(
        images[~test], labels[~test], seed, augment=affine_augmentation(seed), title=name
    )

    def log_odds(x: np.ndarray) -> np.ndarray:
        logits = predict_pixels(network, x).astype(np.float64)
        return logits[:, 1] - logits[:, 0]

    share = float(((log_odds(images[test]) > 0) == labels[test]).mean())
    log(f"{name}: {words[1]} is told from {words[0]} in {share:.0%} of {test.sum()} held-out pictures")
    return Attribute(name, f"log odds of {words[1]}", log_odds, (channels,), two_valued=True)


def _regressed(name: str, images: np.ndarray, values: np.ndarray, seed: int, steps: int) -> Attribute:
    test = _held_out(images)
    mean, scale = values[~test].mean(), max(float(values[~test].std()), 1e-12)
    side, channels = images.shape[2:]
    keras.utils.set_random_seed(seed)
    network = small_cnn(side, channels, 1)
    network.compile(Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), "mse", jit_compile=False)
    order, progress = np.random.default_rng(seed), bar(steps, name)
    inputs, wanted = images[~test], ((values[~test] - mean) / scale).astype(np.float32)
    for _ in range(steps):
        some = order.integers(len(inputs), size=BATCH)
        network.train_on_batch(to_unit(inputs[some]), wanted[some])
        progress.update()
    progress.close()

    def regressed(x: np.ndarray) -> np.ndarray:
        return predict_pixels(network, x)[:, 0].astype(np.float64) * scale + mean

    error = np.square(regressed(images[test]) - values[test]).mean() / max(float(values[test].var()), 1e-12)
    log(f"{name}: is told of {test.sum()} held-out pictures with R² {1 - error:.2f}")
    return Attribute(name, "", regressed, (channels,))


def _held_out(images: np.ndarray) -> np.ndarray:
    """Which images are measured on, bool (n,): every fifth; copies of an image are where it is."""
    number: dict[bytes, int] = {}
    keys = map(bytes, digests_of(image.tobytes() for image in images))
    places = [number.setdefault(key, len(number)) for key in keys]
    if len(number) < 2:
        raise DataError("pictures of a table must differ. Received: copies of one")
    return np.array(places) % HELD_OUT == 0


def _numbers(values: list[str]) -> np.ndarray | None:
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None
