"""Where images come from. Each source is a frozen dataclass whose `load(split)` gives `Examples`."""

import os
import re
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from tfgantl.data.base import FiniteSource, PictureSource, Source, stamp_of
from tfgantl.data.classes import LABELS
from tfgantl.data.decode import fit_picture
from tfgantl.data.examples import SPLITS, Content, Examples, check_classes, check_images, check_labels, told_if_dark
from tfgantl.data.glyphs import render_digits
from tfgantl.data.splits import digests_of
from tfgantl.errors import ConfigError, DataError, check_seed
from tfgantl.files import absolute, expanded

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class RenderedDigits(Source):
    """Digits 0–9 drawn with the fonts that matplotlib ships, under random affine maps, strokes and sizes.

    There is no end to them: image i of a split depends on (seed, split, i) only. White on black.

    Args:
        image_size: Height and width in pixels.
        rotation: Largest rotation, in degrees.
        shear: Largest shear.
        stroke: Largest width that is added to the strokes, as a share of the digit's height.
        min_size: Smallest height of a digit, as a share of the image size.
        max_size: Largest height of a digit, as a share of the image size.
        warp: Strength of a smooth random bending, as a share of the image size; 0 for none.
        seed: Chooses the images.
    """

    image_size: int = 28
    rotation: float = 15.0
    shear: float = 0.3
    stroke: float = 0.06
    min_size: float = 0.6
    max_size: float = 0.9
    warp: float = 0.0
    seed: int = 0

    extractor: ClassVar[str | None] = "digits"
    license: ClassVar[str | None] = "that of the fonts: Bitstream Vera, SIL Open Font, AMS"

    def load(self, split: str) -> Examples:
        if split not in SPLITS:
            raise ConfigError(f"`split` must be one of {', '.join(SPLITS)}. Received: {split}")
        check_seed("seed", self.seed)
        key = (self.seed, SPLITS.index(split))
        sizes = (self.min_size, self.max_size)
        looks = dict(rotation=self.rotation, shear=self.shear, stroke=self.stroke, sizes=sizes, warp=self.warp)
        return Examples.endless(
            lambda indices: render_digits(indices, key, self.image_size, **looks), 10, classes=DIGITS
        )


@dataclass(frozen=True)
class HandwrittenDigits(FiniteSource):
    """The 1,797 handwritten digits of scikit-learn (8 x 8 pixels, 16 grays), enlarged. White on black.

    A fifth is for validation, two fifths for the test; of the rest, `shots` a class are given for training.

    Args:
        validation_shots: Validation images a class, which choose the best checkpoint; `None` for all.
        image_size: Height and width in pixels.

    Reference:
        Alpaydin and Kaynak, 1998, Optical Recognition of Handwritten Digits, https://doi.org/10.24432/C50P49
    """

    shots: int | None = 10
    validation_shots: int | None = 10
    image_size: int = 28

    extractor: ClassVar[str | None] = "digits"
    license: ClassVar[str | None] = "CC BY 4.0"

    def shares(self) -> dict[str, float]:
        return {"validation": 0.2, "test": 0.4}

    def read(self) -> Content:
        from sklearn.datasets import load_digits

        digits = load_digits()
        small = (digits.images * (255 / 16)).round().astype(np.uint8)
        images = np.stack([fit_picture(Image.fromarray(image), self.image_size, 1) for image in small])
        return Content(images, digits.target, 10, keys=digests_of(image.tobytes() for image in small), classes=DIGITS)


def _may_be_slices(shape: tuple[int, ...]) -> bool:
    """Whether an array is one picture rather than many, or has them as MATLAB does: its rows would be no pictures."""
    return shape[2] in (1, 3, 4) or shape[0] == shape[1] != shape[2]


