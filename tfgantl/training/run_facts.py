"""What a run depends on, as `run.json` keeps it: settings, data, weights and packages, compared when it goes on."""

import json
from pathlib import Path
from typing import Any

import yaml

from tfgantl.errors import RunError, reason
from tfgantl.old_names import LATER_FACTS, agrees, renamed_settings
from tfgantl.regular_files import read_regular

# How a run is continued and shown may differ when it goes on.
NOT_COMPARED = ("resume", "allow_changes", "json", "devices")


def read_facts(path: Path) -> dict[str, Any]:
    """What a run that has begun has kept, with the names of today.

    Raises:
        RunError: If it is anything else: nothing would be compared.
    """
    message = f"{path}: must be what the run has written"
    try:
        facts = json.loads(read_regular(path))
        if not facts.keys() - {"id"} or not isinstance(facts.get("id", ""), str):
            raise ValueError("nothing to compare, or no name")
        return renamed_settings(facts)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise RunError(f"{message}. Received: {reason(error)}") from error


def changed_facts(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is not as it was, each as `name old → new`.

    A setting that the run does not know of is one of a later version, and no change as long as it is off.
    """
    later = {name for name in now.keys() - before.keys() if name in LATER_FACTS or not now[name]}
    pairs = {name: (before.get(name), now.get(name)) for name in before | now if name not in later}
    return [f"{name} {old} → {new}" for name, (old, new) in pairs.items() if not agrees(old, new)]


def compared_settings(recipe: str) -> dict[str, Any]:
    """The settings of a configuration as YAML that results depend on, as `a.b` → value."""
    return _settings(yaml.safe_load(recipe) or {})


def _settings(recipe: dict, prefix: str = "") -> dict[str, Any]:
    """A nested configuration as `a.b` → value, without how the run is shown and continued."""
    flat: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, dict):
            flat |= _settings(value, f"{prefix}{key}.")
        elif prefix or key not in NOT_COMPARED:
            flat[prefix + key] = value
    return flat
