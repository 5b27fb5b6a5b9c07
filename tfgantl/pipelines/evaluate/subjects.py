"""What is measured: generators, and folders of pictures that anything has generated."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfgantl.data import Examples, Source
from tfgantl.data.classes import matched
from tfgantl.data.decode import Crop, decode_picture
from tfgantl.data.examples import check_splits
from tfgantl.data.folder import Folder
from tfgantl.data.layout import SUFFIXES, find_pictures
from tfgantl.errors import DataError
from tfgantl.metrics.evaluation import labels_like
from tfgantl.models.presets import directory_of
from tfgantl.pipelines.measurement import generate_with
from tfgantl.pretrained import load_generator
from tfgantl.progress import log
from tfgantl.random_streams import Stream
from tfgantl.training.class_names import class_names_behind

if TYPE_CHECKING:
    from tfgantl.pipelines.evaluate import EvaluateConfig

OF_MODELS = ("generator.keras", "config.json", "saved_model.pb")  # files of directories that are models
LOOKED_AT = 20  # pictures of a folder, to tell whether it is gray: one of them alone may be so in colour, too
MAX_PIXELS = 10**8  # of one of them
LEAST = 10  # generated pictures of which anything can be said


@dataclass(frozen=True)
class Subject:
    """A generator, or a folder of generated pictures.

    Args:
        name: Short name, for tables.
        handle: What it was called.
        generator: `None` for a folder of pictures.
    """

    name: str
    handle: str
    generator: keras.Model | None

    @property
    def conditional(self) -> bool:
        """Whether it is called with labels beside latents."""
        return self.generator is not None and is_conditional(self.generator)


def open_subjects(config: "EvaluateConfig") -> list[Subject]:
    """Loads all that is to be measured, under names that tell them apart.

    Raises:
        ArtifactError: If there is nothing behind a handle, it is damaged or unsafe.
    """
    names = _short_names(config.models)
    return [
        Subject(
            name, handle, None if is_folder(handle) else load_generator(handle, config.networks, config.allow_ops)
        )
        for name, handle in zip(names, config.models, strict=True)
    ]  # fmt: skip


def is_folder(handle: str) -> bool:
    """Whether a handle is a directory of pictures, and not one that holds a model."""
    path = directory_of(handle)
    if not path.is_dir() or any((path / name).exists() for name in OF_MODELS):
        return False
    return any(file.suffix.lower() in SUFFIXES for file in path.rglob("*"))


def generated(
    subject: Subject,
    test_images: np.ndarray,
    test_labels: np.ndarray | None,
    samples: int,
    seed: int,
    crop: Crop = "centre",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images uint8 (n, side, side, channels) of a subject, of the size of the test images, and their labels or `None`.

    Args:
        subject: What generates, or has generated.
        test_images: uint8 (m, side, side, channels).
        test_labels: int (m,), or `None`.
        samples: Number of images; a folder may have fewer.
        seed: Of latents, labels, and the choice among more pictures.
        crop: How the test images became square; those of a folder do so, too.

    Raises:
        DataError: If a folder has fewer than ten pictures.
        ArtifactError: If a pixel is not finite.
    """
    if subject.generator is not None:
        labels = labels_like(test_labels, samples, seed) if subject.conditional else None
        return generate_with(subject.generator, labels, samples, seed), labels
    _tell_of_sizes(subject, test_images.shape[1])
    _, side, _, channels = test_images.shape
    content = Folder(subject.handle, image_size=side, channels=channels, crop=crop).read()
    log(*(f"{subject.name}: {note}" for note in content.notes))
    images = content.images
    if len(images) < LEAST:
        raise DataError(f"{subject.handle}: must hold at least {LEAST} generated pictures. Received: {len(images)}")
    if len(images) < samples:
        log(f"{subject.name}: {len(images)} pictures, fewer than `samples` {samples}")
    return images[Stream.SAMPLES.generator(seed).permutation(len(images))[:samples]], None


def _tell_of_sizes(subject: Subject, side: int) -> None:
    """Says so if generated pictures are resized: a generator is then measured with what that takes away, or adds."""
    looked_at = find_pictures(Path(subject.handle)).files[:LOOKED_AT]
    pictures = [decode_picture(file, None, 3, MAX_PIXELS) for file in looked_at]
    others = [picture.shape[:2] for picture in pictures if not isinstance(picture, str)]
    others = [shape for shape in others if shape != (side, side)]
    if others:
        log(
            f"{subject.name}: {len(others)} of the first {len(looked_at)} pictures are resized to {side} x {side}, the "
            f"size of the target; one is {others[0][1]} x {others[0][0]}"
        )


def load_target(target: Source, subjects: list[Subject]) -> tuple[Source, Examples, Examples]:
    """The target in the size of what is measured, its training part and its test part.

    Raises:
        DataError: If images have different sizes, or other classes.
    """
    size, channels = _image_size(subjects)
    target = target.sized(size, channels)
    examples = target.splits()
    conditional = [subject for subject in subjects if subject.conditional]
    named = [names for subject in conditional if (names := class_names_behind(subject.handle))]
    if conditional and not (len(named) == len(conditional) and examples["train"].classes):
        log("classes are compared by number: their names are not known on all sides")
    if len({tuple(names) for names in named}) > 1:
        raise DataError(f"models that are compared must have the same classes. Received: {'; '.join(map(str, named))}")
    if named:
        examples = {split: matched(part, named[0]) for split, part in examples.items()}
    check_splits(examples)
    train = examples["train"]
    for subject in subjects:
        shape = (train.image_size, train.image_size, train.channels)
        if subject.generator is not None and subject.generator.output_shape[1:] != shape:
            raise DataError(
                f"`target` must have images of the size that the model makes, {subject.generator.output_shape[1:]}. "
                f"Received: {shape}"
            )
    for subject in conditional:
        classes = getattr(subject.generator, "num_classes", None)
        if train.num_classes != classes:
            raise DataError(f"`target` must have the {classes} classes of the model. Received: {train.num_classes}")
    return target, train, examples["test"]


def _image_size(subjects: list[Subject]) -> tuple[int, int]:
    """Side and channels of the images: those of the generators, or of the first pictures of the first folder."""
    for subject in subjects:
        if subject.generator is not None:
            return subject.generator.output_shape[1], subject.generator.output_shape[3]
    side, gray = 0, True
    files = find_pictures(Path(subjects[0].handle)).files
    order = Stream.SAMPLES.generator(0).permutation(len(files))[:LOOKED_AT]  # those in front may all be of one kind
    for file in [files[number] for number in sorted({0, *order.tolist()})]:
        picture = decode_picture(file, None, 3, MAX_PIXELS)
        if isinstance(picture, str):
            raise DataError(f"{file}: must be a usable picture. Received: one that {picture}")
        side, gray = side or min(picture.shape[:2]), gray and bool((picture == picture[..., :1]).all())
    return side, 1 if gray else 3


def _short_names(handles: list[str]) -> list[str]:
    """The last part of each handle, or as many parts as tell it from the others."""
    for parts in range(1, 10):
        names = ["/".join(handle.rstrip("/").split("/")[-parts:]) for handle in handles]
        if len(set(names)) == len(names):
            return names
    return handles


def is_conditional(generator: keras.Model) -> bool:
    """Whether a generator is called with labels beside latents."""
    return len(generator.inputs) == 2 and generator.num_classes is not None
