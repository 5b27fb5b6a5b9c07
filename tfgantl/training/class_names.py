"""Names of the classes of a trained pair, where whatever wrote it has left them."""

import json
from contextlib import suppress
from pathlib import Path

from tfgantl.models import presets
from tfgantl.regular_files import read_regular
from tfgantl.training.run_directory import read_result

MANIFEST = "manifest.json"  # of a published version


def class_names_of(facts: dict) -> list[str] | None:
    """Names of classes, by label, from what a run or a preset says of itself; `None` if it does not say."""
    names = facts.get("class_names")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def class_names_behind(handle: str) -> list[str] | None:
    """Names of the classes of a source, by label: of a run, a network in one, a published version or a preset."""
    path = presets.PRESETS / handle if handle in presets.names() else Path(handle)
    if (path / "config.json").is_file():
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            return class_names_of(json.loads(read_regular(path / "config.json"))["metadata"])
        return None
    if (path / MANIFEST).is_file():
        with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
            return class_names_of(json.loads(read_regular(path / MANIFEST)))
        return None
    return class_names_of(read_result(path if path.is_dir() else path.parent))
