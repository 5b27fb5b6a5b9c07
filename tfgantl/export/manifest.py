"""What a published version is made of: a hash of every file, its signatures, and where it comes from."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from tfgantl.errors import ArtifactError
from tfgantl.regular_files import read_regular
from tfgantl.versions import versions

NAME = "manifest.json"
MAX_BYTES = 2**36  # of a version: all of it is read before it is used
TEXTS = ("created", "name", "source", "target", "transfer", "verdict")  # what is shown of it


def write_manifest(directory: Path, facts: dict) -> None:
    """Writes the manifest of all files that are there.

    Args:
        directory: The version.
        facts: What else to keep: name, signatures, verdict, metrics.
    """
    manifest = {
        **facts,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "files": {str(path.relative_to(directory)): _stamp(path) for path in _files(directory)},
    }
    plain = json.loads(json.dumps(manifest), parse_constant=lambda name: None)  # JSON has no NaN
    (directory / NAME).write_text(json.dumps(plain, indent=2) + "\n")


def read_manifest(directory: Path) -> dict:
    """Reads it.

    Raises:
        ArtifactError: If there is none, or it is damaged.
    """
    try:
        manifest = json.loads(read_regular(directory / NAME), parse_constant=lambda name: None)
        if not isinstance(manifest, dict):
            raise TypeError(f"{type(manifest).__name__}, and no names with values")
        json.dumps(manifest, ensure_ascii=False, allow_nan=False).encode()  # or nobody could be told of it
        for key, kind in {"files": dict, "signatures": dict | None, **dict.fromkeys(TEXTS, str | None)}.items():
            if not isinstance(manifest.get(key), kind):
                raise TypeError(f"another type of `{key}`")
        return {"signatures": {}, **manifest}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{directory}: must hold an intact {NAME}. Received: {error}") from error


def verify_files(directory: Path) -> None:
    """Compares all files with the manifest.

    Raises:
        ArtifactError: If one is missing, superfluous, not what was written or no file, or a folder leads elsewhere.
    """
    for path in directory.rglob("*"):
        if path.is_symlink() and path.is_dir():  # what is behind it would be in no manifest
            raise ArtifactError(f"{path}: must be a folder of the version itself. Received: a link")
        if not path.is_file() and not path.is_dir():  # whoever opens a pipe waits
            raise ArtifactError(f"{path}: must be a file or a folder. Received: neither")
    wanted = read_manifest(directory)["files"]
    found = {str(path.relative_to(directory)): path for path in _files(directory)}
    if set(wanted) != set(found):
        differing = sorted(set(wanted) ^ set(found))
        raise ArtifactError(f"{directory}: files must be those of {NAME}. Received: {', '.join(differing[:4])}")
    total = sum(path.stat().st_size for path in found.values())
    if total > MAX_BYTES:
        raise ArtifactError(f"{directory}: must have at most {MAX_BYTES} bytes. Received: {total}")
    for name, stamp in wanted.items():
        size = found[name].stat().st_size  # first, as it takes no time
        if not isinstance(stamp, list) or stamp[:1] != [size]:
            raise ArtifactError(f"{found[name]}: must be what was written, by its size. Received: {size} bytes")
        if _stamp(found[name]) != stamp:
            raise ArtifactError(f"{found[name]}: must be what was written, by its SHA-256. Received: another file")


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and path != directory / NAME)


def _stamp(path: Path) -> list:
    with open(path, "rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]
