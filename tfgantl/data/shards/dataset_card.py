"""What the card of a data set says of where its files are: `datasets` follows it wherever it leads.

The folder of a stranger may name any Parquet file of this machine, or an address, in the header of its README.md.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tfgantl.errors import ArtifactError, DataError, reason
from tfgantl.printing import printable
from tfgantl.regular_files import read_regular
from tfgantl.text_files import load_yaml

CARD, STANDALONE = "README.md", ".huggingface.yaml"
SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")  # also without slashes: `file:x` and `local:x` are paths to fsspec
MAX_CARD = 2**22  # bytes
OF_FILES = ("data_files", "data_dir")


def check_card(folder: Path) -> None:
    """Looks at what a local data set says of its files.

    Args:
        folder: The data set.

    Raises:
        DataError: If it names files outside of the folder, or cannot be read.
    """
    for name in (CARD, STANDALONE):
        file = folder / name
        if not os.path.lexists(file):
            continue
        try:
            text = read_regular(file, MAX_CARD).decode()
            told = _header(text) if name == CARD else load_yaml(text, str(file))
        except (OSError, ValueError, RecursionError, ArtifactError, yaml.YAMLError) as error:
            raise DataError(
                f"HFDataset: {file}: must be readable. Received: {printable(reason(error))[:200]}"
            ) from error
        for place in _places(told, False, set()):
            parts = PurePosixPath(place.replace("\\", "/")).parts
            if ".." in parts or os.path.isabs(place) or "::" in place or SCHEME.match(place):
                raise DataError(
                    f"HFDataset: {file}: must name files within its folder. Received: {printable(place)[:200]}"
                )
            if any(part.startswith((".", "__")) for part in parts):  # which nobody looks at otherwise
                raise DataError(f"HFDataset: {file}: must name no hidden files. Received: {printable(place)[:200]}")


def _header(text: str) -> Any:
    """The YAML between the first two lines of dashes, as the library finds it; `None` without them."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    found = REGEX_YAML_BLOCK.search(text)
    return load_yaml(found.group(2), CARD) if found else None


def _places(told: Any, of_files: bool, seen: set[tuple[int, bool]]) -> Iterator[str]:
    """Texts under the names that lead to files; each object once, as YAML may repeat one without end."""
    if isinstance(told, str):
        if of_files:
            yield told
    elif isinstance(told, dict | list) and (id(told), of_files) not in seen:
        seen.add((id(told), of_files))
        items = told.items() if isinstance(told, dict) else (("", value) for value in told)
        for name, value in items:
            yield from _places(value, of_files or name in OF_FILES, seen)
