"""Reads data sets of tensorflow-datasets; the one module that imports it."""

import numpy as np
from PIL import Image

from tfgantl.data.decode import fit_picture
from tfgantl.errors import ConfigError, DataError


def read_tfds(source, split: str):
    """Reads a split as a whole.

    Args:
        source: A `Tfds`.
        split: Name of the split in tensorflow-datasets, such as `train` or `train[:10%]`.

    Returns:
        images uint8 (n, side, side, channels), labels int (n,) or `None`, the number of classes, and notes.

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
        data = builder.as_dataset(split=split)
    except Exception as error:  # tensorflow-datasets raises many kinds, some a screen long
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"Tfds: `dataset` must be prepared in {source.data_dir or '~/tensorflow_datasets'}, or downloadable. "
            f"Received: {source.dataset}, split {split} ({reason})"
        ) from error
    features = builder.info.features
    if source.image_key not in features:
        raise ConfigError(f"Tfds: `image_key` must be one of {', '.join(features)}. Received: {source.image_key}")
    shape = features[source.image_key].shape
    size, channels = source.image_size or shape[0], source.channels or shape[-1]
    if size is None:
        raise ConfigError(f"Tfds: `image_size` must be given for {source.dataset}. Received: None")
    labelled = source.label_key in features and hasattr(features[source.label_key], "num_classes")
    images, labels = [], []
    for example in data.as_numpy_iterator():
        image = example[source.image_key]
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        images.append(fit_picture(picture, size, channels))
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
        return np.stack(images), None, None, ()
    return np.stack(images), np.array(labels), features[source.label_key].num_classes, ()
