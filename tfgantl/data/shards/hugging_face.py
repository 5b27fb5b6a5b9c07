"""Data sets of Hugging Face's `datasets`; the one module that imports it."""

import hashlib
import os
import re
import shutil
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tfgantl.data.base import stamp_of
from tfgantl.data.opening import Refused, open_regular
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.shards.dataset_folder import check_folder, told_of_folder
from tfgantl.data.shards.examples import check_unlabelled, in_memory
from tfgantl.data.shards.saved_dataset import check_saved, is_saved
from tfgantl.errors import ConfigError, DataError, TfgantlError, not_installed, reason
from tfgantl.files import cache_directory
from tfgantl.printing import printable

if TYPE_CHECKING:
    from tfgantl.data.shards.sources import HFDataset


AT_A_TIME = 32  # rows in memory


def fingerprint_of(source: "HFDataset") -> tuple[str, Hashable]:
    """What `datasets` says of the content of a data set and, of a folder, names, sizes and times of its files."""
    folder = Path(source.dataset)
    files = stamp_of(folder, follows=False) if folder.is_dir() else None
    return str(_loaded(source, files)._fingerprint), files


class HFPictures(PictureList):
    """Rows of a data set, whose pictures `datasets` does not decode.

    Args:
        source: The data set.

    Raises:
        ConfigError: If `datasets` is not installed, or there is no such feature.
        DataError: If there is no such data set, or it has no row.
    """

    unit = "row"

    def __init__(self, source: "HFDataset") -> None:
        import datasets

        folder = Path(source.dataset)
        data, image, label = _loaded(source, fingerprint_of(source)[1]), source.image, source.label
        features = data.features
        pictures = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
        if image not in pictures:
            raise ConfigError(
                f"HFDataset: `image` must be an image feature of {printable(source.dataset)}: "
                f"{', '.join(map(printable, pictures)) or 'it has none'}. Received: {image}"
            )
        self._data = data.select_columns([image]).cast_column(image, datasets.Image(decode=False))
        self._image, self._told = image, printable(source.dataset)
        self._roots = _roots_of(folder) if folder.is_dir() else _cached_by_library()
        classes, self._labels = None, None
        if label is not None and label in features:
            self._labels, classes = _labels_of(data, label, features[label])
        else:
            check_unlabelled(f"HFDataset: {printable(source.dataset)}", label, features)
        notes = told_of_folder(folder, data, label) if folder.is_dir() else ()
        super().__init__("HFDataset", len(data), self._labels is not None, classes, notes)

    def chunk(self, start: int, stop: int) -> Iterator[Encoded]:
        for first in range(start, stop, AT_A_TIME):
            some = self._data[first : min(stop, first + AT_A_TIME)][self._image]
            for number, value in enumerate(some, first):
                label = None if self._labels is None else int(self._labels[number])
                content, path = (value["bytes"], value["path"]) if value else (None, None)
                if content is None and path:
                    yield Encoded(
                        partial(open_inside, self._roots, path), label, same=os.fsencode(os.path.realpath(path))
                    )
                else:
                    yield in_memory(content or b"", label)

    def told(self, index: int) -> str:
        return f"{self._told}: row {index}"


def open_inside(roots: Sequence[Path], path: str) -> BinaryIO:
    """Opens a picture that a row names and does not hold: rows of a stranger may name any file of this machine.

    Args:
        roots: Folders of which the picture must be in one.
        path: Its path, as the row has it.

    Raises:
        Refused: If it is in none of them.
        OSError: If it cannot be opened.
    """
    file = Path(os.path.realpath(path))
    if not any(file.is_relative_to(os.path.realpath(root)) for root in roots):
        raise Refused(f"lies outside of the data set, in {printable(file)[:200]}")
    return open_regular(file)


def _roots_of(folder: Path) -> tuple[Path, ...]:
    """Where the files of a folder may lie: in it or, of one in the cache of the library, elsewhere in this."""
    cached, place = _cached_by_library(), Path(os.path.realpath(folder))
    return folder, *(cached if any(place.is_relative_to(os.path.realpath(root)) for root in cached) else ())


