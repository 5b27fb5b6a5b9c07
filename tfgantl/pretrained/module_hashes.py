"""What a SavedModel is known by, and which operations its user has allowed it."""

import hashlib
from pathlib import Path

_ALLOWED: dict[str, tuple[str, ...]] = {}  # digest of a graph → what the user of this process allowed it


def digest(directory: Path) -> str:
    """SHA-256 of the graph of a SavedModel."""
    return hashlib.sha256((directory / "saved_model.pb").read_bytes()).hexdigest()


def content_digest(directory: Path) -> str:
    """SHA-256 of everything that a SavedModel computes with: graph, variables and assets, with their names."""
    found = hashlib.sha256(digest(directory).encode())
    for path in sorted(path for part in ("variables", "assets") for path in (directory / part).rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            found.update(f"{path.relative_to(directory)} {content}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def allow(directory: Path, operations: tuple[str, ...]) -> None:
    """Remembers for this process which operations the user allowed a SavedModel."""
    _ALLOWED[digest(directory)] = operations


def allowed_before(graph_digest: str) -> tuple[str, ...]:
    """Operations that the user of this process allowed the graph with this hash; a file cannot allow any."""
    return _ALLOWED.get(graph_digest, ())
