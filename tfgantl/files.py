"""Writing files whole or not at all, and names that are safe in paths."""

import hashlib
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from os.path import exists, realpath  # a name that is too long is not there, without an error
from pathlib import Path
from types import TracebackType

from tfgantl.errors import ConfigError, DataError, RunError
from tfgantl.printing import printable

# Names that `Replacing` gives while it writes.
TEMPORARY = re.compile(r"\..+\.tfgantl-\d+(\.\w+)?")

MAX_NAME = 80  # characters
MAX_FILE_NAME = 255  # bytes, of all file systems that are in use


class Replacing:
    """Context manager around writing one file: temporary name, flush to disk, rename."""

    def __init__(self, path: Path):
        self.path = path
        behind = f".tfgantl-{threading.get_native_id()}{path.suffix}"
        self.temporary = path.with_name(fitted(f".{path.stem}", behind))

    def __enter__(self) -> Path:
        self.temporary.unlink(missing_ok=True)  # whatever has that name, a link among it: it would be written through
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


def check_no_link(folder: Path, root: Path) -> None:
    """Refuses a folder that leads out of the one that it is in: what somebody else has made could lead anywhere.

    Raises:
        RunError: If it is a link.
    """
    if folder.is_symlink():
        raise RunError(f"{folder}: must be a folder of {root} itself. Received: a link")


def check_place(file: Path, folder: Path, beside: Sequence[Path] = (), what: str = "the data") -> None:
    """Refuses what is found beside data, and leads out of their folder: it would be learnt, reported and published.

    Where data are links, too, as in caches of hubs, it may lie beside what they lead to.

    Args:
        file: What is found there.
        folder: Of the data.
        beside: Some of the data.
        what: The folder is of, for messages.

    Raises:
        DataError: If it is a link to somewhere else.
    """
    if file.is_symlink():
        place = Path(realpath(file))
        known = [Path(realpath(one)).parent for one in beside]
        if not place.is_relative_to(realpath(folder)) and place.parent not in known:
            raise DataError(
                f"{printable(file)}: must lie in the folder of {what}. Received: a link to {printable(place)}"
            )


def make_folder(root: Path, name: str) -> Path:
    """Makes a folder within another, with those above it, if it is not there.

    Args:
        root: Which may be a link.
        name: Its path from there.

    Returns:
        The folder.

    Raises:
        RunError: If it, or one on the way, is a link.
    """
    folder = root
    for part in Path(name).parts:
        folder /= part
        check_no_link(folder, root)
        folder.mkdir(exist_ok=True)
    return folder


def fitted(stem: str, behind: str) -> str:
    """A name of a file of two parts; if it is too long for one, the first is cut, and ends in a hash of all of it.

    Args:
        stem: Such as the name of a picture.
        behind: What stands behind it in any case.

    Example:
        >>> fitted("a", "-1.png"), len(fitted("é" * 200, "-1.png").encode())
        ('a-1.png', 255)
    """
    name, room = os.fsencode(stem), MAX_FILE_NAME - len(os.fsencode(behind))
    if len(name) > room:
        mark = f"-{hashlib.sha256(name).hexdigest()[:8]}"
        stem = name[: room - len(mark)].decode(errors="ignore") + mark
    return stem + behind


def cache_directory() -> Path:
    """Where things are kept that can be made again: `TFGANTL_CACHE_DIR`, or `tfgantl` in the cache of the user.

    Raises:
        ConfigError: If the variable names something else than a directory, or a home that is not known.
    """
    if given := os.environ.get("TFGANTL_CACHE_DIR"):
        directory = expanded(given)
        if exists(directory) and not directory.is_dir():
            raise ConfigError(f"`TFGANTL_CACHE_DIR` must be a directory. Received: {printable(given)}")
        return directory
    return Path(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache")) / "tfgantl"


def name_from(text: str) -> str:
    """A name for directories, from any text such as that of a folder: accents go, all else becomes `-`.

    Example:
        >>> name_from("My Pictures (été)"), name_from("2024.06"), name_from("猫")
        ('My-Pictures-ete', '2024.06', 'data-a810bf')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    safe = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]", "-", plain)).strip("-._ ")[:MAX_NAME]
    return safe or f"data-{hashlib.sha256(os.fsencode(text)).hexdigest()[:6]}"


def expanded(path: str | Path) -> Path:
    """A path in which `~` is the home of the user, and `~name` that of another one.

    Raises:
        ConfigError: If there is no such user, or this one has no home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"`~` must be a home that is known (TFGANTL_CACHE_DIR, for the cache). Received: {path}"
        ) from error


def absolute(path: str) -> str:
    """A path that means the same from every directory; `~` is the home of the user."""
    return str(expanded(path).absolute())


def absolute_if_there(handle: str) -> str:
    """A handle that names a file or directory, as an absolute path; any other handle as it is."""
    path = expanded(handle)
    return str(path.absolute()) if handle.startswith("~") or (exists(path) and not _is_shipped(handle)) else handle


def _is_shipped(handle: str) -> bool:
    presets = Path(__file__).parent / "presets"  # which has folders above it, but none that are meant
    return not handle.startswith(".") and any((place / handle).exists() for place in (presets, presets / "extractors"))


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


def check_kept(places: Iterable[Path], taken: Iterable[Path]) -> None:
    """Refuses to write over what is read.

    Args:
        places: Where results go.
        taken: Pictures that are read.

    Raises:
        ConfigError: If one of them is the same file, by whatever path.
    """
    originals = {_identity(path) for path in taken}
    if over := next((place for place in places if _identity(place) in originals), None):
        raise ConfigError(f"`output` must not be a picture that is read. Received: {printable(over)}")


def _identity(path: Path) -> tuple[int, int] | Path:
    """What a file is, whatever leads to it: another name, a link, or another mount."""
    try:
        found = path.stat()
    except OSError:
        return path.resolve()
    return found.st_dev, found.st_ino
