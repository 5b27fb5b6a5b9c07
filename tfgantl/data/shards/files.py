"""Which files a set of shards has: on this machine, or in a bucket, from where they are copied into the cache."""

import glob
import hashlib
import os
import re
import shutil
import time
from collections.abc import Hashable
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfgantl.data.base import stamp_of
from tfgantl.data.classes import check_look_different
from tfgantl.errors import ConfigError, DataError, RunError, TfgantlError, not_installed, reason
from tfgantl.files import Replacing, cache_directory, check_place
from tfgantl.printing import printable
from tfgantl.text_files import read_text

RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
SPLIT = re.compile(r"(?:.*[-_.])?(train|training|test|testing|val|valid|validation|dev|eval)(?=[-_.0-9])", re.I)
NUMBERED = re.compile(r"(.*)-(\d{1,6})-of-(\d{1,6})(.*)", re.DOTALL)
# What is added to the name of a file that is packed, or not all there yet.
PACKED_OR_BEGUN = re.compile(r"(?:\.(?:gz|bz2|xz|zst|lz4|zip|part|partial|tmp|download|crdownload|incomplete))+$", re.I)
# What file systems call that which changes with the content of a file; some say its size alone.
OF_CONTENT = (
    "ETag", "etag", "md5Hash", "Content-MD5", "Digest", "generation", "mtime", "LastModified", "Last-Modified",
    "last_modified", "created", "updated", "blob_id", "sha", "checksum", "content_hash",
)  # fmt: skip
_copied_now: set[Path] = set()  # by this process
OLD = 86_400.0  # seconds
MAX_SHARDS = 2**20
CLASS_NAMES = "classes.txt"
MAX_CLASS_NAMES = 2**22  # bytes


def is_remote(path: str) -> bool:
    """Whether a path is an address."""
    return re.match(r"[a-z][a-z0-9+.-]*://", path) is not None


