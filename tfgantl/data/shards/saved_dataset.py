"""Folders that `save_to_disk` of Hugging Face's `datasets` has written: whether they are whole and of one data set.

The library reads what `state.json` lists, and an Arrow stream that is cut off between two of its batches is a shorter
one to it. Offsets are used as they are.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfgantl.data.shards.files import check_complete
from tfgantl.errors import DataError, reason
from tfgantl.printing import printable
from tfgantl.regular_files import read_regular
from tfgantl.untrusted.arrow_batches import check_batch

STATE, PARTS, INFORMATION = "state.json", "dataset_dict.json", "dataset_info.json"
MAX_STATE = 2**24  # bytes
END = b"\xff\xff\xff\xff\0\0\0\0"  # of an Arrow stream
FEATURES = b"huggingface"  # where the schema of a file has them
# Beside the data, the library leaves what it has computed: cache-1a2b3c.arrow.
DATA = re.compile(r"(?!cache-).*\.arrow")


def is_saved(folder: Path) -> bool:
    """Whether a folder is one that `save_to_disk` has written."""
    return any((folder / name).is_file() for name in (INFORMATION, PARTS, STATE))


def check_saved(folder: Path, roots: Sequence[Path]) -> None:
    """Checks all splits of a folder.

    Args:
        folder: Of a `Dataset` or a `DatasetDict`.
        roots: Folders that links may lead to.

    Raises:
        DataError: If a file is missing, cut off, listed twice, or of a data set with other features.
    """
    if (folder / PARTS).is_file():
        splits = _read(folder / PARTS).get("splits")
        if not isinstance(splits, list) or not all(map(_is_plain, splits)) or len(set(splits)) < len(splits):
            raise DataError(f"{folder / PARTS}: must list the names of splits. Received: other content")
        for split in splits:
            _check_split(folder / split, roots)
    else:
        _check_split(folder, roots)


def _check_split(folder: Path, roots: Sequence[Path]) -> None:
    listed = _read(folder / STATE).get("_data_files")
    names = [str(one.get("filename")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or len(names) < len(listed) or not all(map(_is_plain, names)):
        raise DataError(f"{folder / STATE}: must list files of this folder. Received: other content")
    there = sorted(name for name in os.listdir(folder) if DATA.fullmatch(name))
    if sorted(names) != there:
        raise DataError(
            f"{folder / STATE}: must list all .arrow files of its folder, once each. Received: "
            f"{len(names)} where there are {len(there)}"
        )
    check_complete("HFDataset", str(folder), names)
    features = _without_null(_read(folder / INFORMATION).get("features"))
    inside = [os.path.realpath(root) for root in roots]
    for name in there:
        place = Path(os.path.realpath(folder / name))
        if not any(place.is_relative_to(root) for root in inside):
            raise DataError(f"{folder / name}: must lie within {inside[0]}. Received: a link to {printable(place)}")
        found = _features(folder / name)
        if found is not None and found != features:
            raise DataError(f"{folder / name}: must have the features that {INFORMATION} tells. Received: others")


def _features(path: Path) -> Any:
    """What a whole file says of its features, or `None`."""
    import pyarrow

    if not path.is_file():  # a pipe would keep whoever opens it
        raise DataError(f"{path}: must be a file of `save_to_disk`. Received: no file")
    try:
        with pyarrow.memory_map(str(path)) as file:
            messages = pyarrow.ipc.MessageReader.open_stream(file)
            metadata = pyarrow.ipc.read_schema(messages.read_next_message()).metadata or {}
            for message in messages:
                check_batch(message.metadata.to_pybytes(), message.body.size if message.body is not None else 0)
            stop = file.tell()
            file.seek(max(0, stop - len(END)))
            whole = stop == file.size() and file.read(len(END)) == END
        features = json.loads(metadata[FEATURES])["info"]["features"] if FEATURES in metadata else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, StopIteration) as error:  # pyarrow's are of these
        told = printable(reason(error))[:200]
        raise DataError(f"{path}: must be a file of `save_to_disk`. Received: {told}") from error
    if not whole:
        raise DataError(f"{path}: must be a whole file of `save_to_disk`. Received: no end of its rows where it ends")
    return _without_null(features)


def _without_null(value: Any) -> Any:
    """The same without keys that have no value, which some versions of the library write."""
    if isinstance(value, dict):
        return {key: _without_null(one) for key, one in value.items() if one is not None}
    return [_without_null(one) for one in value] if isinstance(value, list) else value


def _is_plain(name: Any) -> bool:
    """Whether a name is that of a file in a folder, and leads to no other."""
    return isinstance(name, str) and name not in ("", ".", "..") and "\0" not in name and os.path.basename(name) == name


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(path, MAX_STATE))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: must be readable JSON. Received: {printable(reason(error))[:200]}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: must be a JSON object. Received: {type(found).__name__}")
    return found