def _cached_by_library() -> tuple[Path, ...]:
    """Where pictures lie that `datasets` has downloaded."""
    import datasets
    from huggingface_hub.constants import HF_HUB_CACHE

    config = datasets.config
    return tuple(map(Path, (config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH, HF_HUB_CACHE)))


def _labels_of(data: Any, label: str, feature: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Labels int64 (n,), and names of classes if there are any."""
    values = data.select_columns([label]).with_format("numpy")[label]
    labels, names = np.asarray(values), getattr(feature, "names", None)
    if labels.shape != (len(data),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"HFDataset: `label` must be a feature of whole numbers from 0, such as ClassLabel, or null. "
            f"Received: {label}, of {labels.dtype}"
        )
    top = len(names) - 1 if names else np.iinfo(np.int32).max
    wrong = labels[(labels < 0) | (labels > top)]
    if len(wrong):
        raise DataError(f"HFDataset: numbers of `label` must be in [0, {top}]. Received: {label}, with {wrong[0]}")
    return labels.astype(np.int64), tuple(names) if names else None


@lru_cache(maxsize=2)
def _loaded(source: "HFDataset", files: Hashable) -> Any:
    """The data set, loaded anew if its `files` have changed."""
    try:
        import datasets
    except ImportError as error:
        raise ConfigError(not_installed("HFDataset", "datasets", "hf", error)) from error
    saved = Path(source.dataset).is_dir() and is_saved(Path(source.dataset))
    if saved:
        if source.config is not None or source.revision is not None:
            raise ConfigError(
                "HFDataset: `config` and `revision` must be null for a folder of `save_to_disk`. Received: "
                f"{source.config}, {source.revision}"
            )
        check_saved(Path(source.dataset), _roots_of(Path(source.dataset)))
    elif Path(source.dataset).is_dir():
        check_folder(Path(source.dataset), _roots_of(Path(source.dataset)))
    try:
        if saved:
            data = _chosen(datasets.load_from_disk(source.dataset), source.split)
        else:
            cache = None if files is None else _own_cache(source.dataset, str(files))
            data = datasets.load_dataset(
                source.dataset, source.config, split=source.split, revision=source.revision, cache_dir=cache
            )
        data.data.validate(full=True)  # or offsets that are damaged lead anywhere in memory
    except TfgantlError:
        raise
    except Exception as error:  # it raises many kinds, some a screen long
        raise DataError(
            f"HFDataset: `dataset` must be on the Hub, in its cache, or a folder. Received: {source.dataset}, "
            f"split {source.split} ({printable(reason(error))[:200]})"
        ) from error
    if not len(data):
        raise DataError(f"HFDataset: {source.dataset}: split {source.split} must hold rows. Received: none")
    return data.with_format(None)  # a folder has that of whoever saved it


def _own_cache(dataset: str, stamp: str) -> str:
    """Where the library keeps what it makes of a folder as it is; what was made of it before is removed.

    By itself it knows a folder by path and time, and programs that copy keep the time.
    """
    root, name = cache_directory() / "datasets", hashlib.sha256(os.path.abspath(dataset).encode()).hexdigest()[:16]
    chosen = root / f"{name}-{stamp[:16]}"
    for other in root.glob(f"{name}-*"):
        if other != chosen:
            shutil.rmtree(other, ignore_errors=True)
    return str(chosen)


def _chosen(saved: Any, split: str) -> Any:
    """Rows of a saved `Dataset`, which may be one split, or `DatasetDict`, as `split` names them.

    Raises:
        ConfigError: If it names another split, or is no name.
    """
    import datasets

    if isinstance(saved, datasets.DatasetDict):
        parts = dict(saved)
    else:
        name = str(saved.split or datasets.Split.TRAIN)
        if split == name:
            return saved
        parts = {re.split(r"[\[+]", name)[0]: saved}  # of train[:100], which has been cut already
    try:
        told = datasets.ReadInstruction.from_spec(split)
        chosen = told.to_absolute({name: len(part) for name, part in parts.items()})
    except (ValueError, AssertionError) as error:
        raise ConfigError(
            f"HFDataset: `split` must be of {', '.join(map(printable, parts))}, such as {printable(next(iter(parts)))}"
            f"[:10%]. Received: {split}"
        ) from error
    return datasets.concatenate_datasets([parts[one.splitname].select(range(one.from_, one.to)) for one in chosen])