def expanded(path: str) -> list[str]:
    """A path with ranges such as `{000..099}`, written out.

    Raises:
        ConfigError: If there are too many.

    Example:
        >>> expanded("train-{08..10}.tar")
        ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    paths = [path]
    while found := RANGE.search(paths[0]):
        first, last = found[1], found[2]
        count = int(last) - int(first) + 1
        if count < 1 or count * len(paths) > MAX_SHARDS:
            raise ConfigError(f"`path` must name 1 to {MAX_SHARDS} files. Received: {path}")
        numbers = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
        paths = [RANGE.sub(number, one, count=1) for one in paths for number in numbers]
    return paths


def check_files(where: str, path: str, suffixes: tuple[str, ...]) -> None:
    """Refuses files of this machine that are not there, before anything that takes time.

    Raises:
        DataError: If there are none, or one of those named is missing.
    """
    if not is_remote(path):
        _on_this_machine(where, path, suffixes)


def stamp_of_files(where: str, path: str, suffixes: tuple[str, ...]) -> Hashable:
    """What tells whether shards are those of before."""
    if is_remote(path):
        system, shards = _in_bucket(where, path, suffixes)
        versions = [(name, _version(found)) for name, found in (*shards, *_names_in_bucket(where, system, shards))]
        if all(_says_more_than_size(information) for _, information in shards):
            return tuple(versions)
        copies = map(Path, _copied(where, path, suffixes))
        return (*versions, *(_digest(copy, stamp_of(copy, follows=False)) for copy in copies))
    files = [Path(file) for file in _on_this_machine(where, path, suffixes)]
    return tuple(map(stamp_of, (*files, *(folder / CLASS_NAMES for folder in _folders(files)))))


def local_files(where: str, path: str, suffixes: tuple[str, ...]) -> list[str]:
    """The shards of a set as files of this machine, in the order of their names.

    Args:
        where: Name of the source, for messages.
        path: A file, a folder, a pattern, or an address of one of these.
        suffixes: What names of shards end in, in a folder.

    Raises:
        ConfigError: If the package for an address is not installed.
        DataError: If there are none, or a bucket cannot be read.
    """
    return _copied(where, path, suffixes) if is_remote(path) else _on_this_machine(where, path, suffixes)


def class_names_beside(files: list[Path]) -> tuple[str, ...] | None:
    """Names of classes, by label, from `classes.txt` beside the shards; `None` without it.

    Raises:
        DataError: If it is no list of different names, or not the same in all folders.
    """
    found = {}
    for folder in _folders(files):
        check_place(folder / CLASS_NAMES, folder, [file for file in files if file.parent == folder][:1])
        found[folder] = _class_names(folder / CLASS_NAMES)
    first = next(iter(found))
    for folder, names in found.items():
        if names != found[first]:  # a number would be another class
            raise DataError(
                f"{CLASS_NAMES} must be the same in all folders of shards. Received: others in {printable(folder)} "
                f"than in {printable(first)}"
            )
    return found[first]


def _folders(files: list[Path]) -> list[Path]:
    """The different folders of files."""
    return list(dict.fromkeys(file.parent for file in files))


def _class_names(path: Path) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    try:
        text = read_text(path, MAX_CLASS_NAMES)
    except (OSError, TfgantlError) as error:
        raise DataError(f"{printable(path)}: must be a list of names. Received: {printable(reason(error))}") from error
    names = tuple(name.strip() for name in text.rstrip().splitlines())
    check_look_different(names)
    if len(names) > 1 and sorted(number for number in map(_numbered, names) if number is not None) in (
        list(range(len(names))),
        list(range(1, len(names) + 1)),
    ):
        raise DataError(
            f"{printable(path)}: must list names alone, in the order of their labels. "
            f"Received: {printable(names[0])[:80]}"
        )
    if not all(names) or len(set(names)) < len(names):  # an empty line shifts the others
        lines = f"{len(names)} lines, {names.count('')} of them empty"
        raise DataError(f"{printable(path)}: must be a list of different names. Received: {lines}")
    return names


def _numbered(line: str) -> int | None:
    """The number in front of a name; `None` without one."""
    found = re.match(r"(\d{1,6})[\s,;:=]+\S", line)
    return int(found[1]) if found else None


def _on_this_machine(where: str, path: str, suffixes: tuple[str, ...]) -> list[str]:
    if os.path.isdir(path):
        names = _shards_among(where, path, os.listdir(path), suffixes)
        found = sorted(os.path.join(path, name) for name in names)
    elif os.path.isfile(path):
        return [path]
    elif RANGE.search(path):
        found = expanded(path)
        missing = [file for file in found if not os.path.isfile(file)]
        if missing:
            raise DataError(f"{where}: `path` must name files that are there. Received: {path}, without {missing[0]}")
    else:
        found = sorted(glob.glob(path))
    found = [file for file in found if os.path.isfile(file)]
    if not found:
        raise DataError(f"{where}: `path` must be shards ({', '.join(suffixes)}). Received: {path}, with none")
    return found


def _shards_among(where: str, path: str, names: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """The shards of a folder, in which none may be missing, packed or not all there yet; patterns may take some.

    Args:
        where: Name of the source, for messages.
        path: The folder.
        names: Of all files in it.
        suffixes: What names of shards end in.

    Raises:
        DataError: If one is.
    """
    plain = {name: PACKED_OR_BEGUN.sub("", name) for name in names}
    others = sorted(name for name in names if plain[name] != name and _is_shard(plain[name], suffixes))
    if others:
        raise DataError(
            f"{where}: `path` must be a folder whose shards are all there and not packed; a pattern takes those that "
            f"are. Received: {path}, with {', '.join(map(printable, others[:4]))}"
            f"{f' and {len(others) - 4} more' * (len(others) > 4)}"
        )
    found = [name for name in names if _is_shard(name, suffixes)]
    check_complete(where, path, found)
    splits = sorted({match[1].casefold() for name in found if (match := SPLIT.match(name))})
    if len(splits) > 1:
        _tell_of_splits(where, path, tuple(splits))
    return found


@lru_cache(maxsize=1024)
def _tell_of_splits(where: str, path: str, splits: tuple[str, ...]) -> None:
    """Says so, once, if what others have set apart for a test is trained on."""
    from tfgantl.progress import log

    log(
        f"{where}: {printable(path)} holds shards of {', '.join(splits)}, and all are taken; a pattern such as "
        f"{splits[-1]}-* takes some"
    )


def check_complete(where: str, path: str, names: list[str]) -> None:
    """Refuses a folder without all shards that the names of those there count."""
    sets: dict[tuple[str, int, str], set[int]] = {}
    for name in names:
        if (match := NUMBERED.fullmatch(name)) is not None:
            sets.setdefault((match[1], int(match[3]), match[4]), set()).add(int(match[2]))
    for (before, total, behind), numbers in sets.items():
        first = int(0 not in numbers and total in numbers)  # some count from 1
        missing = [number for number in range(first, total + first) if number not in numbers]
        if missing:
            raise DataError(
                f"{where}: `path` must be a folder with all {total} shards of {printable(before + behind)[:80]}; a "
                f"pattern takes those that are there. Received: {path}, without {', '.join(map(str, missing[:8]))}"
                f"{f' and {len(missing) - 8} more' * (len(missing) > 8)}"
            )


def _is_shard(name: str, suffixes: tuple[str, ...]) -> bool:
    return not name.startswith(".") and any(fnmatch(name.casefold(), f"*{suffix}") for suffix in suffixes)


def _in_bucket(where: str, path: str, suffixes: tuple[str, ...]) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
    """The file system of an address, and its shards with what it says of them."""
    try:
        import fsspec
    except ImportError as error:
        raise ConfigError(not_installed(where, "fsspec", "remote", error)) from error
    try:
        system, inner = fsspec.core.url_to_fs(path)
        if system.isdir(inner):
            places = {name.rpartition("/")[2]: name for name in system.ls(inner, detail=False)}
            names = [places[name] for name in _shards_among(where, path, list(places), suffixes)]
        elif RANGE.search(inner):
            names = expanded(inner)
        else:
            names = system.glob(inner) if glob.has_magic(inner) else [inner]
        found = [(name, system.info(name)) for name in sorted(names)]
    except DataError:
        raise
    except ImportError as error:  # of the package for this kind of bucket
        raise ConfigError(not_installed(where, "the file system of this address", "remote", error)) from error
    except Exception as error:  # file systems raise whatever their services answer
        raise DataError(
            f"{where}: `path` must be an address that can be read. Received: {path} "
            f"({type(error).__name__}: {printable(reason(error))[:200]})"
        ) from error
    found = [(name, information) for name, information in found if information.get("type") == "file"]
    if not found:
        raise DataError(f"{where}: `path` must be shards ({', '.join(suffixes)}). Received: {path}, with none")
    return system, found


def _names_in_bucket(where: str, system: Any, shards: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict]]:
    """The files with names of classes beside shards of a bucket, and what it says of them; none if there are none.

    Raises:
        DataError: If one cannot be read or is too large, or only some folders have one.
    """
    folders = list(dict.fromkeys(name.rpartition("/")[0] for name, _ in shards))
    found = []
    for beside in (f"{folder}/{CLASS_NAMES}" for folder in folders):
        try:
            information = system.info(beside)
        except (FileNotFoundError, PermissionError):  # the latter of buckets that may not be listed
            continue
        except Exception as error:
            raise DataError(
                f"{where}: {printable(beside)}: must be readable. Received: {printable(reason(error))}"
            ) from error
        if int(information.get("size") or 0) > MAX_CLASS_NAMES:
            raise DataError(
                f"{where}: {printable(beside)} must have at most {MAX_CLASS_NAMES} bytes. "
                f"Received: {information['size']}"
            )
        if information.get("type") == "file":
            found.append((beside, information))
    if found and len(found) < len(folders):
        raise DataError(
            f"{where}: {CLASS_NAMES} must be the same in all folders of shards. Received: one in {len(found)} of "
            f"{len(folders)}"
        )
    return found


def _version(information: dict[str, Any]) -> tuple[str, ...]:
    """What a bucket or a server says of the content of a file."""
    return tuple(str(information.get(kind)) for kind in ("size", *OF_CONTENT))


def _is_known(copy: Path, information: dict[str, Any]) -> bool:
    """Whether a copy is there, and is that of what is there now: of some servers only this process can know."""
    return copy.is_file() and (copy in _copied_now or _says_more_than_size(information))


def _says_more_than_size(information: dict[str, Any]) -> bool:
    return any(information.get(kind) for kind in OF_CONTENT)


@lru_cache(maxsize=1024)
def _digest(copy: Path, stamp: Hashable) -> str:
    """Hash of a file, computed anew if its `stamp` is another."""
    with open(copy, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copied(where: str, path: str, suffixes: tuple[str, ...]) -> list[str]:
    from filelock import FileLock  # takes a tenth of the time of `--help`

    from tfgantl.progress import bar

    system, shards = _in_bucket(where, path, suffixes)
    folder = cache_directory() / "shards" / hashlib.sha256(repr((path, suffixes)).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(int(information.get("size") or 0) for _, information in shards)
    copies = {name: folder / _name_of_copy(name, information) for name, information in shards}
    missing = {name for name, information in shards if not _is_known(copies[name], information)}
    free = shutil.disk_usage(folder).free
    needed = sum(int(information.get("size") or 0) for name, information in shards if name in missing)
    if needed > free:
        raise RunError(
            f"the cache must have room for {needed / 1e9:.1f} GB of shards; TFGANTL_CACHE_DIR names another disk. "
            f"Received: {free / 1e9:.1f} GB free in {folder}"
        )
    with FileLock(f"{folder}.lock"), bar(total, f"{where}: copying {path}", "byte") as shown:
        for name, information in shards:
            if not _is_known(copies[name], information):
                _copy(where, system, name, copies[name])
                _copied_now.add(copies[name])
            shown.update(int(information.get("size") or 0))
        names = _names_in_bucket(where, system, shards)
        if not names:  # as there may have been before
            (folder / CLASS_NAMES).unlink(missing_ok=True)
        for number, (name, _) in enumerate(names):
            _copy(where, system, name, folder / (CLASS_NAMES if number == 0 else f"other-{CLASS_NAMES}"))
            if number and (folder / CLASS_NAMES).read_bytes() != (folder / f"other-{CLASS_NAMES}").read_bytes():
                raise DataError(
                    f"{where}: {CLASS_NAMES} must be the same in all folders of shards. Received: another one in "
                    f"{printable(name)}"
                )
        _remove_older(folder, set(copies.values()))
    return [str(copies[name]) for name, _ in shards]


def _remove_older(folder: Path, copies: set[Path]) -> None:
    """Removes copies of what has changed in its bucket since, a day later: another process may read them still."""
    for path in folder.glob("????????????-*"):
        if path not in copies and time.time() - path.stat().st_mtime > OLD:
            path.unlink(missing_ok=True)


def _name_of_copy(name: str, information: dict[str, Any]) -> str:
    """Names are those of a stranger, and files may change in their bucket: the copy has a hash of both."""
    digest = hashlib.sha256(repr((name, _version(information))).encode()).hexdigest()[:12]
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name.rpartition("/")[2])[-80:].lstrip(".")
    return f"{digest}-{plain}"


def _copy(where: str, system: Any, name: str, target: Path) -> None:
    try:
        with Replacing(target) as temporary:
            system.get_file(name, str(temporary))
            size = system.info(name).get("size")
            if size is not None and os.path.getsize(temporary) != size:
                raise OSError(f"{os.path.getsize(temporary)} of {size} bytes")
    except Exception as error:
        raise DataError(
            f"{where}: {printable(name)}: must be copied whole. Received: {printable(reason(error))}"
        ) from error
