"""Other classes than those of the source, more or fewer, or none on one of the two sides."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import yaml

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.images import to_unit
from tfgantl.pretrained.copying import named_weights
from tfgantl.pretrained.refit.parts import Part, outputs_of
from tfgantl.random_streams import Stream

MAX_BYTES = 2**20
WORDS = ("nearest", "init", "average")


def choose_classes(source, num_classes: int, class_map: str, examples, seed: int):
    """Says for each class of the target which class of the source it starts from.

    Args:
        source: The source GAN, conditional.
        num_classes: Number of classes of the target.
        class_map: `init`, `nearest`, `average`, or the path of a file.
        examples: Training images of the target, for `nearest`.
        seed: Chooses the samples of the source that stand for its classes.

    Returns:
        List of `num_classes` entries: index of a class, `None` for the initial value, or `"average"`.

    Raises:
        ConfigError: If `class_map` is not one of these, or needs images that are not there.
        ArtifactError: If the file does not name a class of the source for each class of the target.
    """
    if class_map == "init":
        return [None] * num_classes
    if class_map == "average":
        return ["average"] * num_classes
    if class_map == "nearest":
        if examples is None or examples.num_classes != num_classes:
            raise ConfigError("`class_map` nearest must have labelled training images of the target. Received: none")
        return _nearest(source, examples, num_classes, seed)
    return _from_file(Path(class_map), num_classes, source.num_classes)


def _nearest(source, examples, num_classes, seed, count=32):
    """The class whose images have the nearest mean features in the discriminator, for each class of the target."""
    features = _features_of(source.discriminator)
    labels = np.repeat(np.arange(source.num_classes), count)
    known = features(source.generate(source.latents(len(labels), seed, Stream.SOURCE_CLASSES), labels))
    images, classes = examples.subset(64 * num_classes)
    wanted = features(_like_source(images, source))
    scale = known.std(0) + 1e-6
    means = np.stack([known[labels == c].mean(0) for c in range(source.num_classes)]) / scale
    nearest = []
    for c in range(num_classes):
        if not (classes == c).any():
            nearest.append("average")  # nothing is known about it
            continue
        distances = np.linalg.norm(means - wanted[classes == c].mean(0) / scale, axis=1)
        nearest.append(int(distances.argmin()))
    return nearest


def _features_of(discriminator):
    try:
        features = discriminator.get_layer("logits").input
    except ValueError as error:
        raise ArtifactError(
            "`class_map` nearest must have a discriminator with a layer `logits`. Received: another"
        ) from error
    model = keras.Model(discriminator.inputs[0], features)
    return lambda images: outputs_of(model, [images], batch_size=256)[0]


def _like_source(images, source):
    """uint8 images of the target → float32 in [-1, 1], in the size and with the channels of the source."""
    _, side, _, channels = source.generator.output_shape
    images = tf.image.resize(to_unit(images), (side, side), antialias=True)
    if images.shape[-1] == 3 and channels == 1:
        images = tf.image.rgb_to_grayscale(images)
    elif images.shape[-1] == 1 and channels == 3:
        images = tf.repeat(images, 3, -1)
    return images.numpy()


def _from_file(path, num_classes, source_classes):
    if not path.is_file():
        raise ConfigError(f"`class_map` must be {', '.join(WORDS)}, or a file. Received: {path}")
    try:
        text = path.read_text() if path.stat().st_size <= MAX_BYTES else ""
        found = yaml.safe_load(text)
        if isinstance(found, str):  # lines of `target source`
            found = dict(line.replace(",", " ").split() for line in text.splitlines() if line.strip())
        found = dict(enumerate(found)) if isinstance(found, list) else found
        found = {int(k): None if v in (None, "init") else v if v == "average" else int(v) for k, v in found.items()}
    except Exception as error:  # whatever the file holds
        raise ArtifactError(f"{path}: `class_map` must map classes of the target to classes of the source, as YAML, "
                            f"JSON or lines of two numbers. Received: {type(error).__name__}") from error  # fmt: skip
    if set(found) != set(range(num_classes)):
        raise ArtifactError(
            f"{path}: `class_map` must name each of the {num_classes} classes of the target. "
            f"Received: {sorted(found)[:20]}"
        )
    wrong = [v for v in found.values() if isinstance(v, int) and not 0 <= v < source_classes]
    if wrong:
        raise ArtifactError(f"{path}: classes of the source must be in [0, {source_classes - 1}]. Received: {wrong[0]}")
    return [found[c] for c in range(num_classes)]


def fit_classes(part: Part, num_classes: int | None, chosen: list | None) -> None:
    """Changes the classes of a network.

    Conditional → other classes: rows of the label embedding. Conditional → unconditional: the average label is folded
    into the first dense layer, or its normalisation, of a generator, and into the logits of a discriminator.
    Unconditional → conditional: labels have no effect at first, but gradients reach them.

    Args:
        part: Generator or discriminator.
        num_classes: Wanted number, or `None` for unconditional.
        chosen: As from `choose_classes`; `None` if the source or the target has no classes.
    """
    old = part.config["num_classes"]
    if old == num_classes and chosen is None:
        return
    makes_images = "latent_dim" in part.config
    table = "label_embedding/embeddings" if makes_images else "label_projection/embeddings"
    part.config["num_classes"] = num_classes
    if old is None:
        _condition(part, num_classes)
    elif num_classes is None:
        _fold(part, part.arrays.pop(table).mean(0), f"the average of {old} classes folded in")
    else:
        rows = part.arrays.pop(table)
        fresh = _fresh(part, table)
        values = [fresh[i] if c is None else rows.mean(0) if c == "average" else rows[c] for i, c in enumerate(chosen)]
        if any(c is not None for c in chosen):
            part.change(table, np.stack(values), f"{old} → {num_classes} classes: {_in_words(chosen)}")


def _condition(part, num_classes):
    if "latent_dim" in part.config:
        kernel = part.arrays["block0_dense/kernel"]
        nothing = np.zeros((part.config["label_dim"], kernel.shape[1]), np.float32)
        part.change("block0_dense/kernel", np.concatenate([kernel, nothing]), f"no → {num_classes} classes")
    # The table of a generator stays at its initial value, so that the zeros above get gradients; that of a
    # discriminator starts at zero by itself.


def _fold(part, label, how):
    if "latent_dim" not in part.config:
        part.change("logits/kernel", part.arrays["logits/kernel"] + label[:, None], how)
        return
    size = part.config["latent_dim"]
    kernel = part.arrays["block0_dense/kernel"]
    part.change("block0_dense/kernel", kernel[:size], how)
    offset = label @ kernel[size:]
    if "block0_dense/bias" in part.arrays:
        part.change("block0_dense/bias", part.arrays["block0_dense/bias"] + offset, how)
        return
    mean = part.arrays["block0_bn/moving_mean"]
    # One statistic a channel cannot take up an offset that differs from place to place: its mean is the best there is.
    part.change("block0_bn/moving_mean", mean - offset.reshape(-1, len(mean)).mean(0), how)


def _fresh(part, path):
    return named_weights(part.build())[path].numpy()


def _in_words(chosen):
    words = [f"{i} ← {'init' if c is None else c}" for i, c in enumerate(chosen)]
    return ", ".join(words[:40]) + (" …" if len(words) > 40 else "")
