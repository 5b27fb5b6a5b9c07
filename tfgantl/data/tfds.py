"""Reads data sets of tensorflow-datasets; the one module that imports it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.data.decode import decode_picture
from tfgantl.data.examples import Content
from tfgantl.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tfgantl.data.sources import Tfds


def read_tfds(source: Tfds, split: str) -> Content:
    """Reads a split as a whole.

    Args:
        source: A `Tfds`.
        split: Name of the split in tensorflow-datasets, such as `train` or `train[:10%]`.

    Returns:
        All images, with their labels if there are any.

    Raises:
        ConfigError: If tensorflow-datasets is not installed, or features are not there.
        DataError: If the data set is unknown or not prepared, or has too many images.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ConfigError(
            "Tfds needs tensorflow-datasets: pip install 'tfgantl[tfds]'. Received: not installed"
        ) from error

    try:
        builder = tfds.builder(source.dataset, data_dir=source.data_dir)
        if source.download:
            builder.download_and_prepare()
        features = builder.info.features
    except Exception as error:  # tensorflow-datasets raises many kinds, some a screen long
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"Tfds: `dataset` must be prepared in {source.data_dir or '~/tensorflow_datasets'}, or downloadable. "
            f"Received: {source.dataset}, split {split} ({reason})"
        ) from error
    pictures = sorted(name for name, feature in features.items() if isinstance(feature, tfds.features.Image))
    if source.image_key not in pictures:
        raise ConfigError(
            f"Tfds: `image_key` must be an image feature of {source.dataset}: {', '.join(pictures) or 'it has none'}. "
            f"Received: {source.image_key}"
        )
    try:  # still encoded, so that the size is known before anything is decoded
        decoders = {source.image_key: tfds.decode.SkipDecoding()}
        data = builder.as_dataset(split=split, decoders=decoders)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"Tfds: `split` must be one of {', '.join(builder.info.splits)}, or a slice. Received: {split} ({reason})"
        ) from error
    shape = features[source.image_key].shape
    size, channels = source.image_size or shape[0], source.channels or shape[-1]
    if size is None:
        raise ConfigError(f"Tfds: `image_size` must be given for {source.dataset}. Received: None")
    labelled = source.label_key in features and hasattr(features[source.label_key], "num_classes")
    images, labels, keys = [], [], []
    for number, example in enumerate(data.as_numpy_iterator()):
        encoded = example[source.image_key]
        image = decode_picture(io.BytesIO(encoded), size, channels, source.max_pixels, crop=source.crop)
        if isinstance(image, str):
            raise DataError(f"Tfds: every image must be usable. Received: example {number} of {split}, which {image}")
        images.append(image)
        keys.append(encoded)
        if labelled:
            labels.append(int(example[source.label_key]))
        if len(images) * size * size * channels > source.max_bytes:
            raise DataError(
                f"Tfds: all images together must fit `max_bytes` = {source.max_bytes}. "
                f"Received: more than {len(images) - 1} images of {size * size * channels} bytes"
            )
    if not images:
        raise DataError(f"Tfds: {source.dataset}: split {split} must hold images. Received: none")
    if not labelled:
        return Content(np.stack(images), keys=keys)
    names = tuple(features[source.label_key].names)
    return Content(np.stack(images), np.array(labels), len(names), keys=keys, classes=names)
