"""Results of finished jobs, so that a benchmark can be stopped and started again."""

import hashlib
import json
from functools import cache
from pathlib import Path

import tfgantl
from tfgantl.files import Replacing

PRESETS = Path(tfgantl.__file__).parent / "presets"


@cache
def shipped() -> str:
    """Hash of the shipped weights; a part of file names, so that results made with others are not taken over."""
    files = sorted(p for p in PRESETS.rglob("*") if p.suffix in (".npz", ".keras"))
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:8]


def kept(path: Path) -> dict | None:
    """The result that a file holds, or `None` if there is none yet."""
    return read_result(path) if path.is_file() else None


def read_result(path: Path) -> dict:
    """The result that a file holds, once all jobs have finished."""
    return json.loads(path.read_text())


def keep(path: Path, result: dict) -> dict:
    """Writes a result as a whole, and gives it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Replacing(path) as temporary:
        temporary.write_text(json.dumps(result))
    return result


def begun(run: Path) -> dict[str, str]:
    """Options of a training in this directory, which begins, or goes on: where it is, is compared like all settings."""
    goes_on = {"resume": str(run)} if (run / "config.yaml").is_file() else {}
    return {"run_dir": str(run), **goes_on}
