"""Tells what the cache holds, and clears it.

`python -m tfgantl.pipelines.cache`, or `tfgantl cache`; with `--clear`, whatever is in it is removed. Everything there
is made again when it is needed.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from tfgantl.cli import run as run_cli
from tfgantl.files import cache_directory
from tfgantl.pipelines.results import Result

KINDS = {
    "images": "decoded images of sources that are larger than `max_bytes`",
    "shards": "copies of shards that lie in buckets",
    "datasets": "what Hugging Face's `datasets` has made of folders",
    "extractors": "features trained to measure a target",
    "discriminators": "discriminators rebuilt for sources without one",
    "editing": "what `tfgantl edit` has learnt of generators; directions have to be found anew",
}
# What each of them calls what it keeps: `TFGANTL_CACHE_DIR` may name a disk with folders of other people's.
NAMES = {
    "images": r"[0-9a-f]{16}-[0-9a-f]{16}",
    "shards": r"[0-9a-f]{16}",
    "datasets": r"[0-9a-f]{16}-[0-9a-f]{16}",
    "extractors": r"[0-9a-f]{16}",
    "discriminators": r"[0-9a-f]{16}\.keras",
    "editing": r"[0-9a-f]{12}",
}
Kind = Literal["all", "images", "shards", "datasets", "extractors", "discriminators", "editing"]


@dataclass(frozen=True)
class CacheConfig:
    """Settings of a look at the cache.

    Args:
        kind: What of it: images, shards, datasets, extractors, discriminators, editing, or all.
        clear: Remove it, but for what another process is writing.
        json: Print the result as the last line, one JSON object.
    """

    kind: Kind = "all"
    clear: bool = False
    json: bool = False

    computes: ClassVar[bool] = False  # so that TensorFlow is not imported


@dataclass(frozen=True, kw_only=True)
class CacheResult(Result):
    """What is in the cache.

    Args:
        directory: Where it is.
        bytes: Kind → bytes on disk.
        entries: Kind → number of sets or files.
        removed: Bytes that were removed.
        busy: Entries that were not, as a process is writing them.
    """

    directory: Path
    bytes: dict[str, int]
    entries: dict[str, int]
    removed: int
    busy: int

    def text(self) -> str:
        """A table, and what was removed."""
        lines = [
            f"{kind:15} {self.entries[kind]:>5}  {self.bytes[kind] / 1e6:>12,.1f} MB   {KINDS[kind]}"
            for kind in self.bytes
        ]
        if self.removed or self.busy:
            lines.append(f"removed {self.removed / 1e6:,.1f} MB; {self.busy} entries are being written, and stay")
        return "\n".join([str(self.directory), *lines])


def cache(config: CacheConfig) -> CacheResult:
    """Tells what is in the cache, after clearing it if that is wanted.

    Args:
        config: The settings.

    Returns:
        What is in it now.
    """
    root, removed, busy = cache_directory(), 0, 0
    kinds = [kind for kind in KINDS if config.kind in ("all", kind)]
    if config.clear:
        for entry in [entry for kind in kinds for entry in _entries(root, kind)]:
            size = _size(entry)
            if _remove(entry):
                removed += size
            else:
                busy += 1
    found = {kind: _entries(root, kind) for kind in kinds}
    return CacheResult(
        directory=root,
        bytes={kind: sum(map(_size, entries)) for kind, entries in found.items()},
        entries={kind: len(entries) for kind, entries in found.items()},
        removed=removed,
        busy=busy,
    )


def _entries(root: Path, kind: str) -> list[Path]:
    """What this package keeps of a kind, and nothing else that lies there."""
    folder = root / kind
    return sorted(path for path in folder.iterdir() if re.fullmatch(NAMES[kind], path.name)) if folder.is_dir() else []


def _size(entry: Path) -> int:
    """Bytes on the disk: room that is reserved and not written yet counts, too."""
    files = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
    return sum(path.lstat().st_blocks * 512 for path in files)


def _remove(entry: Path) -> bool:
    from tfgantl.data.image_file import remove_set

    if entry.is_dir() and not entry.is_symlink():
        return remove_set(entry)
    entry.unlink()
    return True


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(CacheConfig, "cache", cache, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
