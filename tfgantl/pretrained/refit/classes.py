"""Other classes than those of the source, more or fewer, or none on one of the two sides."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data.classes import same_names
from tfgantl.data.examples import Examples
from tfgantl.errors import ArtifactError, ConfigError, intact
from tfgantl.gan import GAN
from tfgantl.images import to_unit
from tfgantl.models.structure import structure_of
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained.refit.base import Refit
from tfgantl.pretrained.refit.editable import EditableNetwork, outputs_of
from tfgantl.printing import printable
from tfgantl.random_streams import Stream
from tfgantl.text_files import load_yaml, read_text
from tfgantl.untrusted.unique_names import add

MAX_BYTES = 2**20
Start = int | Literal["average"] | None  # a class of the source, the mean of all, or the initial value
WORDS = ("nearest", "init", "average")
WORDS_OF_FILES: dict[str, Start] = {"null": None, "~": None, "": None, "init": None, "average": "average"}
NUMBER = re.compile(r"-?[0-9]{1,18}")


def choose_classes(
    source: GAN,
    num_classes: int,
    class_map: str,
    examples: Examples | None,
    seed: int,
    source_names: Sequence[str] | None = None,
) -> list[Start] | None:
    """Says for each class of the target which class of the source it starts from.

    Args:
        source: The source GAN, conditional.
        num_classes: Number of classes of the target.
        class_map: `nearest` (the class of the same name; where there is none, or names are not known on both sides,
            the one with the nearest features, or the same label if there are as many classes), `init`, `average`, or
            the path of a file.
        examples: Training images of the target, for `nearest`; their classes may have names.
        seed: Chooses the samples of the source that stand for its classes.
        source_names: Names of the classes of the source.

    Returns:
        List of `num_classes` entries: index of a class, `None` for the initial value, or `"average"`; `None` if each
        starts from the class with its own label.

    Raises:
        ConfigError: If `class_map` is not one of these, is not needed, or needs images that are not there.
        ArtifactError: If the file does not name a class of the source for each class of the target.
    """
    source_classes = source.num_classes
    if source_classes is None:
        raise ConfigError("`source` must have classes to choose from. Received: none")
    same_number = source_classes == num_classes
    names = None if examples is None else examples.classes
    if class_map in ("init", "average"):
        if same_number:
            raise ConfigError(
                "`class_map` must be a file, or not be given, if source and target have as many classes. "
                f"Received: {class_map} for {source_classes} and {num_classes}"
            )
        return [None if class_map == "init" else "average"] * num_classes
    if class_map != "nearest":
        return _from_file(Path(class_map), num_classes, source_classes, names, source_names)
    by_name = same_names(names, source_names) if names and source_names else None
    if same_number and by_name in (None, list(range(num_classes))):
        return None
    if by_name and None not in by_name:
        return list(by_name)
    if examples is None or examples.num_classes != num_classes:
        raise ConfigError("`class_map` nearest must have labelled training images of the target. Received: none")
    nearest = _nearest(source, source_classes, examples, num_classes, seed)
    return nearest if by_name is None else [near if c is None else c for c, near in zip(by_name, nearest, strict=True)]


def _nearest(
    source: GAN, source_classes: int, examples: Examples, num_classes: int, seed: int, count: int = 128
) -> list[Start]:
    """The class whose images have the nearest mean features in the discriminator, for each class of the target."""
    features = _features_of(source.discriminator)
    labels = np.repeat(np.arange(source_classes), count)
    source_features = features(source.generate(source.latents(len(labels), seed, Stream.SOURCE_CLASSES), labels))
    images, classes = examples.subset(64 * num_classes)
    target_features = features(_like_source(images, source))
    scale = source_features.std(0) + 1e-6
    means = np.stack([source_features[labels == c].mean(0) for c in range(source_classes)]) / scale
    nearest: list[Start] = []
    for c in range(num_classes):
        members = np.flatnonzero(classes == c)
        if not len(members):
            nearest.append("average")  # there are no images of it
            continue
        distances = np.linalg.norm(means - target_features[members].mean(0) / scale, axis=1)
        nearest.append(int(distances.argmin()))
    return nearest


def _features_of(discriminator: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    features = structure_of(discriminator).last_features
    if features is None or len(features.shape) != 2:
        raise ArtifactError(
            "`class_map` nearest must have a discriminator of known layers that ends in one vector of features. "
            f"Received: {type(discriminator).__name__}"
        )
    model = keras.Model(discriminator.inputs[0], features)
    return lambda images: outputs_of(model, [images], batch_size=256)[0]


def _like_source(images: np.ndarray, source: GAN) -> np.ndarray:
    """uint8 images of the target → float32 in [-1, 1], in the size and with the channels of the source."""
    _, side, _, channels = source.generator.output_shape
    resized = tf.image.resize(to_unit(images), (side, side), antialias=True)
    if resized.shape[-1] == 3 and channels == 1:
        resized = tf.image.rgb_to_grayscale(resized)
    elif resized.shape[-1] == 1 and channels == 3:
        resized = tf.repeat(resized, 3, -1)
    return resized.numpy()


def _from_file(
    path: Path, num_classes: int, source_classes: int, names: Sequence[str] | None, source_names: Sequence[str] | None
) -> list[Start]:
    if not path.is_file():
        raise ConfigError(f"`class_map` must be {', '.join(WORDS)}, or a file. Received: {path}")
    text = read_text(path) if path.stat().st_size <= MAX_BYTES else ""
    with intact(
        f"{path}: `class_map` must map classes of the target to classes of the source, by number or name, as YAML, "
        "JSON or lines of two"
    ):
        mapping = load_yaml(text, f"{path}: `class_map`", texts=True)
        pairs: list[Any]
        if isinstance(mapping, str):  # lines of `target source`
            pairs = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
        else:
            pairs = [*enumerate(mapping)] if isinstance(mapping, list) else [*mapping.items()]
        keys, counted = [k for k, _ in pairs], isinstance(mapping, list)
        labels = keys if counted else _labels(keys, names, f"{path}: classes of the target")
        mapping = {}
        chosen = [v for _, v in pairs if v not in WORDS_OF_FILES]
        _check_words([v for _, v in pairs if v in WORDS_OF_FILES], source_names, path)
        known = iter(_labels(chosen, source_names, f"{path}: classes of the source"))
        for label, (_, v) in zip(labels, pairs, strict=True):
            add(mapping, label, WORDS_OF_FILES[v] if v in WORDS_OF_FILES else next(known))
    if set(mapping) != set(range(num_classes)):
        raise ArtifactError(
            f"{path}: `class_map` must name each of the {num_classes} classes of the target. "
            f"Received: {sorted(mapping)[:20]}"
        )
    wrong = [v for v in mapping.values() if isinstance(v, int) and not 0 <= v < source_classes]
    if wrong:
        raise ArtifactError(f"{path}: classes of the source must be in [0, {source_classes - 1}]. Received: {wrong[0]}")
    return [mapping[c] for c in range(num_classes)]


def _check_words(words: list[str], names: Sequence[str] | None, path: Path) -> None:
    """Refuses words such as `average` where the source has a class of that name, which may be meant."""
    for word in words:
        (label,) = same_names([word], names or ())
        if label is not None:
            raise ArtifactError(
                f"{path}: a class of the source that is called {', '.join(filter(None, WORDS_OF_FILES))} must be given "
                f"by its number. Received: {word}, which may be the word or class {label}"
            )


def _labels(keys: list[str], names: Sequence[str] | None, where: str) -> list[int]:
    """Labels of classes that a file names, or numbers; where names are numbers, all are one or the other."""
    labels = same_names(keys, names or ())
    others = [key for key, label in zip(keys, labels, strict=True) if label is None]
    is_number = [NUMBER.fullmatch(key) is not None for key in keys]
    mixed = others and any(number and label is not None for number, label in zip(is_number, labels, strict=True))
    unknown = [key for key in others if mixed or not NUMBER.fullmatch(key)]
    if unknown:
        raise ArtifactError(
            f"{where} must be given by their names or their numbers. Received: {printable(unknown[0])[:80]}"
        )
    return [int(key) if label is None else label for key, label in zip(keys, labels, strict=True)]


def fit_classes(network: EditableNetwork, refit: Refit, num_classes: int | None, chosen: list[Start] | None) -> None:
    """Changes the classes of a network.

    Conditional → other classes: rows of the label embedding. Conditional → unconditional: the average label is folded
    into the first dense layer, or its normalisation, of a generator, and into the logits of a discriminator.
    Unconditional → conditional: labels have no effect at first, but gradients reach them.

    Args:
        network: Generator or discriminator.
        refit: That of its family.
        num_classes: Wanted number, or `None` for unconditional.
        chosen: As from `choose_classes`; `None` if the source or the target has no classes.
    """
    old = network.config["num_classes"]
    if old == num_classes and chosen is None:
        return
    table = refit.label_table(network)
    network.config["num_classes"] = num_classes
    if old is None:
        refit.add_labels(network)
    elif num_classes is None:
        refit.fold_labels(network, network.arrays.pop(table), f"the average of {old} classes folded in")
    else:
        starts: list[Start] = [None] * num_classes if chosen is None else chosen
        rows = refit.label_rows(network.arrays.pop(table), num_classes)
        fresh = named_weights(network.build())[table].numpy()
        values = [fresh[i] if c is None else rows.mean(0) if c == "average" else rows[c] for i, c in enumerate(starts)]
        if any(c is not None for c in starts):
            network.change(table, np.stack(values), f"{old} → {num_classes} classes: {_in_words(starts)}")


def _in_words(chosen: list[Start]) -> str:
    words = [f"{i} ← {'init' if c is None else c}" for i, c in enumerate(chosen)]
    return ", ".join(words[:40]) + (" …" if len(words) > 40 else "")
