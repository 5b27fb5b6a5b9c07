"""Names of the classes of a trained pair, where whatever wrote it has left them."""

import json
from contextlib import suppress

from tfgantl.models import presets
from tfgantl.progress import log
from tfgantl.regular_files import read_regular
from tfgantl.training.run_directory import read_result

MANIFEST = "manifest.json"  # of a published version


def class_names_of(facts: dict) -> list[str] | None:
    """Names of classes, by label, from what a run or a preset says of itself; `None` if it does not say.

    The same where two have one name, so that nobody could say which is meant.
    """
    names = facts.get("class_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return names if len(set(names)) == len(names) else None


def class_names_behind(handle: str, count: int | None = None) -> list[str] | None:
    """Names of the classes of a source, by label: of a run, a network in one, a published version or a preset.

    Args:
        handle: Of the source.
        count: Number of its classes, if it is known; names are left out, which the log tells, if they are not as many.
    """
    names = _names_behind(handle)
    if names is None or count is None or len(names) == count:
        return names
    log(f"{handle} has names for {len(names)} classes and {count} classes: the names are left out")
    return None


def _names_behind(handle: str) -> list[str] | None:
    path = presets.directory_of(handle)
    if (path / "config.json").is_file():
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            return class_names_of(json.loads(read_regular(path / "config.json"))["metadata"])
        return None
    if (path / MANIFEST).is_file():
        with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
            return class_names_of(json.loads(read_regular(path / MANIFEST)))
        return None
    return class_names_of(read_result(path if path.is_dir() else path.parent))