@dataclass(frozen=True)
class Arrays(PictureSource):
    """Images, and labels if there are any, in a NumPy `.npz` archive, or images in a `.npy` file.

    Args:
        path: The archive.
        images: Name of the image array: uint8 (n, height, width[, 1 or 3]) in [0, 255].
        labels: Name of the label array, int (n,) or (n, 1) in [0, classes); `None` for no labels. An archive without
            it must hold no array that looks like one.
        names: Name of the array with the names of the classes, str (classes,); an archive may be without it.
        image_size: Height and width in pixels that images are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        classes: Number of classes; `None` for one more than the largest label.
        max_bytes: Largest size of an array in the archive when it is unpacked.
    """

    path: str
    images: str = "x"
    labels: str | None = "y"
    names: str = "names"
    image_size: int | None = None
    channels: int | None = None
    classes: int | None = None
    max_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check_files(self) -> None:
        from tfgantl.data.archives import check_archive

        check_archive(Path(self.path))

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def read(self) -> Content:
        from tfgantl.data.archives import read_arrays, shapes_in

        wanted = (self.images, self.labels, self.names)
        found = read_arrays(Path(self.path), wanted, self.max_bytes)
        images, labels, names = (None if name is None else found.get(name) for name in wanted)
        shapes = shapes_in(Path(self.path))
        if images is None:
            raise DataError(
                f"Arrays: {self.path} must hold an array `{self.images}`; `images` names another. "
                f"Received: {', '.join(shapes)}"
            )
        are_told_apart = labels is not None and len(labels) == len(images)
        if images.ndim == 3 and not are_told_apart and _may_be_slices(images.shape):
            raise DataError(
                f"Arrays: {self.path}: images must have the shape (n, height, width, 1) where (n, height, width) could "
                f"be one picture, or (height, width, n). Received: {images.shape}"
            )
        images = images[..., None] if images.ndim == 3 else images
        check_images(images, f"Arrays: {self.path}")
        forms = (len(images),), (len(images), 1)
        alike = [
            f"{name} of {len(images)} {'whole numbers' if dtype.kind in 'iu' else dtype}"
            for name, (shape, dtype) in shapes.items()
            if name not in (self.images, self.names)
            and (
                (shape in forms and dtype.kind in "iu")
                or (shape[:1] == forms[0] and len(shape) < 3 and name.casefold() in LABELS)
            )
        ]
        if labels is None and self.labels is not None and alike:
            raise DataError(
                f"Arrays: {self.path}: `labels` must name the array of labels, whole numbers, or be null. "
                f"Received: {self.labels}, beside an array {alike[0]}"
            )
        notes = told_if_dark(int(images.max()))
        keys = digests_of(image.tobytes() for image in images)
        size, channels = self.image_size or images.shape[1], self.channels or images.shape[-1]
        if images.shape[1:] != (size, size, channels):
            pictures = (Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in images)
            images = np.stack([fit_picture(picture, size, channels, crop=self.crop) for picture in pictures])
        if labels is None:
            return Content(images, notes=notes, keys=keys)
        labels = labels[:, 0] if labels.shape == (len(images), 1) else labels  # as Keras' own data sets have them
        check_labels(labels, len(images), self.classes, f"Arrays: {self.path}")
        count = self.classes or int(labels.max()) + 1
        check_classes(labels, count, f"Arrays: {self.path}")
        return Content(images, labels, count, notes, keys, classes=self._names(names, count))

    def _names(self, names: np.ndarray | None, count: int) -> tuple[str, ...] | None:
        if names is None:
            return None
        if names.dtype.kind != "U" or names.shape != (count,) or len(set(names.tolist())) < count:
            raise DataError(
                f"Arrays: {self.path}: `{self.names}` must hold {count} different names, one for each class. "
                f"Received: {names.dtype} {names.shape}"
            )
        return tuple(names.tolist())


@dataclass(frozen=True)
class Tfds(PictureSource):
    """Any image data set of tensorflow-datasets (`pip install 'tfgantl[tfds]'`), by name.

    Args:
        dataset: Name, such as `mnist` or `oxford_flowers102:2.1.1`.
        data_dir: Where prepared data sets lie; `None` for `~/tensorflow_datasets`.
        split: What training and validation are cut from.
        test_split: What is used for the test; `None` to cut it from `split`, too, by the share `test`.
        image_key: Name of the image feature.
        label_key: Name of the label feature, or `None` for no labels; a data set may be without any.
        image_size: Height and width in pixels that images are brought to; `None` for the size of the source model.
        channels: 1 for gray, 3 for RGB; `None` for those of the source model.
        download: Whether a data set that is not prepared is downloaded.
        max_pixels: Most pixels that an image may decode to.
        max_bytes: Largest size of all images together when they are decoded and resized.
    """

    dataset: str
    data_dir: str | None = None
    split: str = "train"
    test_split: str | None = "test"
    image_key: str = "image"
    label_key: str | None = "label"
    image_size: int | None = None
    channels: int | None = None
    download: bool = True
    max_pixels: int = 64_000_000
    max_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        if self.data_dir is not None and "://" not in self.data_dir:
            object.__setattr__(self, "data_dir", absolute(self.data_dir))

    @property
    def name(self) -> str:
        return self.dataset.split(":")[0].replace("/", "-")

    def shares(self) -> dict[str, float]:
        return {"validation": self.validation, "test": self.test if self.test_split is None else 0.0}

    def read(self) -> Content:
        from tfgantl.data.tfds import read_tfds

        content = read_tfds(self, self.split)
        if self.test_split is None:
            return content
        files = _places(self.split, len(content.images))
        # Copies of test images are taken out of the rest, which alone is cut into training and validation.
        test = {image.tobytes() for image in self.load("test").take()[0]}
        new = np.array([image.tobytes() not in test for image in content.images])
        if not new.any():
            raise DataError(f"Tfds: `split` and `test_split` must differ. Received: {self.split}, {self.test_split}")
        if new.all():
            return content._replace(files=files)
        return content._replace(
            images=content.images[new],
            labels=None if content.labels is None else content.labels[new],
            notes=(*content.notes, f"{np.sum(~new)} copies of test images left out"),
            keys=None if content.keys is None else content.keys[new],
            files=[file for file, stays in zip(files, new, strict=True) if stays],
        )

    def cut(self, split: str, stamp: Hashable) -> Examples:
        if split == "test" and self.test_split is not None:
            return _tfds_test(self, self.test_split, stamp)
        return super().cut(split, stamp)

    def stamp(self) -> Hashable:
        root = self.data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        with suppress(OSError):  # while it is being prepared
            return root, None if "://" in root else stamp_of(
                expanded(root) / re.split("[/:]", self.dataset)[0], follows=False
            )
        return root


@lru_cache(maxsize=2)
def _tfds_test(source: Tfds, split: str, stamp: Hashable) -> Examples:
    """The split, read anew if the `stamp` of its files is another one."""
    from tfgantl.data.tfds import read_tfds

    images, labels, num_classes, notes, _, classes, _, _ = read_tfds(source, split)
    check_images(np.asarray(images), "Tfds")
    if labels is not None:
        check_labels(labels, len(images), num_classes, "Tfds")
    places = _places(split, len(images))
    return Examples.from_arrays(np.asarray(images), labels, num_classes, notes, classes, places)


def _places(split: str, count: int) -> list[str]:
    """What images of one of two splits are called: a number would be that of two."""
    return [f"{split}/{place}" for place in range(count)]
