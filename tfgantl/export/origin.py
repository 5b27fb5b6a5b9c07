"""Where a published model comes from: its source and its data, with their hashes and licences."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tfgantl.models import presets

PRESET_LICENSE = "Apache-2.0"  # of what is shipped with this package


@dataclass(frozen=True)
class Origin:
    """The origin of a model, as far as it is known; `None` where it is not.

    Args:
        source: Handle of the model that it was adapted from.
        source_hash: Hash of the weights of its generator.
        source_license: Its licence.
        data: Fingerprint of the training images.
        target_license: Their licence.
    """

    source: str | None = None
    source_hash: str | None = None
    source_license: str | None = None
    data: str | None = None
    target_license: str | None = None

    def record(self) -> dict[str, str | None]:
        """What JSON, logs, manifests and model cards keep."""
        return asdict(self)

    @classmethod
    def read(cls, value: object, **known: str | None) -> "Origin":
        """The origin that a log tells, as far as it is text, since anybody can edit it.

        Args:
            value: What the log has.
            **known: Fields that somebody has said, which come first.
        """
        told = value if isinstance(value, dict) else {}
        found = {entry.name: known.get(entry.name) or told.get(entry.name) for entry in fields(cls)}
        return cls(**{name: text for name, text in found.items() if isinstance(text, str)})


def published_handle(handle: str) -> str:
    """A handle as anybody may see it: of a path, what lies in the working directory, or else its last part.

    Example:
        >>> published_handle("/home/me/secret/faces.keras"), published_handle("rendered-digits")
        ('faces.keras', 'rendered-digits')
    """
    path = Path(handle)
    if "://" in handle or not path.is_absolute():
        return handle
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name


def without_places(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts that anybody may read: where things lie on the machine of whoever publishes is nobody's business."""

    def shown(told: Any) -> Any:
        source = told.get("source") if isinstance(told, dict) else None
        return {**told, "source": published_handle(source)} if isinstance(source, str) else told

    return {**shown(facts), **({"origin": shown(facts["origin"])} if "origin" in facts else {})}


def license_behind(handle: str) -> str | None:
    """Licence of a source that is shipped; `None` for any other, which only its user can know."""
    return PRESET_LICENSE if handle in presets.names() else None


def unknown_licenses(origin: dict[str, str | None]) -> list[str]:
    """Lines that ask for the licences that are not known."""
    names = {"source_license": "source", "target_license": "training images"}
    return [
        f"licence of the {what}: unknown; say it by --{name}" for name, what in names.items() if not origin.get(name)
    ]
