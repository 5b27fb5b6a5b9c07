"""Networks of a directory that were trained with each other: a kill between two files leaves those of two trainings."""

import json
from collections.abc import Mapping
from pathlib import Path

import keras

from tfgantl.errors import ArtifactError
from tfgantl.models.copies import weights_hash
from tfgantl.regular_files import read_regular

RECORD = "together.json"  # written ahead of the networks; directories without it are taken as they are
KEPT = 8  # sets: a run that goes on has the networks of before until those of now are whole
MAX_RECORD = 2**16  # bytes


def record_of(directory: Path, networks: Mapping[str, keras.Model]) -> str:
    """The record of networks that are about to be written, behind those that may be there.

    Args:
        directory: Where they will be.
        networks: By the names of their files.
    """
    new = _hashes(networks)
    before = [known for known in _recorded(directory) if known != new]
    return json.dumps([new, *before][:KEPT], indent=1) + "\n"


def check_together(directory: Path, networks: Mapping[str, keras.Model]) -> None:
    """Compares networks with the record beside them, if there is one.

    Args:
        directory: Where they were loaded from.
        networks: By the names of their files.

    Raises:
        ArtifactError: If they are of no training that was recorded.
    """
    found = _hashes(networks)
    if (directory / RECORD).is_file() and not any(found.items() <= known.items() for known in _recorded(directory)):
        raise ArtifactError(
            f"{directory}: {' and '.join(networks)} must be of one training, as {RECORD} says; go on with the run if "
            "it was interrupted, or remove that file to take them as they are. Received: others"
        )


def _hashes(networks: Mapping[str, keras.Model]) -> dict[str, str]:
    return {name: weights_hash(network) for name, network in networks.items()}


def _recorded(directory: Path) -> list[dict]:
    """The sets of a record; none if it is missing or damaged."""
    try:
        found = json.loads(read_regular(directory / RECORD, MAX_RECORD))
    except (OSError, ValueError, RecursionError):
        return []
    return [known for known in found if isinstance(known, dict)] if isinstance(found, list) else []
