"""Writing files whole or not at all, and names that are safe in paths."""

import os
import re
import threading
from pathlib import Path
from types import TracebackType

from tfgantl.errors import ConfigError

# Names that `Replacing` gives while it writes.
TEMPORARY = re.compile(r"\..+\.\d+(\.\w+)?")


class Replacing:
    """Context manager around writing one file: temporary name, flush to disk, rename."""

    def __init__(self, path: Path):
        self.path = path
        self.temporary = path.with_name(f".{path.stem}.{threading.get_native_id()}{path.suffix}")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.temporary.unlink(missing_ok=True)
            return
        with open(self.temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.temporary, self.path)


def check_name(name: str) -> str:
    """Refuses names that could lead out of a directory or confuse TensorFlow Serving.

    Raises:
        ConfigError: Unless `name` has only letters, digits, `.`, `_` and `-`, and starts with a letter or digit.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ConfigError(
            f"`name` must start with a letter or digit and hold only these, `.`, `_` and `-`. Received: {name}"
        )
    return name
