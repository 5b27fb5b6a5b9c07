"""The pictures that are edited, in the size of the model."""

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfgantl.data.decode import decode_picture, size_of
from tfgantl.data.depth import depth_of
from tfgantl.errors import DataError
from tfgantl.progress import log
from tfgantl.style.pictures import MAX_PIXELS, find_contents

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.mix import MixConfig
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.settings import SearchConfig


class Pictures(NamedTuple):
    """What is edited.

    Attributes:
        names: Of each picture, different from all others.
        images: uint8 (n, height, width, channels) in the size of the model.
        labels: int (n,) where the classes are known, else `None`.
        refused: Name of a picture that cannot be used → why.
    """

    names: list[str]
    images: np.ndarray
    labels: np.ndarray | None
    refused: dict[str, str]


def read_pictures(
    config: "SearchConfig", model: "EditedModel", count: int, shape: tuple[int, int] | None = None
) -> Pictures:
    """Reads the pictures of a configuration; in a folder, those that cannot be used are left out, and said.

    Args:
        config: Names them.
        model: Has the size that they get.
        count: How many held-out pictures are taken where none are named.
        shape: Side and channels that named pictures get, if not those of the images of the model.

    Raises:
        ConfigError: If the class is not one of the model.
        DataError: If there is no picture that can be used.
    """
    label = None if config.label is None else model.label(config.label)
    if config.pictures is None:
        images, labels = model.held_out(count)
        names = [f"held-out-{i + 1}" for i in range(len(images))]
        return Pictures(names, images, labels if label is None else np.full(len(images), label), {})
    paths = find_contents(config.pictures)
    side, channels = shape or model.space.image_shape[1:]
    depth = depth_of(paths, MAX_PIXELS)
    read = {path.stem: decode_picture(path, side, channels, MAX_PIXELS, depth, config.crop) for path in paths}
    refused = {name: reason for name, reason in read.items() if isinstance(reason, str)}
    for name, reason in refused.items():
        log(f"{name}: left out, as it {reason}")
    found = {name: image for name, image in read.items() if isinstance(image, np.ndarray)}
    if not found:
        name, reason = next(iter(refused.items()))
        raise DataError(f"`pictures` must hold one that can be decoded. Received: {config.pictures}; {name} {reason}")
    images = np.stack([*found.values()])
    return Pictures(list(found), images, None if label is None else np.full(len(images), label), refused)


def sizes_of(config: "SearchConfig") -> set[tuple[int, int]]:
    """Widths and heights of the pictures that are named, as people see them; none if none are."""
    paths = [] if config.pictures is None else find_contents(config.pictures)
    return {size for path in paths if (size := size_of(path, MAX_PIXELS)) is not None}


def facts_of(model: "EditedModel", pictures: Pictures, mask: np.ndarray | None = None) -> dict[str, str]:
    """What a run depends on beside its settings, among which `pictures` and `mask` are paths.

    Args:
        model: The generator.
        pictures: What is edited.
        mask: What a picture says that is missing in them, bool (height, width).
    """
    facts = {**model.facts(), "picture pixels": _hash_of(pictures.images)}
    return facts if mask is None else {**facts, "mask pixels": _hash_of(mask)}


def inversion_facts(model: "EditedModel", pictures: Pictures) -> dict[str, str]:
    """The same of a run that searches codes of whole pictures, and compares images with these by a network."""
    return {**facts_of(model, pictures), "pictures are compared by": model.reconstruction.identity}


def read_pair(config: "MixConfig", model: "EditedModel") -> Pictures:
    """The two pictures of a mixture, by names that differ; held-out ones of different classes where none are named.

    Raises:
        ConfigError: If the class is not one of the model.
        DataError: If one cannot be used.
    """
    if config.pictures is None or config.other is None:
        found = read_pictures(config, model, 2 * (model.space.num_classes or 1))
        last = len(found.names) - 1  # held-out pictures are in the order of their classes
        rows = [0, last]
        labels = None if found.labels is None else found.labels[rows]
        return Pictures([found.names[i] for i in rows], found.images[rows], labels, {})
    both = [read_pictures(replace(config, pictures=handle), model, 1) for handle in (config.pictures, config.other)]
    names = [f"{part.names[0]} {place}" for part, place in zip(both, ("(first)", "(second)"), strict=True)]
    labels = None if both[0].labels is None else np.concatenate([part.labels for part in both])
    return Pictures(names, np.concatenate([part.images for part in both]), labels, {})


def _hash_of(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:16]
